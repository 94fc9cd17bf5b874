"""Made-up records of producers, as their documentation describes them."""

# ruff: noqa: E501 - a record a line
from __future__ import annotations

import base64
import json
from typing import Any

__all__ = ["EVENT", "SAMPLES", "sis", "ssoe"]

AT = "2026-11-23T15:04:05.123456Z"
EVENT = {
    "schema_version": 1,
    "event_id": "c1",
    "occurred_at": "2026-11-23T15:04:05.123Z",
    "env": "prod",
    "auth_method": "sis",
    "step": "callback",
    "outcome": "failure",
    "csp": "clear",
    "error_code": "007",
}


def sis(message: str, **payload: Any) -> dict[str, Any]:
    """A log line of the Sign-in Service."""
    text = f"[SignInService] [V0::SignInController] {message}"
    return {"timestamp": AT, "request_id": "0a1b2c3d-1", "message": text, "payload": payload}


def ssoe(message: str, **payload: Any) -> dict[str, Any]:
    """A log line of SSOe."""
    return {"timestamp": AT, "request_id": "5e6f", "message": message, "payload": payload}


def okta(kind: str, result: str, **more: Any) -> dict[str, Any]:
    return {
        "uuid": kind,
        "published": "2026-11-23T15:04:05.123Z",
        "eventType": kind,
        "outcome": {"result": result, "reason": more.pop("reason", None)},
        "actor": {"id": "00u1", "alternateId": "ada@example.org"},
        **more,
    }


def entra(code: Any, **more: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "id": f"e{code}",
        "createdDateTime": "2026-11-23T15:04:05.1234567Z",
        "appId": "a1",
    }
    properties |= {"status": {"errorCode": code}, "userId": "u1", "userPrincipalName": "ada@example.org"}
    return {"time": "2026-11-23T16:00:00Z", "category": "SignInLogs", "properties": properties, **more}


def otlp(at: str, **attributes: Any) -> dict[str, Any]:
    listed = [{"key": key, "value": value} for key, value in attributes.items()]
    record = {"timeUnixNano": at, "observedTimeUnixNano": "1763910245000000000", "attributes": listed}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}


def cognito(name: str, **more: Any) -> dict[str, Any]:
    return {
        "eventID": name,
        "eventTime": "2026-11-23T15:04:05Z",
        "eventSource": "cognito-idp.amazonaws.com",
        "eventName": name,
        "requestParameters": {"clientId": "app"},
        **more,
    }


GOOD, BAD = ("callback", "success"), ("callback", "failure")
TAGS = 'tags: ["type:idme_verified", "version:v1", "client_id:vaweb"'
JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PACKED = base64.b64encode(json.dumps(EVENT).encode()).decode()

#: (mapping, record, what becomes of it): (step, outcome) of its event, with further fields; or the rule that skips it.
SAMPLES: list[tuple[str, Any, Any]] = [
    ("vets-api-sis", sis("authorize", type="idme", client_id="vaweb"), ("authorize", "started", {"csp": "idme", "client_id": "vaweb"})),
    ("vets-api-sis", sis("authorize sso", client_id="vamobile"), ("authorize_sso", "success", {})),
    ("vets-api-sis", sis("authorize sso redirect", error_code="400"), ("authorize_sso", "redirect", {"error_code": None})),
    ("vets-api-sis", sis("callback", type="logingov", icn="1V2"), (*GOOD, {"csp": "logingov"})),
    ("vets-api-sis", sis("callback error", errors="User Declined to Authorize Client", error_code="001"), (*BAD, {"error_code": "001", "error_class": "AccessDenied"})),
    ("vets-api-sis", sis("callback error", errors="Something new"), (*BAD, {"error_code": "400", "csp": None})),
    ("vets-api-sis", sis("token"), ("token", "success", {})),
    ("vets-api-sis", sis("token error", grant_type=JWT), ("sts", "failure", {})),
    ("vets-api-sis", sis("refresh error", errors="No valid Session found"), ("refresh", "failure", {"error_class": "SessionNotFound"})),
    ("vets-api-sis", sis("revoke all sessions"), ("revoke_all_sessions", "success", {})),
    ("vets-api-sis", sis("webauthn authentication verified", icn="1V2"), ("passkey", "success", {})),
    ("vets-api-sis", sis("webauthn authentication options generated"), "options-generated"),
    ("vets-api-sis", sis("attribute validator error"), "attribute-validator"),
    ("vets-api-sis", sis("brand new thing 42"), "unlisted"),
    ("vets-api-sis", {"message": "Started GET /", "timestamp": AT}, "other-lines"),
    ("vets-api-sis", '2026-11-23T15:04:05Z [0a1b2c3d-9] [SignInService] [V0::SignInController] callback error -- {:errors=>"x", :error_code=>"007", type: "idme"}', (*BAD, {"csp": "idme", "error_code": "007"})),
    ("vets-api-ssoe", ssoe('SSO_NEW_KEY, tags: ["type:idme", "client_id:vaweb", "operation:authorize"]'), ("new", "started", {"csp": "idme", "login_type": "idme", "client_id": "vaweb", "operation": "authorize"})),
    ("vets-api-ssoe", ssoe('SSO_NEW_KEY, tags: ["type:slo", "version:v1"]'), ("logout", "success", {"csp": None})),
    ("vets-api-ssoe", ssoe(f"LOGIN_STATUS_FAILURE, {TAGS}, \"error:007\"], message: #<Foo x>"), (*BAD, {"csp": "idme", "error_code": "007"})),
    ("vets-api-ssoe", ssoe("LOGIN_STATUS_SUCCESS", icn="1V2", tags=["type:logingov"]), (*GOOD, {"csp": "logingov"})),
    ("vets-api-ssoe", ssoe("[V1][Sessions Controller] error"), (*BAD, {"csp": None, "error_code": "007"})),
    ("vets-api-ssoe", ssoe("LOGIN_STATUS_SUCCESS, tags: [\"type:custom\"]"), (*GOOD, {"csp": None, "login_type": "custom"})),
    ("vets-api-ssoe", {"message": "Started GET /", "timestamp": AT}, "other-lines"),
    ("keycloak", {"id": "a", "time": 1763910245123, "type": "LOGIN_ERROR", "error": "user_not_found", "details": {"identity_provider": "idme"}}, (*BAD, {"csp": "idme", "error_code": "user_not_found", "error_class": "AccessDenied"})),
    ("keycloak", {"time": 1763910245123, "type": "CLIENT_LOGIN"}, ("sts", "success", {})),
    ("keycloak", {"time": 1763910245123, "type": "REFRESH_TOKEN_ERROR", "error": "session_expired"}, ("refresh", "failure", {"error_class": "SessionNotFound"})),
    ("keycloak", {"time": 1763910245123, "operationType": "CREATE"}, "admin-events"),
    ("keycloak", {"time": 1763910245123, "type": "UPDATE_PROFILE"}, "other-types"),
    ("okta", {"data": {"events": [okta("user.session.start", "FAILURE", reason="INVALID_CREDENTIALS", target=[{"type": "User", "id": "u"}, {"type": "AppInstance", "id": "app1"}])]}}, (*BAD, {"error_code": "INVALID_CREDENTIALS", "client_id": "app1"})),
    ("okta", [okta("app.oauth2.as.token.grant.access_token", "SUCCESS")], ("token", "success", {"client_id": "00u1", "user_hash": None})),
    ("okta", okta("user.session.start", "CHALLENGE"), "no-outcome"),
    ("okta", okta("user.session.start", "DENY"), "no-outcome"),
    ("okta", okta("policy.evaluate_sign_on", "ALLOW"), "parts-of-a-sign-in"),
    ("okta", okta("user.lifecycle.create", "SUCCESS"), "other-types"),
    ("auth0", {"log_id": "1", "data": {"log_id": "1", "type": "s", "date": AT, "user_id": "u", "connection": "idme"}}, (*GOOD, {"csp": "idme"})),
    ("auth0", {"data": {"type": "fu", "date": AT, "user_name": "ada@example.org"}}, (*BAD, {"error_class": "AccessDenied", "error_code": "fu"})),
    ("auth0", {"data": {"type": "fsa", "date": AT}}, "silent-check"),
    ("auth0", {"data": {"type": "limit_wc", "date": AT}}, "attack-protection"),
    ("auth0", {"data": {"type": "new_kind", "date": AT}}, "unlisted"),
    ("entra", {"records": [entra(0)]}, (*GOOD, {"client_id": "a1", "error_code": None})),
    ("entra", {"records": [entra(50126)]}, (*BAD, {"error_code": "50126", "error_class": "AccessDenied"})),
    ("entra", {"records": [entra("90033")]}, (*BAD, {"error_code": "90033", "error_class": None})),
    ("entra", {"records": [entra(50140)]}, "interrupts"),
    ("entra", {"records": [entra("50074")]}, "interrupts"),
    ("cognito", {"Records": [cognito("InitiateAuth")]}, (*GOOD, {"client_id": "app"})),
    ("cognito", cognito("InitiateAuth", errorCode="NotAuthorizedException"), (*BAD, {"error_class": "AccessDenied"})),
    ("cognito", cognito("InitiateAuth", responseElements={"challengeName": "SMS_MFA"}), "challenges"),
    ("cognito", cognito("InitiateAuth", requestParameters={"authFlow": "REFRESH_TOKEN_AUTH"}), ("refresh", "success", {})),
    ("cognito", cognito("CreateUserPool"), "other-calls"),
    ("cognito", {**cognito("InitiateAuth"), "eventSource": "s3.amazonaws.com"}, "other-services"),
    ("cloudevents", {"specversion": "1.0", "type": "x", "id": "1", "source": "s", "data": EVENT}, (*BAD, {"csp": "clear"})),
    ("cloudevents", EVENT, (*BAD, {"csp": "clear"})),
    ("cloudevents", [{"specversion": "1.0", "type": "x", "id": "1", "source": "s", "data_base64": _PACKED}], (*BAD, {})),
    ("cloudevents", {"schema": {}, "payload": EVENT}, (*BAD, {})),
    ("cloudevents", {"schema": {}, "payload": {"op": "c", "before": None, "after": EVENT}}, (*BAD, {})),
    ("cloudevents", {"specversion": "1.0", "type": "x", "id": "1", "source": "s", "data": json.dumps(EVENT)}, (*BAD, {})),
    ("otlp", otlp("1763910245123000000", step={"stringValue": "callback"}, outcome={"stringValue": "success"}, auth_method={"stringValue": "sis"}, duration_ms={"intValue": "412"}), (*GOOD, {"duration_ms": 412.0})),
    ("otlp", otlp("0", step={"stringValue": "callback"}, outcome={"stringValue": "success"}, auth_method={"stringValue": "sis"}), (*GOOD, {"occurred_at": "2025-11-23T15:04:05Z"})),
    ("otlp", otlp("1763910245123000000"), "no-sign-in"),
    ("ecs", {"@timestamp": AT, "event": {"id": "1", "outcome": "failure", "category": ["authentication"]}, "error": {"code": "9"}}, (*BAD, {"error_code": "9"})),
    ("ecs", {"@timestamp": AT, "event.id": "2", "event.outcome": "success"}, (*GOOD, {})),
    ("ecs", {"@timestamp": AT, "event": {"outcome": "unknown"}}, "no-outcome"),
    ("ecs", {"@timestamp": AT, "event": {"outcome": "success", "category": ["file"]}}, "no-sign-in"),
]  # fmt: skip

"""The shipped policy states what the public documents state, in the names of this project."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from pydantic import ValidationError

from detectors.incidents import Common
from detectors.instants import DAY, HOUR, MINUTE, SECOND, parse_instant
from detectors.values import class_name
from streams.settings.policy_file import default_policy, read_policy

POLICY = default_policy()


def test_encodes_the_service_level_agreement() -> None:
    ssoe, sis = POLICY.objectives["ssoe"], POLICY.objectives["sis"]
    assert (ssoe.availability, ssoe.latency_threshold_ms) == (0.999, 2430)
    assert (sis.availability, sis.latency_threshold_ms) == (0.999, 1200)
    assert (POLICY.severity.severity_1_over, POLICY.severity.severity_2_over) == (1000, 50)
    assert POLICY.lifecycle.response == {1: HOUR, 2: 4 * HOUR, 3: "1 business day"}
    assert POLICY.lifecycle.alert_target == 30 * MINUTE
    assert (POLICY.business_hours.opens, POLICY.business_hours.closes) == (9 * HOUR, 20 * HOUR)
    assert (POLICY.time_zone, POLICY.holidays) == ("America/New_York", "US")


def test_holds_durations_as_milliseconds() -> None:
    assert POLICY.step == SECOND
    assert POLICY.watermark_delay == 2 * SECOND
    assert POLICY.retention == 2 * HOUR
    assert POLICY.dedup_ids == 1_000_000
    assert POLICY.exact_people == 1_000_000
    assert POLICY.dedup_horizon == 10 * MINUTE
    assert (POLICY.idle_after, POLICY.skew_after, POLICY.blind_after) == (SECOND, MINUTE, MINUTE)
    assert (POLICY.future_limit, POLICY.past_limit) == (5 * MINUTE, 35 * DAY)
    assert (POLICY.sli_every, POLICY.sli_windows) == (10 * SECOND, (5 * MINUTE, 15 * MINUTE, HOUR))


@pytest.mark.parametrize(
    "code", ["001", "002", "005", "009", "101", "102", "103", "104", "106", "107", "108", "110", "111", "113"]
)
def test_excludes_failures_that_are_the_users_act_or_the_persons_data(code: str) -> None:
    assert not POLICY.is_bad(code)
    assert POLICY.codes.names[code]


@pytest.mark.parametrize("code", ["003", "004", "007", "112", "201", "400", "", "999"])
def test_counts_other_failures_with_a_code_or_without_as_bad(code: str) -> None:
    assert POLICY.is_bad(code)


def failure(step: str, error_class: str, code: str = "400", **missing: bool) -> str | None:
    return POLICY.event_classes.of(step, "failure", code, class_name(error_class), **missing)


@pytest.mark.parametrize("step", ["refresh", "revoke", "revoke_all_sessions", "logout"])
@pytest.mark.parametrize(
    "error_class",
    [
        "SessionNotAuthorizedError",
        "SignIn::Errors::AccessTokenExpiredError",
        "accesstokenunauthenticated",
        "SessionNotFoundError",
        "LogoutAuthorizationError",
        "RefreshTokenMalformedError",
        "RefreshTokenDecryptionError",
    ],
)
def test_excludes_sessions_that_have_ended_on_the_steps_of_sessions(step: str, error_class: str) -> None:
    assert failure(step, error_class) == "excluded"
    assert failure("callback", error_class) == "bad"


@pytest.mark.parametrize(
    "error_class",
    ["MalformedParamsError", "MissingParamsError", "InvalidTypeError", "StatePayloadMalformedJWTError"],
)
def test_excludes_scanners_where_provider_and_client_are_missing_too(error_class: str) -> None:
    assert failure("callback", error_class, missing_csp=True, missing_client=True) == "excluded"
    assert failure("callback", error_class, missing_csp=True) == "bad"
    assert failure("callback", error_class, missing_client=True) == "bad"


@pytest.mark.parametrize(
    ("error_class", "code", "counts"),
    [
        ("AccessDeniedError", "009", "excluded"),
        ("CredentialMissingAttributeError", "400", "excluded"),
        ("UnverifiedCredentialBlockedError", "108", "excluded"),
        ("TokenTheftDetectedError", "400", "excluded"),
        ("StatePayloadSignatureMismatchError", "400", "excluded"),
        ("ClientAssertionSignatureMismatchError", "400", "bad"),
        ("AssertionExpiredError", "400", "bad"),
        ("ServiceAccountConfigNotFound", "400", "bad"),
        ("InvalidServiceAccountScope", "400", "bad"),
        ("CredentialProviderError", "007", "bad"),
        ("MPIUserCreationFailedError", "400", "bad"),
        ("ActiveRecord::ConnectionNotEstablished", "400", "bad"),
        ("Faraday::TimeoutError", "", "bad"),
        ("", "400", "bad"),
    ],
)
def test_sorts_error_classes_that_share_the_code_400(error_class: str, code: str, counts: str) -> None:
    assert failure("callback", error_class, code) == counts


def test_a_code_of_a_provider_is_the_persons_on_token_and_the_providers_on_callback() -> None:
    assert failure("token", "CodeInvalidError") == "excluded"
    assert failure("callback", "CodeInvalidError") == "bad"


def test_a_redirect_is_neither_good_nor_bad_whatever_its_code() -> None:
    assert POLICY.event_classes.of("authorize_sso", "redirect", "400") is None
    assert POLICY.event_classes.of("authorize_sso", "failure", "400") == "bad"
    assert POLICY.event_classes.sli("authorize_sso") == "sign_in"


def test_what_is_not_listed_stands_in_no_sli() -> None:
    assert POLICY.event_classes.sli("webauthn_options") is None
    assert POLICY.event_classes.of("webauthn_options", "offered") is None
    assert [POLICY.event_classes.sli(step) for step in ("passkey", "revoke_all_sessions", "sts")] == [
        "sign_in",
        "session",
        "machine",
    ]


def test_providers_that_va_has_ended_are_retired_since_then() -> None:
    assert not POLICY.is_retired("csp", "mhv", parse_instant("2025-03-03T23:59:59-05:00"))
    assert POLICY.is_retired("csp", "mhv", parse_instant("2025-03-04T00:00:00-05:00"))
    assert not POLICY.is_retired("csp", "dslogon", parse_instant("2025-09-29T23:59:59-04:00"))
    assert POLICY.is_retired("csp", "dslogon", parse_instant("2025-09-30T00:00:00-04:00"))
    far = parse_instant("2099-01-01T00:00:00Z")
    assert not any(POLICY.is_retired("csp", csp, far) for csp in ("idme", "logingov", "clear", "unheard-of"))
    assert read_policy("values: {csp: {mhv: {retired: never}}}", "p").is_retired("csp", "mhv", far) is False


def test_environments_have_the_spellings_of_datadog() -> None:
    spelt = ("production", "eks-prod", "eks-staging", "prod", "elsewhere")
    assert [POLICY.canonical_value("env", env) for env in spelt] == [
        "prod",
        "prod",
        "staging",
        "prod",
        "elsewhere",
    ]


def test_a_value_without_a_name_is_called_by_itself() -> None:
    assert POLICY.name_of("csp", "idme") == "ID.me"
    assert POLICY.name_of("csp", "newcomer") == "newcomer"
    assert POLICY.name_of("nowhere", "idme") == "idme"


def test_each_of_the_ten_public_procedures_is_behind_a_runbook() -> None:
    services = {"ssoe", "sis", "logingov", "idme", "mhv", "dslogon", "mvi", "usip", "tou", "secure_sign_in"}
    addresses = {service: POLICY.runbook_address(POLICY.runbooks[service]) for service in services}
    assert len(set(addresses.values())) == 10
    assert all((address or "").endswith(".md") for address in addresses.values())


def test_excludes_the_oauth_errors_that_a_client_causes() -> None:
    assert {"202", "203"} < POLICY.codes.excluded


@pytest.mark.parametrize(
    ("env", "people", "priority"),
    [
        ("prod", 1001, "P1"),
        ("prod", 1000, "P2"),
        ("prod", 101, "P2"),
        ("prod", 100, "P3"),
        ("prod", 0, "P3"),
        ("staging", 5000, "P2"),
        ("staging", 200, "P3"),
        ("staging", 1, "P4"),
        ("dev", 5000, "P3"),
        ("localhost", 200, "P4"),
        ("dev", 1, "P4"),
    ],
)
def test_gives_the_priority_of_the_declaration_guidelines(env: str, people: int, priority: str) -> None:
    assert POLICY.priority.of(env, people) == priority


def test_windows_are_all_that_panes_must_answer_for_and_no_longer_than_an_hour() -> None:
    windows = POLICY.windows()
    assert list(windows) == sorted(set(windows))
    assert {5 * MINUTE, 15 * MINUTE, HOUR} <= set(windows)
    assert set(POLICY.evidence_windows) <= set(windows)
    assert set(POLICY.silence.windows) <= set(windows)
    burns = {window for rule in POLICY.burn_rate.rules for window in (rule.long, rule.short)}
    assert {window for window in burns if window <= HOUR} <= set(windows)
    slow = {window for rule in POLICY.latency.rules for window in (rule.long, rule.short)}
    assert {window for window in slow if window <= HOUR} <= set(windows)
    assert max(burns) > max(windows) == HOUR, "the history answers for the longer ones"


def test_windows_always_hold_those_that_slis_are_published_for() -> None:
    policy = read_policy("sli_windows: [10m]", "p.yaml")
    assert {5 * MINUTE, 10 * MINUTE, 15 * MINUTE, HOUR} <= set(policy.windows())


def test_latency_thresholds_are_sorted_and_each_stands_once() -> None:
    assert POLICY.thresholds == (1200.0, 2430.0)
    assert read_policy("objectives: {ssoe: {latency_threshold_ms: 1200}}", "p").thresholds == (1200.0,)


def test_the_runbook_of_a_scope_is_its_own_else_its_providers_else_its_methods() -> None:
    own = read_policy("runbooks: {prod/ssoe/idme: https://wiki/idme-on-ssoe, prod: https://wiki/all}", "p")
    assert own.runbook("prod/ssoe/idme") == "https://wiki/idme-on-ssoe"
    assert own.runbooks_of("prod/*/idme") == ("idme", "sign_in")
    assert own.runbooks_of("staging/sis") == ("sis_web", "sign_in")
    assert own.runbook("prod") == "https://wiki/all"
    assert POLICY.runbooks_of("prod/sis/logingov/vamobile") == (
        "sis_mobile",
        "logingov",
        "sis_web",
        "sign_in",
    )
    assert POLICY.runbooks_of("prod/newcomer") == POLICY.runbooks_of("prod") == ("sign_in",)
    client = read_policy("runbooks: {vaweb: https://wiki/web}", "p")
    assert client.runbook("prod/sis/*/vaweb") == "https://wiki/web"
    assert client.runbook("prod/*/*/arp") is None


def test_a_cause_leads_to_its_runbook_before_the_scope_does_unless_there_are_others() -> None:
    assert POLICY.runbooks_of("prod/ssoe", ["silence"]) == ("silence", "ssoe", "sign_in")
    assert POLICY.runbooks_of("prod/ssoe", ["latency"])[0] == "slowness"
    assert POLICY.runbooks_of("prod/ssoe", ["funnel"])[0] == "lost_returns"
    assert POLICY.runbooks_of("prod/ssoe", ["outage", "silence"])[0] == "ssoe"
    assert POLICY.runbooks_of("prod/ssoe", ["declared"])[0] == "ssoe"
    assert POLICY.runbooks_of("prod/sis/ssoe", ["sis"]) == ("ssoe", "sis_web", "sign_in"), "no cause, a value"


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("error_code", "110", "terms_of_use"),
        ("error_code", "004", "mpi"),
        ("step", "refresh", "session_failures"),
    ],
)
def test_what_the_failing_have_in_common_leads_to_a_runbook_before_all_else(
    field: str, value: str, name: str
) -> None:
    one = Common(field=field, value=value, failing=9, failing_of=10)
    assert POLICY.runbooks_of("prod/sis", ["silence"], [one])[0] == name


@pytest.mark.parametrize("one", [("step", "callback"), ("error_code", "007"), ("client_id", "vaweb")])
def test_what_says_nothing_of_a_runbook_changes_nothing(one: tuple[str, str]) -> None:
    common = Common(field=one[0], value=one[1], failing=9, failing_of=10)
    assert POLICY.runbooks_of("prod/sis", ["outage"], [common]) == ("sis_web", "sign_in")


def test_runbooks_that_ship_are_on_the_console_else_the_public_procedure_stands_for_them() -> None:
    assert (POLICY.runbook("prod/*/idme") or "").endswith("IDme_SRP.md")
    assert POLICY.runbook("prod") is None
    assert (POLICY.runbook("prod/ssoe", ["silence"]) or "").endswith("SSOe_SRP.md")
    served = read_policy("notify: {console_url: https://watch.va.gov/}", "p")
    assert served.runbook("prod/*/idme") == "https://watch.va.gov/runbooks/idme"
    assert served.runbook("prod/ssoe", ["silence"]) == "https://watch.va.gov/runbooks/silence"


def test_an_empty_policy_is_the_default_policy() -> None:
    for text in ("", "{}", "# nothing but a comment\n", "severity:\noutage:\n"):
        policy = read_policy(text, "empty.yaml")
        assert policy == POLICY
        assert policy.hash == POLICY.hash


def test_every_number_has_its_source_beside_it_or_above_its_list() -> None:
    text = resources.files("detectors").joinpath("default_policy.yaml").read_text("utf-8")
    codes = text[text.index("\ncodes:") : text.index("# ---- Severity")]
    above, checked, bare = False, 0, []
    for line in text.replace(codes, "").splitlines():
        value, _, source = line.partition("#")
        row = value.lstrip().startswith("- ")
        if not row:
            above = bool(source.strip())
        if re.search(r": .*\d", value) and "https://" not in value:
            checked += 1
            if not source.strip() and not (row and above):
                bare.append(line)
    assert checked > 50
    assert bare == []


def test_an_instance_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        POLICY.severity.severity_2_over = 1

"""Which fields does a login event (version 1) have? It tells of one step of a sign-in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta
from xxhash import xxh3_64_intdigest

from detectors.windows.people.crowd import flow_id_of, nobody_id_of

__all__ = ["FORBIDDEN", "MAX_CHARACTERS", "LoginEvent", "StrippedEvent", "person_id"]

#: The longest free string, in characters (code points). ``event_id`` has a bound of its own, instants none.
MAX_CHARACTERS: Final = 256
#: Fields that say who a person is. They are dropped from the event, whatever they hold.
FORBIDDEN: Final = ("icn", "ssn", "email", "first_name", "last_name", "birth_date")

#: The step at which everybody who started has a flow and a client.
_COMES_BACK = "callback"
#: What a callback that was opened without its parameters says of provider, client and browser, and its code.
_NOTHING, _OF_EVERYTHING = (None,) * 5, (None, "400")

_Value = Annotated[str, Meta(max_length=MAX_CHARACTERS)]
_Text = _Value | None
_Amount = Annotated[float, Meta(ge=0, extra_json_schema={"maximum": sys.float_info.max})] | None

# RFC 3339, as strict as can be without knowing leap years. ECMA and Python read it alike: ``(?!\n)`` because
# Python's ``$`` also matches before a last line break.
_INSTANT_PATTERN = (
    "^(?!0000)[0-9]{4}-"
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|[12][0-9]))"
    "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?"
    "(?:Z|(?!-00:00)[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$(?!\\n)"
)

# On the wire an instant is a string, and msgspec reads it as one; decode() puts the int in its place before
# anyone sees the event. That saves a second object for each event.
if TYPE_CHECKING:
    _Instant = int
else:
    _Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time", "pattern": _INSTANT_PATTERN})]


class LoginEvent(msgspec.Struct, gc=False, kw_only=True):
    """One step of one person's way through sign-in, as a server saw it.

    ``occurred_at`` is in ms since the epoch. The descriptions are those of the JSON Schema for producers.
    """

    schema_version: Annotated[Literal[1], Meta(description="Version of this schema, as an integer.")]
    event_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=128)],
        Meta(
            description="Unique name of the event. The same id twice on one partition is the same event, so "
            "send an event again under the id it had."
        ),
    ]
    occurred_at: Annotated[
        _Instant,
        Meta(
            description="When it happened: RFC 3339 with upper-case T and Z and an offset from UTC (-00:00, "
            "offset unknown, is refused), no leap seconds. What is finer than a millisecond is cut off."
        ),
    ]
    env: Annotated[
        _Value,
        Meta(
            description="Environment in which it happened. One that the policy does not list is no production.",
            examples=["prod", "staging", "dev", "localhost"],
        ),
    ]
    auth_method: Annotated[
        _Value,
        Meta(
            description="Broker of the sign-in, such as ssoe (SAML) or sis (OAuth, the Sign-in Service).",
            examples=["ssoe", "sis"],
        ),
    ]
    step: Annotated[
        _Value,
        Meta(
            description="Step of the flow. new, authorize, authorize_sso, callback, token and passkey make up "
            "signing in; refresh, revoke, revoke_all_sessions and logout keep or end a session; sts and "
            "introspect are requests of machines. Any other is counted in no indicator until the policy lists it.",
            examples=[
                "new",
                "authorize",
                "authorize_sso",
                "callback",
                "token",
                "refresh",
                "revoke",
                "logout",
            ],
        ),
    ]
    outcome: Annotated[
        _Value,
        Meta(
            description="started when the person is sent on their way; success or failure when it is over; "
            "redirect, which is neither, when a page of ours sends them elsewhere.",
            examples=["started", "success", "failure", "redirect"],
        ),
    ]
    csp: Annotated[
        _Text,
        Meta(
            description="Credential service provider; null where the step involves none.",
            examples=["idme", "logingov", "mhv", "dslogon", "clear"],
        ),
    ] = None
    login_type: Annotated[
        _Text, Meta(description="Kind of credential as the broker names it, such as idme_verified.")
    ] = None
    client_id: Annotated[
        _Text, Meta(description="Application that the person signs in to, such as vaweb.")
    ] = None
    operation: Annotated[_Text, Meta(description="What was asked of the broker, such as authorize.")] = None
    direction: Annotated[
        _Text, Meta(description="outbound, or inbound for a sign-in that began on another site.")
    ] = None
    flow_id: Annotated[
        _Text,
        Meta(
            description="Names one attempt to sign in, from new or authorize to its callback. Stands for the "
            "person where user_hash is not known."
        ),
    ] = None
    request_id: Annotated[
        _Text, Meta(description="The server's id of this request, for finding it in logs.")
    ] = None
    user_hash: Annotated[
        _Text,
        Meta(
            description="Keyed hash of the person, the same for all their events; null before they are known."
        ),
    ] = None
    visitor_hash: Annotated[
        _Text,
        Meta(
            description="Keyed hash of the browser or device: tells one person's many tries from many people."
        ),
    ] = None
    acr: Annotated[_Text, Meta(description="Assurance level asked for, such as loa3.")] = None
    error_code: Annotated[
        _Text,
        Meta(
            description="Code of a failure, as a string: '007', not 7. A failure without one counts as ours."
        ),
    ] = None
    error_class: Annotated[_Text, Meta(description="Class of the exception behind a failure.")] = None
    duration_ms: Annotated[_Amount, Meta(description="Server time of this request, in milliseconds.")] = None
    authentication_time_s: Annotated[
        _Amount, Meta(description="Time the person took at the provider, in seconds.")
    ] = None

    # Always None: any value sends the event to decode_exactly, which drops it and says so in ``forbidden``.
    icn: None = None
    ssn: None = None
    email: None = None
    first_name: None = None
    last_name: None = None
    birth_date: None = None

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Names of the forbidden personal fields that came with a value, in the order of ``FORBIDDEN``."""
        return ()


class StrippedEvent(LoginEvent, gc=False, kw_only=True):
    """An event that came with forbidden fields. A type of its own: a field could be set from the wire."""

    stripped: tuple[str, ...]

    @property
    def forbidden(self) -> tuple[str, ...]:
        return self.stripped


def person_id(event: LoginEvent) -> int:
    """The person of an event, as 64 unsigned bits: of ``user_hash``, else ``flow_id``, else ``event_id``.

    The kind is hashed too: a flow is no person who happens to be spelt alike. The low bits of an id say that it is that
    of a flow, or that the event tells of nobody: who opens the address of the callback, without having gone to a
    provider, makes one that names neither a provider nor a client nor a browser, and fails by the code of everything.
    """
    if event.user_hash is not None:
        return xxh3_64_intdigest(f"user:{event.user_hash}".encode())
    if event.flow_id is not None:
        return flow_id_of(xxh3_64_intdigest(f"flow:{event.flow_id}".encode()))
    digest = xxh3_64_intdigest(f"event:{event.event_id}".encode())
    names = event.client_id, event.csp, event.login_type, event.acr, event.visitor_hash
    is_nobody = names == _NOTHING and event.error_code in _OF_EVERYTHING and event.step.lower() == _COMES_BACK
    return nobody_id_of(digest) if is_nobody else digest

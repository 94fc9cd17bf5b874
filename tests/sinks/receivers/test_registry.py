"""Every receiver is a package and a field of the registry, and brings all that the rest of the program asks of one."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from detectors.policy.routes import RECEIVER_KINDS, STANDING
from sinks import receivers
from sinks.receivers.contract import Means
from sinks.receivers.registry import Receivers, kind_of
from sinks.wording import UNNAMED
from streams.settings.settings import Settings, read_settings, variables

#: Values of settings that are no plain text.
VALID = {
    "url": "https://receiver.example/hook",
    "urls": "https://am-1.example:9093",
    "sender": "watch@va.example",
    "to": "ada@va.example",
    "components": "prod/ssoe=ab12cd",
}
NAMES = tuple(Receivers.model_fields)


def test_every_package_of_a_receiver_is_registered_under_its_own_name() -> None:
    folder = Path(str(receivers.__file__)).parent
    packages = {path.parent.name for path in folder.glob("*/config.py")}
    assert packages == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_receiver_names_only_settings_that_it_has_and_is_off_without_them(name: str) -> None:
    kind = kind_of(name)
    assert kind is not None
    assert kind.title
    assert kind.needed
    assert {*kind.needed, *(kind.lacking or ("", ()))[1]} <= set(kind.model_fields)
    assert not kind().on
    assert name not in Settings().sinks()
    assert any(sentence.startswith(f"{kind.title} is off: ") for sentence in Settings().sinks_off())
    assert {v.path[1] for v in variables() if v.path[0] == name} == set(kind.model_fields)


@pytest.mark.parametrize("name", NAMES)
async def test_a_receiver_with_what_it_needs_is_on_and_makes_its_client(name: str) -> None:
    kind = kind_of(name)
    assert kind is not None
    environ = {f"WATCHOFFICER_{name}__{field}".upper(): VALID.get(field, "k" * 32) for field in kind.needed}
    settings = read_settings(environ)
    assert settings.sinks() == {name}
    async with httpx.AsyncClient(verify=False) as http:
        (receiver,) = (one for key, one in settings.receivers() if key == name)
        client = receiver.client(Means(http=http, clock=lambda: 0, names=UNNAMED))
    assert callable(client.send)


def test_what_is_no_receiver_has_no_kind() -> None:
    assert kind_of("fax") is None


def test_the_receivers_that_a_policy_may_name_are_those_of_the_registry() -> None:
    assert {*RECEIVER_KINDS, *STANDING} == set(NAMES)


def test_a_receiver_with_a_name_of_its_own_is_of_the_kind_before_the_colon() -> None:
    assert kind_of("email:leadership") is kind_of("email") is not None

"""Every package that is pinned comes under a licence that is allowed by name."""

from __future__ import annotations

from email.message import Message

import pytest

from tests.supply.licences import installed_licences, is_allowed, licence_of
from tests.supply.lock import ROOT, read_lock


def test_the_licence_of_every_pinned_package_is_allowed_by_name() -> None:
    installed = installed_licences()
    pins = read_lock(ROOT / "requirements-dev.lock")
    assert [pin.name for pin in pins if pin.name not in installed and not pin.marker] == []
    found = {pin.name: installed[pin.name] for pin in pins if pin.name in installed}
    assert {name: licence for name, licence in found.items() if not is_allowed(licence)} == {}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR Apache-2.0", True),
        ("MIT AND Zlib OR AGPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("(MIT OR GPL-3.0-only) AND Zlib", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_if_one_alternative_is_as_a_whole(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "GPL-2.0-only"), ("License", "MIT")], "GPL-2.0-only"),
        ([("License", "Apache 2.0")], "Apache-2.0"),
        (
            [("License", "A text\nof many lines"), ("Classifier", "License :: OSI Approved :: MIT License")],
            "MIT",
        ),
        ([("License", "GPLv3"), ("Classifier", "License :: OSI Approved :: BSD License")], ""),
        ([("Classifier", "Topic :: MIT")], ""),
        ([], ""),
    ],
)
def test_the_licence_is_what_the_metadata_name(fields: list[tuple[str, str]], licence: str) -> None:
    metadata = Message()
    for name, value in fields:
        metadata[name] = value
    assert licence_of("one", metadata) == licence

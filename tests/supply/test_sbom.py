"""The bill of materials: valid, whole, and the same for the same lock file."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.supply.lock import ROOT, read_lock
from tests.supply.sbom import bill_of_materials, problem_of

AT = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_bill_of_what_users_install_is_valid_and_has_every_package_with_hashes_and_edges() -> None:
    pins = read_lock(ROOT / "requirements.lock")
    bill = bill_of_materials(pins, {"aiokafka": "Apache-2.0", "numpy": "BSD-3-Clause AND Zlib"}, AT)
    assert problem_of(bill) == ""
    said = json.loads(bill)
    parts = {one["name"]: one for one in said["components"]}
    assert {name: one["version"] for name, one in parts.items()} == {pin.name: pin.version for pin in pins}
    for pin in pins:
        (files,) = parts[pin.name]["externalReferences"]
        assert {one["content"] for one in files["hashes"]} == set(pin.digests)
    assert parts["aiokafka"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert parts["numpy"]["licenses"] == [{"expression": "BSD-3-Clause AND Zlib"}]
    edges = {one["ref"]: one.get("dependsOn", []) for one in said["dependencies"]}
    assert parts["numpy"]["bom-ref"] in edges[said["metadata"]["component"]["bom-ref"]]
    assert parts["mdurl"]["bom-ref"] in edges[parts["markdown-it-py"]["bom-ref"]]
    assert bill == bill_of_materials(pins, {"aiokafka": "Apache-2.0", "numpy": "BSD-3-Clause AND Zlib"}, AT)


def test_what_is_not_as_the_schema_says_is_found() -> None:
    assert problem_of('{"bomFormat": "CycloneDX"}')

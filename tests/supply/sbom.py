"""Which parts does the product consist of? A bill of materials (CycloneDX), made of the lock file without a network.

`python -m tests.supply.sbom` (`make sbom`) writes it, checked against the schema of CycloneDX.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from tests.supply.licences import installed_licences
from tests.supply.lock import ROOT, Pin, read_lock

__all__ = ["bill_of_materials", "problem_of"]


def bill_of_materials(pins: Sequence[Pin], licences: Mapping[str, str], at: datetime) -> str:
    """The bill as JSON of CycloneDX 1.6: the same pins, licences and time give the same text.

    Args:
        pins: the packages of a lock file.
        licences: SPDX expressions by the names of packages; a package without one gets none.
        at: when the bill is made.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    root = _component(project["name"], project["version"], project["license"], ComponentType.APPLICATION)
    parts = {}
    for pin in pins:
        part = _component(pin.name, pin.version, licences.get(pin.name, ""), ComponentType.LIBRARY)
        digests = [HashType(alg=HashAlgorithm.SHA_256, content=one) for one in pin.digests]
        files = ExternalReferenceType.DISTRIBUTION
        part.external_references.add(
            ExternalReference(
                type=files, url=XsUri(str(part.purl)), hashes=digests, comment="each file of it"
            )
        )
        parts[pin.name] = part
    all_of = " ".join(f"{pin.name}=={pin.version}" for pin in pins)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{root.purl} {all_of}"),
        metadata=BomMetaData(component=root, timestamp=at),
        components=parts.values(),
    )
    for name, whole in {root.name: root, **parts}.items():
        bom.register_dependency(whole, [parts[pin.name] for pin in pins if name in pin.needed_by])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def problem_of(bill: str) -> str:
    """What the strict schema of CycloneDX 1.6 finds wrong with a bill; empty if nothing."""
    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill)
    return "" if found is None else str(found)


def _component(name: str, version: str, licence: str, kind: ComponentType) -> Component:
    purl = PackageURL("pypi", name=name, version=version)
    made = LicenseFactory()
    licences = [made.make_from_string(licence)] if licence else []
    return Component(
        name=name, version=version, type=kind, purl=purl, bom_ref=purl.to_string(), licenses=licences
    )


def main() -> int:
    """Write the bill; 1 if it is not as the schema of CycloneDX says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements.lock", help="what users install")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "sbom.cdx.json")
    arguments = parser.parse_args()
    at = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), UTC)
    pins = read_lock(arguments.lock)
    bill = bill_of_materials(pins, installed_licences(), at)
    if problem := problem_of(bill):
        print(f"the bill is not as CycloneDX says, and was not written: {problem}", file=sys.stderr)
        return 1
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(bill)
    print(f"{len(pins)} packages of {arguments.lock.name}: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Are the documents of `watchofficer slo export` valid by OpenSLO's own schemas?

``python -m tests.streams.reports.openslo_schemas FOLDER``: FOLDER is ``schemas/v1`` of the repository OpenSLO/OpenSLO
(Apache-2.0), which is not part of this one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from streams.reports.openslo import openslo
from streams.settings.policy_file import default_policy

__all__ = ["faults"]


def faults(documents: Iterable[Mapping[str, Any]], folder: Path) -> Iterator[str]:
    """Yield each fault of the documents, by the whole schema and by that of the document's kind."""
    schemas = [json.loads(file.read_text()) for file in sorted(folder.rglob("*.schema.json"))]
    by_id = {schema["$id"]: schema for schema in schemas}
    for document in documents:
        for end in ("/openslo.schema.json", f"/{str(document['kind']).lower()}-spec.schema.json"):
            (name,) = (name for name in by_id if name.endswith(end))
            whole = {"definitions": by_id, "allOf": [{"$ref": name}]}
            for error in Draft7Validator(whole).iter_errors(document):
                yield f"{document['kind']} {document['metadata']['name']}: {error.message}"


if __name__ == "__main__":
    found = list(faults(openslo(default_policy()), Path(sys.argv[1])))
    print("\n".join(found) or "valid")
    sys.exit(bool(found))

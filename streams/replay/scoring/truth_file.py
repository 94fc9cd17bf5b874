"""How are files of labelled episodes (``--truth``) read? One JSON object in a line."""

from __future__ import annotations

from pydantic import Field, ValidationError, model_validator

from detectors.backtest.labels import Label
from streams.records.fields import Count, Instant, Scope, Severity
from streams.records.models import complaints
from streams.records.parts import Document
from streams.replay.entries import SourceError
from streams.replay.files import open_lines

__all__ = ["LabelRecord", "read_truth"]


class LabelRecord(Document):
    """One labelled episode. ``page``: true must wake somebody, false must be noticed and wake nobody; left out,
    either will do.
    """

    kind: str = Field(min_length=1)
    scope: Scope
    start: Instant
    end: Instant
    severity: Severity | None = None
    users: Count | None = None
    page: bool | None = None

    @model_validator(mode="after")
    def _lasts(self) -> LabelRecord:
        if self.end <= self.start:
            raise ValueError("the end must be after the start")
        return self


def read_truth(name: str) -> list[Label]:
    """The labels in a file, in its order (``-`` for standard input; ``.gz`` and ``.zst`` are unpacked).

    Raises:
        SourceError: it cannot be read, or a line is no label; the message says which and why.
    """
    labels = []
    with open_lines(name) as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = LabelRecord.model_validate_json(line, strict=True)
            except ValidationError as error:
                raise SourceError(f"{name}:{number}: not a labelled episode: {complaints(error)}") from None
            labels.append(Label(**record.model_dump()))
    return labels

"""The records of `sli-segments` and `ingest-state`: their binary form, and which of them count."""

"""The records of the public topics: how they are written, read, and described by schemas."""

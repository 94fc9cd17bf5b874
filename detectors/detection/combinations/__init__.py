"""Which few combinations of attribute values explain the failures."""

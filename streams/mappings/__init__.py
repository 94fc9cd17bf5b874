"""Mappings: how a producer's own records become login events.

A mapping file says in which form records are, which of them are no events, and where each field comes from. Mapping is
a pure function of a record, its position and the hash key.
"""

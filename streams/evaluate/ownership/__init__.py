"""Which worker judges a partition of segments, and how what a former one writes is ignored."""

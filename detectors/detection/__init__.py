"""The detectors, and the attribution of what they find to the smallest set of causes."""

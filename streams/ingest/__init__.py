"""From records of the input to segments: the loop that reads, folds and writes."""

"""From segments to verdicts: the loop that moves the engines of a worker's shards on."""

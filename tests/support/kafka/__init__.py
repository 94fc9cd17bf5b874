"""Which Apache Kafka do tests stand on? One node: how it is set up and run, and what tests do to it."""

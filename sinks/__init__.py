"""Where verdicts go: receivers, banners, metrics and the console. No Kafka, and no clock that is not handed in."""

"""`watchofficer tail`: lines of a producer that writes no Kafka, onto a topic, at least once."""

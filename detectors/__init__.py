"""The judgement of one watch: from facts to incidents and to who is told. Pure: no Kafka, HTTP, clock, file or log."""

"""What makes the watch blind, and how people hear of it without Kafka and the event loop."""

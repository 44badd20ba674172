"""Kafka: a local broker, topics, records and their frame, dead letters, offsets."""

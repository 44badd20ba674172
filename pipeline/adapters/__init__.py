"""What touches the world: Kafka, SQL, files, mail, keys."""

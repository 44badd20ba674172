"""The register: what we know of every case, in SQL. One transaction per batch of events."""

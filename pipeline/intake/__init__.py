"""The way in: who may send which requests and decisions, and what this machine's own do."""

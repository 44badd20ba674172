"""A register that was restored from a backup: noticed, and brought up to the ledger's topic."""

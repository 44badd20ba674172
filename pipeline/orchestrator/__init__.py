"""The process that decides: a batch of records, one transaction, what follows from it."""

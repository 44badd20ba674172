"""Decides rights, moves cases, proves outcomes. Read `flow` first."""

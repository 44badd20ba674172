"""Why a record from outside may not come in."""

from __future__ import annotations


class RefusedError(Exception):
    """A record that may not come in. The message is a plain code."""


class UnauthenticatedError(RefusedError):
    """Nobody who may say it has signed it."""

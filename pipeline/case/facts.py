"""How what is told of one fact by several pages, rounds or systems comes to one thing."""

from __future__ import annotations

SINCE = "_since"
"""What the names of facts end with that say when something began."""


def joined(name: str, one: str, other: str) -> str:
    """A yes rather than a no; of two dates the later, or the earlier of when something began."""
    if "true" in {one, other}:
        return "true"
    return min(one, other) if name.endswith(SINCE) else max(one, other)

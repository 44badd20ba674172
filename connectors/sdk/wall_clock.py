"""What time it is, for all that compares it with a date. It can be set ahead, to rehearse years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_ahead = timedelta(0)


def now() -> datetime:
    """The time, in UTC, ahead of this machine's by what was set."""
    return datetime.now(UTC) + _ahead


def ahead() -> timedelta:
    """How far it is set ahead."""
    return _ahead


def set_ahead(by: timedelta) -> None:
    """Let this process live so much later. It is for rehearsals and tests, on sandboxes."""
    global _ahead  # noqa: PLW0603  a process has one time
    _ahead = by

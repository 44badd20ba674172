"""The pages that people outside reach. Opening one does nothing; what a button does is an event."""

from __future__ import annotations

from pipeline.settings import Settings


async def serve(settings: Settings, bootstrap: str) -> None:
    """As `server.serve`. What it needs is loaded here: no other process waits for that."""
    from .server import serve as begin  # noqa: PLC0415  a sixth of what a start costs

    await begin(settings, bootstrap)

"""Make the cache with which a local broker starts for less than half the work.

`python -m pipeline.kafka.warm_up`: it takes some seconds and 70 MB, once, and is worth it to
whoever starts many brokers.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from . import aot_cache, kafka_jars, local_kafka
from .local_kafka import Demands

WITHIN = 120.0
"""Seconds for a broker to end and Java to write what it had loaded."""


async def warm_up() -> Path:
    """Run a broker once, keep what it loaded, and say where. Raises as `local_kafka.start`."""
    found = aot_cache.path(await kafka_jars.fetch_jars())
    if not found.exists():
        with tempfile.TemporaryDirectory(dir=found.parent, ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / found.name
            kafka = await local_kafka.start(Path(scratch), demands=Demands(record=draft))
            await kafka.stop(WITHIN)
            if draft.exists():
                draft.chmod(0o600)
                draft.rename(found)  # whole, or not there
    return found


if __name__ == "__main__":
    asyncio.run(warm_up())

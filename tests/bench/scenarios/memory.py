"""How much memory a host and the response's host need for a person of whom very much is held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.alone import FLAT, MB, Alone, alone

from ..results import Result, Row
from ..rig import PATIENCE, BenchError, Told

FILE = 4
"""MB of a file. All have one content, so that the vendor, which is in this process, stays small."""
LOOK_EVERY = 0.2
POINTS = 150
"""Of the plot, at most."""
SAMPLES = ("seconds", "host", "response")


async def memory(folder: Path, megabytes: int, told: Told) -> Result:
    """An access to so many MB of files in S3; what the two processes needed above idle."""
    async with alone(folder, "aws", [_file("first", 0, "A note.")]) as it:
        body = ("x" * 63 + "\n") * (FILE * MB // 64)
        files = max(megabytes // FILE, 1)
        it.rig.sandboxes["aws"].seed(_file("much", n, body) for n in range(files))
        it.forget()
        samples: dict[str, list[float]] = {name: [] for name in SAMPLES}
        watching = asyncio.create_task(_watch(it, samples, told))
        try:
            case = await it.rig.submit("access", email="much@example.org")
            settled = await it.rig.settled(case, PATIENCE + megabytes)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
        exported = sum(part.size for part in settled.exports) / MB
        if exported < files * FILE:
            raise BenchError(f"only {exported:.0f} of {files * FILE} MB were exported")
        return Result(
            rows=[
                _row("host, above idle", it.grown(it.host)),
                _row("response host, above idle", it.grown(it.response)),
                Row(name="of one person", figure=files * FILE, unit="MB"),
            ],
            series=_thinned(samples),
        )


async def _watch(it: Alone, samples: dict[str, list[float]], told: Told) -> None:
    """Note what is needed, until cancelled."""
    began = time.monotonic()
    while True:
        now = (time.monotonic() - began, it.above(it.host) / MB, it.above(it.response) / MB)
        for name, value in zip(SAMPLES, now, strict=True):
            samples[name].append(round(value, 1))
        told(f"memory: {max(now[1:]):.0f} MB above idle", 0, 0)
        await asyncio.sleep(LOOK_EVERY)


def _thinned(samples: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """At most so many points: of each run of samples the last second and the most memory."""
    run = len(samples["seconds"]) // POINTS + 1
    return {
        name: [max(values[n : n + run]) for n in range(0, len(values), run)]
        for name, values in samples.items()
    }


def _row(name: str, bytes_: int) -> Row:
    return Row(name=name, figure=round(bytes_ / MB, 1), unit="MB", aim=FLAT / MB)


def _file(who: str, n: int, body: str) -> Mapping[str, Any]:
    key = f"uploads/{who}@example.org/{n}.txt"
    return {"kind": "object", "Bucket": "files", "Key": key, "Body": body}

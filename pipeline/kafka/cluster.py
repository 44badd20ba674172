"""Which cluster a data folder belongs to: what was asked and decided there lies nowhere else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from . import connection


class OtherClusterError(Exception):
    """The address is of another cluster than this folder's. The message says what to do."""


@connection.of_any_broker
async def cluster_id(bootstrap: str) -> str:
    """What a cluster is called by itself, for as long as it lives. Raises `KafkaError`."""
    admin = AIOKafkaAdminClient(**connection.client(bootstrap))
    try:
        await admin.start()
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


async def refuse_other(bootstrap: str, known: Path) -> None:
    """Raise `OtherClusterError` unless this is the cluster that the file `known` names, if it does.

    Nothing is changed.
    """
    ours = _read(known)
    if ours and (theirs := await cluster_id(bootstrap)) != ours:
        raise OtherClusterError(
            f"the broker at {bootstrap} is of cluster {theirs}, and {known.parent} belongs to"
            f" cluster {ours}: nothing was changed. Correct HABEAS_BROKER or HABEAS_DATA; if the"
            f" pipeline is to move, mirror its topics, remove {known}, and start this again"
        )


async def remember(bootstrap: str, known: Path) -> None:
    """Write down which cluster a folder belongs to, unless it is known, or may not be written to.

    Raises `OtherClusterError` if it is another.
    """
    if not _read(known):
        with suppress(OSError):
            _write(known, await cluster_id(bootstrap))
    await refuse_other(bootstrap, known)


def _read(known: Path) -> str:
    return known.read_text(encoding="ascii").strip() if known.exists() else ""


def _write(known: Path, named: str) -> None:
    made = known.with_name(f".{known.name}.{os.getpid()}")
    made.write_text(named, encoding="ascii")
    made.replace(known)

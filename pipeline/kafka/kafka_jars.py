"""Fetch the jars of Apache Kafka from Maven Central, and none but those that `kafka.lock` lists.

`python -m pipeline.kafka.kafka_jars` writes `kafka.lock` anew: one line a jar, its coordinate
(`group:artifact:version[:classifier]`) and its SHA-256.
"""

import asyncio
import hashlib
import importlib
import itertools
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KAFKA = "org.apache.kafka:kafka_2.13:4.3.1"
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"  # without one Kafka logs nothing
LOCK = Path(__file__).with_name("kafka.lock")
ADVICE = "Run `pip install 'habeas[local]'`, or set HABEAS_BROKER to a Kafka that runs already."
MAVEN_WAIT = 30  # seconds without an answer

Progress = Callable[[int, int], None]
"""Called with the number of jars done and of all jars."""


class LocalKafkaError(Exception):
    """No local broker can run here; the message says why, and what to install or set instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Jar:
    coordinate: str
    sha256: str


def no_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


async def fetch_jars(progress: Progress = no_progress, *, lock: Path = LOCK) -> list[Path]:
    """Fetch the jars that `lock` lists, or take them from the user's cache; check every digest.

    Raises `LocalKafkaError`, naming the jar that could not be had or has another digest.
    """
    maven, jars, cache = optional_module("jgo.maven"), _read(lock), cache_folder()
    threads = ThreadPoolExecutor(8, thread_name_prefix="kafka-jars")
    done = itertools.count(1)

    async def fetch(jar: _Jar) -> Path:
        path = await asyncio.get_running_loop().run_in_executor(threads, _fetch, maven, jar, cache)
        progress(next(done), len(jars))
        return path

    try:
        return await asyncio.gather(*map(fetch, jars))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def optional_module(name: str) -> Any:
    """Import a module of the extra `local`. Raises `LocalKafkaError` when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LocalKafkaError(f"A local broker needs {name.partition('.')[0]}. {ADVICE}") from error


def _fetch(maven: Any, jar: _Jar, cache: Path) -> Path:
    group, artifact, version, *classifier = jar.coordinate.split(":")
    kept = cache / group / f"{'-'.join((artifact, version, *classifier))}.jar"
    if kept.is_file() and _sha256(kept) == jar.sha256:
        return kept
    kept.parent.mkdir(exist_ok=True)
    # jgo writes in place: a folder of one's own hides half a file from other processes.
    with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as scratch:
        context = maven.MavenContext(repo_cache=Path(scratch), timeout=MAVEN_WAIT)
        component = context.project(group, artifact).at_version(version)
        try:
            fetched: Path = component.artifact(*classifier).resolve()
        except (OSError, RuntimeError) as error:
            reason = f"Cannot fetch {jar.coordinate} from Maven Central ({type(error).__name__})."
            raise LocalKafkaError(f"{reason} This needs the internet once. {ADVICE}") from error
        if (digest := _sha256(fetched)) != jar.sha256:
            difference = f"has SHA-256 {digest}, the lock says {jar.sha256}"
            raise LocalKafkaError(f"{jar.coordinate} {difference}: not used. {ADVICE}")
        return fetched.replace(kept)


def _read(lock: Path) -> list[_Jar]:
    lines = (line.split() for line in lock.read_text(encoding="utf-8").splitlines())
    return [_Jar(coordinate=coordinate, sha256=digest) for coordinate, digest in lines]


def cache_folder() -> Path:
    """The user's folder of jars; it is made if it is not there."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(caches) / "habeas" / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(lock: Path) -> None:
    """Resolve `KAFKA` and all it needs at Maven Central; list coordinates and digests."""
    maven = optional_module("jgo.maven")
    with tempfile.TemporaryDirectory() as scratch:
        context = maven.MavenContext(repo_cache=Path(scratch), timeout=MAVEN_WAIT)
        kafka, needed = context.resolver.resolve([context.create_dependency(KAFKA)])
        log4j = next(each for each in needed if each.artifactId == "log4j-core").version
        # Not resolved together: the binding's bill of materials would change Kafka's versions.
        binding = context.create_dependency(f"{LOG_BINDING}:{log4j}")
        artifacts = [each.artifact for each in (*kafka, *needed, binding)]
        lines = sorted(f"{_coordinate(each)} {_sha256(each.resolve())}\n" for each in artifacts)
    lock.write_text("".join(lines), encoding="utf-8")


def _coordinate(artifact: Any) -> str:
    parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
    return ":".join(filter(None, parts))


if __name__ == "__main__":
    _write(LOCK)

"""How `intakes.toml` changes: read again while we run, and written whole or not at all."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog
import tomlkit
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tomlkit import TOMLDocument

from pipeline import disk
from pipeline.modes import make_folder

from .senders import IntakesError, Senders, load, parse

log = structlog.get_logger()
Stamp = tuple[int, int, int]


class SendersFile:
    """The senders as the file says them now.

    What cannot be read leaves the senders as they were, and is logged as an error, once. Raises
    `IntakesError` if it cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._senders = load(path)

    def __call__(self) -> Senders:
        """Everybody who may send. It costs a look at the file's date while nothing changes."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read()
        return self._senders

    def _read(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
            self._senders = parse(text, self._path)
        except (OSError, UnicodeError, IntakesError) as error:
            log.error("intakes.unreadable", error=str(error), in_force="what it said before")  # noqa: TRY400
            return
        log.info("intakes.read", intakes=len(self._senders.intakes))


def register(
    path: Path, section: str, name: str, key: Ed25519PublicKey, **told: int | list[str]
) -> None:
    """Add a sender, with `level`, `roles` or `vouches_for`, unless there is one of that name."""
    with _edited(path) as document:
        senders = document.setdefault(section, tomlkit.table(is_super_table=True))
        if name in senders:
            return
        sender = tomlkit.table()
        sender.update({"public_key": key.public_bytes_raw().hex(), **told})
        sender.add(tomlkit.nl())
        senders[name] = sender


def revoke(path: Path, section: str, name: str, as_of: datetime) -> datetime:
    """Believe a sender nothing that the broker receives from then on; since when that holds.

    An earlier revocation stands. Raises `IntakesError` if there is no such sender.
    """
    with _edited(path) as document:
        sender = document.get(section, {}).get(name)
        if sender is None:
            raise IntakesError(f"{path}: no [{section}.{name}]")
        before = sender.get("revoked_at")
        if before is None or as_of < before:
            sender["revoked_at"] = as_of.astimezone(UTC)
        written = getattr(parse(tomlkit.dumps(document), path), section)[name]
        if not all(key.is_revoked(as_of) for key in written.keys):
            raise IntakesError(f"{path}: cannot be edited here: write revoked_at by hand")
        return min(before or as_of, as_of).astimezone(UTC)


@contextmanager
def _edited(path: Path) -> Iterator[TOMLDocument]:
    """The file to be changed, by one at a time. Its comments stay."""
    path = path.resolve()
    make_folder(path.parent)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        load(path)  # says what is wrong with it
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(before)
        yield document
        after = tomlkit.dumps(document)
        parse(after, path)
        if after != before:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
            disk.write(path, after.encode(), mode=mode)


def _stamp(path: Path) -> Stamp | None:
    """What tells a file from what it was; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

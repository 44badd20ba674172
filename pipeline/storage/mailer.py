"""Mail that lies in a folder: one `.eml` a message, for a relay to pick up, or to look at."""

from __future__ import annotations

import asyncio
import re
import stat
import time
from datetime import timedelta
from email.message import Message
from pathlib import Path
from typing import NoReturn

import structlog

from pipeline import disk

_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")
_NAMED = r"([0-9a-f]{32}|[0-9a-f-]{36}-notice-[0-9]+)"
"""As mails are named; or were, in an earlier release."""
_OURS = re.compile(rf"{_NAMED}\.eml|\.{_NAMED}(\.eml)?\.[0-9a-f]{{8}}")
"""What this writes: a mail, or a draft of one."""
_PRUNE_EVERY = timedelta(hours=1)
log = structlog.get_logger()


class FolderMailer:
    """Writes `<name>.eml` into a folder, readable by its owner only. A repeat replaces the file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def send(self, message: Message, name: str) -> None:
        """Hand over a message. Raises `DiskError`; `ValueError` if `name` is not of letters, digits
        and `-`.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("not a name for a message")
        await asyncio.to_thread(self._write, name, message.as_bytes())

    async def prune(self, kept: timedelta) -> None:
        """Remove our mails that are older, and what was left half written; nothing else."""
        pruned = await asyncio.to_thread(self._prune, time.time() - kept.total_seconds())
        if pruned:
            log.info("mail.pruned", mails=pruned)

    def _prune(self, before: float) -> int:
        pruned = 0
        for path in self._root.glob("*") if self._root.is_dir() else ():
            if _OURS.fullmatch(path.name) and _is_older(path, before):
                path.unlink(missing_ok=True)
                pruned += 1
        return pruned

    def _write(self, name: str, content: bytes) -> None:
        with disk.writing("mail", self._root):
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            disk.write(self._root / f"{name}.eml", content)


async def prune_for_ever(mailer: FolderMailer, kept: timedelta) -> NoReturn:
    """Prune at once, and then hourly."""
    while True:
        try:
            await mailer.prune(kept)
        except OSError as error:
            log.warning("mail.not_pruned", error=type(error).__name__)
        await asyncio.sleep(_PRUNE_EVERY.total_seconds())


def _is_older(path: Path, before: float) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:  # a relay took it
        return False
    return stat.S_ISREG(found.st_mode) and found.st_mtime < before

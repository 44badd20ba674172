"""Mail that lies in a folder: one `.eml` a message, for a relay to pick up, or to look at."""

from __future__ import annotations

import asyncio
import os
import re
from email.message import Message
from pathlib import Path

_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")


class FolderMailer:
    """Writes `<name>.eml` into a folder, readable by its owner only. A repeat replaces the file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def send(self, message: Message, name: str) -> None:
        """Hand over a message. Raises `ValueError` if `name` is not of letters, digits and `-`."""
        if not _NAME.fullmatch(name):
            raise ValueError("not a name for a message")
        await asyncio.to_thread(self._write, name, message.as_bytes())

    def _write(self, name: str, content: bytes) -> None:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._root / f".{name}.{os.urandom(4).hex()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._root / f"{name}.eml")

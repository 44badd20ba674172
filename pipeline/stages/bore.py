"""Bore: which records bore a mark before we came. Written once, before the first is set.

A mark that was there is somebody else's, and stays. An order that comes again after a crash finds
marks of its own: only what was written down before tells one from the other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ..crypto.grants import Grant
from ..crypto.segments import open_stream, seal_stream
from ..ports import ObjectExistsError, ObjectMissingError, Objects

Tags = frozenset[bytes]
Look = Callable[[], Awaitable[Tags]]


async def bore(objects: Objects, grant: Grant, name: str, look: Look) -> Tags:
    """The tags that `look` said when it was asked first, however often the order comes since.

    Raises `SealError` if somebody else wrote under that name, and whatever `look` raises.
    """
    try:
        return await _read(objects, grant, name)
    except ObjectMissingError:
        found = await look()
    try:
        await objects.put(name, seal_stream(grant.key, grant.key_id, name, _written(found)))
    except ObjectExistsError:  # the order came twice at once, and the other was faster
        return await _read(objects, grant, name)
    return found


async def _written(tags: Tags) -> AsyncIterator[bytes]:
    yield json.dumps(sorted(it.hex() for it in tags)).encode()


async def _read(objects: Objects, grant: Grant, name: str) -> Tags:
    chunks = [it async for it in open_stream(grant.key, name, objects.get(name))]
    return frozenset(map(bytes.fromhex, json.loads(b"".join(chunks))))

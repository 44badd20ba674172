"""A vendor's file, piece by piece: from the vendor's own API, or from an address that it gave.

Credentials go to the vendor's own host alone; an address that leads into a network of ours is
refused, so that no answer can make us read what only we can reach.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from email.message import Message
from functools import partial
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote, unquote

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from .addresses import Address
from .answers import (
    LATER,
    REDIRECTS,
    Answer,
    UnauthorisedError,
    Unread,
    asked_to_wait,
    request_id,
    taken,
)
from .calls import Call, call, witness
from .ceilings import TOO_LARGE, Ceilings
from .interface import Holding, Record, RetryableError, TerminalError

PIECE: Final = 1024 * 1024
"""Bytes of a file that are in memory, at most."""
FOREIGN: Final = "foreign_address"
"""The reason of a `TerminalError`: nothing may be fetched from there."""
_FOLLOWED: Final = 3
"""Redirects."""
_MEANINGFUL: Final = ":/?#[]@!$&'()*+,;=%"
"""What an address says with these is not quoted."""

Refusal = Callable[[str, aiohttp.ClientResponse, bytes | Unread], Answer | None]
"""The vendor's own reading of an answer that is no file: raises, or says None for absence."""


class Download:
    """An open file."""

    def __init__(self, said: str, raw: aiohttp.ClientResponse, ceilings: Ceilings) -> None:
        self._said, self._raw, self._ceilings = said, raw, ceilings
        self.content_type = raw.content_type
        self.name = _name(raw)
        """What the vendor calls it, as it says it: no name to write to a disk with."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes as they came, each piece but the last of `PIECE`.

        Raises `RetryableError` if they break off, or one piece takes longer than
        `answer_seconds`; `TerminalError` beyond `file_bytes`.
        """
        size, is_last = 0, False
        while not is_last:
            piece, is_last = await self._piece()
            size += len(piece)
            if size > self._ceilings.file_bytes:
                raise _too_large(self._said)
            if piece:
                yield piece

    async def _piece(self) -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(self._ceilings.answer_seconds):
                return await self._raw.content.readexactly(PIECE), False
        except asyncio.IncompleteReadError as end:
            return end.partial, True
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryableError(f"{self._said}: {type(error).__name__}") from None

    def close(self) -> None:
        """Hang up, however much was read."""
        self._raw.close()

    def __repr__(self) -> str:
        return f"<Download {self.content_type}>"


async def filed(
    opening: AbstractAsyncContextManager[Download | None],
    holding: Holding,
    *,
    missing: str,
    name: str = "",
    size: int | None = None,
    content_type: str = "",
) -> AsyncIterator[Record]:
    """The records of a file, which `Http.download` is about to open: whole, or said to be missing.

    `name`, `size` (bytes) and `content_type` are what the vendor's data say of it: another one is
    no such file, and may be one later. `missing` is a catalogue code. A file that turns out too
    large has come in part: the record that says it is missing then comes after its pieces.
    """
    try:
        async with opening as file:
            if file is None:
                yield Record(holding, b"", name=name, missing=missing)
                return
            if content_type not in {"", file.content_type}:
                raise RetryableError("a file: of another type than it should be")
            name = name or file.name
            before: bytes | None = None
            read = 0
            async for piece in file.pieces():
                if before is not None:
                    yield Record(holding, before, file.content_type, name=name, more=True)
                before, read = piece, read + len(piece)
            if size not in {None, read}:
                raise RetryableError("a file: of another size than it should be")
            yield Record(holding, before or b"", file.content_type, name=name)
    except UnauthorisedError:
        raise
    except TerminalError:
        yield Record(holding, b"", name=name, missing=missing)


class Downloads:
    """Opens the files of one vendor."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], ceilings: Ceilings, refusal: Refusal
    ) -> None:
        """`headers` go to the vendor's own host, `refusal` reads what that host answers."""
        self._own = Address.read(base_url)
        self._headers = {**headers, "Accept": "*/*", "Accept-Encoding": "identity"}
        self._ceilings = ceilings
        self._refusal = refusal
        self._session: aiohttp.ClientSession | None = None

    async def open(self, route: str, url: URL, credential: str | None) -> Download | None:
        """The file at `url`, which errors call `route`; None if there is none (404, 410)."""
        said, is_own = f"GET {route}", True
        for _ in range(1 + _FOLLOWED):
            is_own = is_own and self._is_own(url)  # who was led away comes back as a stranger
            if not is_own:
                self._check(said, url)
            attempt = partial(self._attempt, route, url, credential, is_own=is_own)
            found = await call(attempt, route=said)
            if not isinstance(found, URL):
                return found
            url = found
        raise TerminalError(f"{said}: redirects without an end")

    async def _attempt(
        self, route: str, url: URL, credential: str | None, *, is_own: bool
    ) -> Download | URL | None:
        """The file, or where it is said to be."""
        said = f"GET {route}"
        headers = self._headers if is_own else {"Accept": "*/*", "Accept-Encoding": "identity"}
        if is_own and credential is not None:
            headers = {**headers, "Authorization": credential}
        raw, status, id_ = None, None, None
        try:
            async with asyncio.timeout(self._ceilings.answer_seconds):
                raw = await self._open().get(url, headers=headers, allow_redirects=False)
                status, id_ = raw.status, request_id(raw.headers)
                return await self._read(f"{said}: {status}", raw, is_own=is_own)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RetryableError(f"{said}: {type(error).__name__}") from None
        finally:
            witness(Call("GET", route, status, id_))

    async def _read(
        self, said: str, raw: aiohttp.ClientResponse, *, is_own: bool
    ) -> Download | URL | None:
        if raw.status == HTTPStatus.OK:
            if (raw.content_length or 0) > self._ceilings.file_bytes:
                raw.close()
                raise _too_large(said)
            return Download(said, raw, self._ceilings)
        try:
            if raw.status in REDIRECTS:
                return _target(said, raw)
            if raw.status == HTTPStatus.GONE:
                return None
            if is_own and raw.status >= HTTPStatus.MULTIPLE_CHOICES:
                self._refusal(said, raw, await taken(raw, self._ceilings))
            elif not is_own:
                _read_elsewhere(said, raw)
        finally:
            raw.close()
        if raw.status == HTTPStatus.NOT_FOUND:
            return None
        raise TerminalError(f"{said}, no file")

    def _is_own(self, url: URL) -> bool:
        own, to = self._own, _address(url)
        if own is None or to is None:
            return False
        return (to.scheme, to.host, to.port) == (own.scheme, own.host, own.port)

    def _check(self, said: str, url: URL) -> None:
        """Raise unless a stranger's address may be asked: https, or here beside a vendor here."""
        to, of = _address(url), self._own
        if of is not None and of.is_here and to is not None and to.is_here:
            return
        if to is None or to.scheme != "https" or _is_inner(to):
            raise TerminalError(f"{said}: an address that is not asked", reason=FOREIGN)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            seconds = self._ceilings.answer_seconds
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_Outside(self._own)),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def close(self) -> None:
        """Release the sockets."""
        if self._session is not None:
            await self._session.close()


class _Outside(AbstractResolver):
    """Finds the vendor's own host wherever that is, and others outside of our networks only."""

    def __init__(self, own: Address | None) -> None:
        self._own = own
        self._names = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        own = self._own
        may_be_inner = own is not None and (own.is_here or (host, port) == (own.host, own.port))
        leads = (ip_address(it["host"].partition("%")[0]) for it in found)
        if not may_be_inner and any(map(_is_inner_ip, leads)):
            raise TerminalError("an address that is not asked", reason=FOREIGN)
        return found

    async def close(self) -> None:
        await self._names.close()


def absolute(said: str, text: str, base: URL | None = None) -> URL:
    """An address that an answer gave, quoted where it has what no address has.

    Raises `TerminalError`, which does not show it.
    """
    try:
        quoted = quote(text, safe=_MEANINGFUL, errors="surrogateescape")
        to = URL(quoted, encoded=True)
        return to if base is None else base.join(to)
    except (TypeError, ValueError):
        raise TerminalError(f"{said}: no address", reason=FOREIGN) from None


def _address(url: URL) -> Address | None:
    return Address.read(f"{url.scheme}://{url.raw_authority}")


def _is_inner(address: Address) -> bool:
    """Whether a host's own text says that it lies in a network of ours, or may."""
    try:
        return _is_inner_ip(ip_address(address.host))
    except ValueError:  # of a name, the resolver sees where it leads; `127.1` is none
        return address.host == "localhost" or address.host.replace(".", "").isdecimal()


def _is_inner_ip(ip: IPv4Address | IPv6Address) -> bool:
    ip = (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip
    return not ip.is_global or ip.is_multicast


def _target(said: str, raw: aiohttp.ClientResponse) -> URL:
    """Where a redirect leads to."""
    return absolute(said, raw.headers.get("Location", ""), raw.url)


def _read_elsewhere(said: str, raw: aiohttp.ClientResponse) -> None:
    """What a status means that does not come from the vendor's own host."""
    if raw.status in LATER:
        raise RetryableError(said, retry_after=asked_to_wait(raw))
    if raw.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:  # not of our credentials
        raise TerminalError(said, reason="forbidden")
    if raw.status != HTTPStatus.NOT_FOUND:
        raise TerminalError(said)


def _too_large(said: str) -> TerminalError:
    return TerminalError(f"{said}, too large", reason=TOO_LARGE)


def _name(raw: aiohttp.ClientResponse) -> str:
    """From `Content-Disposition` (RFC 6266), else the last part of the path."""
    header = Message()
    header["Content-Disposition"] = _text(raw.headers.get("Content-Disposition", ""))
    try:
        said = header.get_filename("")
    except (LookupError, TypeError, ValueError):
        said = ""
    return said or _text(unquote(raw.url.raw_path.rpartition("/")[2]))


def _text(said: str) -> str:
    """A header as text: bytes that are no UTF-8 are replaced."""
    return said.encode(errors="surrogateescape").decode(errors="replace")

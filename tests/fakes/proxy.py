"""A way to a broker on which connections are lost at chosen requests, or that nobody passes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from pipeline.kafka.local_kafka import Demands, free_ports

PRODUCE, FETCH, COMMIT, HEARTBEAT = 0, 1, 8, 12
"""Keys of requests, as Kafka's protocol numbers them."""
CHUNK = 64 * 1024
Kind = tuple[int, str]
"""A key, and which client asks: `aiokafka`, or `faust`, with which the orchestrator reads."""


@dataclass
class Proxy:
    """Passes requests on to the broker at `target`, and answers back."""

    port: int
    target: int
    losses: Counter[Kind] = field(default_factory=Counter)
    """How many more requests of a kind lose their connection: every second one has arrived."""
    lost: Counter[Kind] = field(default_factory=Counter)
    """How many have."""
    closed: bool = False
    """Whether nobody is let through."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def demands(self) -> Demands:
        """What the broker is to tell its clients: that it is here."""
        return Demands(properties={"advertised.listeners": f"BROKER://127.0.0.1:{self.port}"})

    def close(self) -> None:
        """Let nobody through, and cut who is."""
        self.closed = True
        for it in tuple(self._open):
            _reset(it)

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self._open.add(writer)
        try:
            if not self.closed:
                await self._between(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            self._open.discard(writer)
            _reset(writer)

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, broker = await asyncio.open_connection("127.0.0.1", self.target)
        back = asyncio.create_task(_copy(answers, writer))
        try:
            while True:
                size = await reader.readexactly(4)
                request = await reader.readexactly(int.from_bytes(size))
                kind = _kind(request)
                loses = self.losses[kind] > 0
                if not loses or self.lost[kind] % 2:
                    broker.write(size + request)
                    await broker.drain()
                if loses:
                    self.losses[kind] -= 1
                    self.lost[kind] += 1
                    return
        finally:
            back.cancel()
            broker.close()


def _kind(request: bytes) -> Kind:
    """Of the header's beginning: key, version, number, then the client's name and its version."""
    size = int.from_bytes(request[8:10])
    client = request[10 : 10 + size].decode() if size < len(request) else ""
    return int.from_bytes(request[:2]), client.partition("-")[0]


def _reset(writer: asyncio.StreamWriter) -> None:
    """Lose a connection in a way that its other end hears of as an error, not as its end."""
    end = writer.get_extra_info("socket")
    if not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while some := await reader.read(CHUNK):
            writer.write(some)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def proxy(target: int | None = None) -> AsyncIterator[Proxy]:
    """A way to the broker that is, or will be, at this port; None: at any that is free."""
    made = Proxy(0, target or next(free_ports()))
    server = await asyncio.start_server(made.pass_on, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.close()

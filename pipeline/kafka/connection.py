"""How every client of Kafka is made: how the cluster is spoken to, how much is fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, ParamSpec, Self, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import NodeNotReadyError

from pipeline import transport
from pipeline.settings import Settings, SettingsError

PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL = "plaintext", "ssl", "sasl_plaintext", "sasl_ssl"
SECURITY = (PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL)
MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
"""The first one is the default."""
FETCH: Mapping[str, int] = MappingProxyType(
    {
        "max_partition_fetch_bytes": 1024 * 1024,
        "fetch_max_bytes": 16 * 1024 * 1024,
        "max_poll_records": 200,
    }
)
"""What a consumer takes at once, at most. A single batch is let through whatever its size, which is
what the topic's `max.message.bytes` bounds.
"""


STOPS_WITHIN = 5.0
"""Seconds that a client gets to flush, to say that it leaves, and to close."""
ASKED, ASKED_EVERY = 10, 0.5
"""How often a question is put, and how many seconds apart, while a broker of several is down."""

P = ParamSpec("P")
T = TypeVar("T")


class Broker(str):
    """The address of a cluster, `host:port,...`, and how it is spoken to.

    A string, since an address is all that most of the pipeline needs; one without more is
    plaintext. Only the clients made here know of certificates and passwords: no `repr` does.
    """

    __slots__ = ("_security",)
    _security: Mapping[str, Any]

    def __new__(cls, address: str, security: Mapping[str, Any] = MappingProxyType({})) -> Self:
        made = super().__new__(cls, address)
        made._security = security
        return made

    @property
    def security(self) -> Mapping[str, Any]:
        """What aiokafka's clients take beside the address."""
        return self._security


def of(settings: Settings) -> Broker:
    """The broker as set. Raises `SettingsError`, naming the variable; `ModesError`."""
    security = settings.kafka_security or PLAINTEXT
    if security not in SECURITY:
        raise SettingsError(f"HABEAS_KAFKA_SECURITY is {security!r}: one of {', '.join(SECURITY)}")
    options: dict[str, Any] = {"security_protocol": security.upper()}
    if security in {SSL, SASL_SSL}:
        options["ssl_context"] = transport.context(
            "HABEAS_KAFKA",
            ca=settings.kafka_ca,
            cert=settings.kafka_cert,
            key=settings.kafka_key,
            group_may_read=settings.group_may_read,
        )
    else:
        transport.refuse_plaintext(
            "HABEAS_BROKER",
            _hosts(settings.broker),
            instead="Set HABEAS_KAFKA_SECURITY=sasl_ssl (or ssl)",
            allowed=settings.allow_plaintext,
        )
    if security in {SASL_PLAINTEXT, SASL_SSL}:
        options |= _sasl(settings)
    _refuse_unused(settings, security)
    return Broker(settings.broker, options)


def client(bootstrap: str) -> dict[str, Any]:
    """What a producer or an admin client is made with."""
    security = bootstrap.security if isinstance(bootstrap, Broker) else {}
    return {"bootstrap_servers": str(bootstrap), **security}


def consumer(bootstrap: str) -> dict[str, Any]:
    """What a consumer is made with. It commits nothing by itself."""
    return {**client(bootstrap), **FETCH, "enable_auto_commit": False}


def of_any_broker(
    function: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Ask again where the broker that was asked is down: an admin client picks one at random.

    Raises `NodeNotReadyError` if none answers.
    """

    @wraps(function)
    async def ask(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(ASKED - 1):
            try:
                return await function(*args, **kwargs)
            except NodeNotReadyError:
                await asyncio.sleep(ASKED_EVERY)
        return await function(*args, **kwargs)

    return ask


async def stop(made: AIOKafkaConsumer) -> None:
    """Leave the group and close; without a broker, its session tells the others."""
    await has_stopped(made.stop())


async def has_stopped(stopping: Coroutine[Any, Any, None]) -> bool:
    """Whether a client closed in time, and well.

    Without a broker aiokafka may wait for ever, or end as if whoever closes it had been cancelled.
    """
    task = asyncio.create_task(stopping)
    done, left = await asyncio.wait({task}, timeout=STOPS_WITHIN)
    for it in left:
        it.cancel()
    return all(not it.cancelled() and it.exception() is None for it in done) and not left


def _sasl(settings: Settings) -> dict[str, Any]:
    mechanism = settings.kafka_sasl_mechanism or MECHANISMS[0]
    if mechanism not in MECHANISMS:
        known = ", ".join(MECHANISMS)
        raise SettingsError(f"HABEAS_KAFKA_SASL_MECHANISM is {mechanism!r}: one of {known}")
    if not (settings.kafka_user and settings.kafka_password_file):
        raise SettingsError(
            f"HABEAS_KAFKA_SECURITY={settings.kafka_security} needs HABEAS_KAFKA_USER and"
            " HABEAS_KAFKA_PASSWORD_FILE"
        )
    return {
        "sasl_mechanism": mechanism,
        "sasl_plain_username": settings.kafka_user,
        "sasl_plain_password": transport.password(
            "HABEAS_KAFKA_PASSWORD_FILE", settings.kafka_password_file, settings
        ),
    }


def _refuse_unused(settings: Settings, security: str) -> None:
    """What is set and would not be used is a mistake: somebody believes that it protects them."""
    tls = ("kafka_ca", "kafka_cert", "kafka_key")
    sasl = ("kafka_sasl_mechanism", "kafka_user", "kafka_password_file")
    unused = (() if "ssl" in security.split("_") else tls) + (() if "sasl" in security else sasl)
    for name in unused:
        if getattr(settings, name):
            raise SettingsError(
                f"HABEAS_{name.upper()} is set, and HABEAS_KAFKA_SECURITY={security} has no use"
                " for it"
            )


def _hosts(addresses: str) -> Iterable[str]:
    return (it.strip().rpartition(":")[0].strip("[]") for it in addresses.split(","))

"""Events to bytes and back: Avro, Confluent framing (`0x00`, 4-byte schema id), parsed once."""

from __future__ import annotations

import json
import struct
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from io import BytesIO
from operator import attrgetter
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from .derive import FOLDER, LOCK, event_name, event_types
from .events import Event

MAGIC = 0
FRAME = struct.Struct(">bI")
MAX_BYTES = 512 * 1024
"""No record is larger (DESIGN section 4)."""

E = TypeVar("E", bound=Event)


class CodecError(Exception):
    """Bytes that are not one of our events. The message names the schema, never the content."""


class UnknownEventError(Exception):
    """A well-formed event of a type this release does not know: stop, do not skip."""

    def __init__(self, event: str) -> None:
        super().__init__(f"{event} is an event of a later release: update this process")


@dataclass(frozen=True, slots=True)
class Schema:
    """A released schema: which event and version it is of, and whether of its sealed part."""

    subject: str
    event: str
    version: int
    sealed: bool
    parsed: dict[str, Any]


class Codec:
    """Encode and decode with one numbering of schemas.

    `ids` maps subjects (`request_received.v1`) to the ids that stand in the frame: from the
    committed lock, or from a registry.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._ids = dict(ids)
        self._by_id = {number: schema(subject) for subject, number in ids.items()}

    def encode(self, event: Event) -> bytes:
        """The framed value of a record. Raises `CodecError` if it is larger than `MAX_BYTES`."""
        value = self.frame(_subject(type(event))) + body(event)
        if len(value) > MAX_BYTES:
            raise CodecError(f"{event_name(type(event))}: {len(value)} bytes exceed {MAX_BYTES}")
        return value

    def decode(self, value: bytes) -> Event:
        """The event in a record's value. Raises `CodecError` or `UnknownEventError`."""
        found, rest = self.unframe(value)
        if found.sealed:
            raise CodecError(f"{found.subject} is no event")
        return from_body(found.event, found.version, rest)

    def encode_sealed(self, event: type[Event], content: Any) -> bytes:
        """The plaintext of an event's sealed field.

        Its frame has the lock's id whatever the numbering: only we read it, and registries go.
        """
        subject = f"{event_name(event)}.sealed.v{event.VERSION}"
        return locked().frame(subject) + _write(schema(subject).parsed, content)

    def decode_sealed(self, event: type[Event], plaintext: bytes) -> Any:
        """What `encode_sealed` was given: an object of the event's `SEALS` class."""
        found, rest = locked().unframe(plaintext)
        if not found.sealed or found.event != event_name(event) or event.SEALS is None:
            raise CodecError(f"{found.subject} is not what {event_name(event)} seals")
        reader = schema(f"{event_name(event)}.sealed.v{event.VERSION}")
        return _build(event.SEALS)(_read(found, reader, rest))

    def frame(self, subject: str) -> bytes:
        """What stands before a body: `0x00` and the schema's id."""
        return FRAME.pack(MAGIC, self._ids[subject])

    def unframe(self, value: bytes) -> tuple[Schema, bytes]:
        """The schema that a frame names, and what follows it. Raises `CodecError`."""
        if not FRAME.size <= len(value) <= MAX_BYTES:
            raise CodecError("shorter than a frame, or longer than a record")
        magic, number = FRAME.unpack_from(value)
        if magic != MAGIC:
            raise CodecError(f"frame starts with {magic}, not 0")
        if number not in self._by_id:
            raise CodecError(f"unknown schema id {number}")
        return self._by_id[number], value[FRAME.size :]


@cache
def locked() -> Codec:
    """The codec with the ids of the committed lock."""
    lock = json.loads(LOCK.read_text())
    return Codec({subject: entry["id"] for subject, entry in lock.items()})


def body(event: Event, version: int | None = None) -> bytes:
    """An event without its frame: what the ledger keeps and the hash chain covers.

    `version` is the released one to write; by default, today's.
    """
    if version not in {None, event.VERSION}:
        return _write(schema(_subject(type(event), version)).parsed, event)
    known: bytes | None = getattr(event, "written", None)
    if known is None:
        known = _write(schema(_subject(type(event))).parsed, event)
        _is_written(event, known)
    return known


def versions(event: Event) -> Iterator[int]:
    """The released versions that may have said this event, today's first.

    An earlier one may if it loses nothing of it. Seals and signatures are over the bytes of the
    version that was written, which an event that was read no longer shows.
    """
    yield event.VERSION
    for version in range(event.VERSION - 1, 0, -1):
        if from_body(event_name(type(event)), version, body(event, version)) == event:
            yield version


def from_body(name: str, version: int, content: bytes) -> Event:
    """The event of which `body` gave `content`, read by today's schema.

    Raises `UnknownEventError` if the type is unknown and `CodecError` if the bytes do not fit.
    """
    event = event_types().get(name)
    if event is None:
        raise UnknownEventError(f"{name}.v{version}")
    found = _read(schema(f"{name}.v{version}"), schema(_subject(event)), content)
    made = cast("Event", _build(cast("Any", event))(found))
    if version == event.VERSION:
        _is_written(made, content)
    return made


def before_sealed(event: Event, version: int | None = None) -> bytes:
    """The encoded fields that come before `sealed`: what its associated data bind."""
    sealed: bytes = event.sealed  # type: ignore[attr-defined]
    whole = (
        body(event, version)
        if not hasattr(event, "signature")
        else before_signature(event, version)
    )
    return whole[: -len(_write(_BYTES, sealed))]


def before_signature(event: Event, version: int | None = None) -> bytes:
    """The encoded fields that come before `signature`: what it signs."""
    whole = body(event, version)
    signature: bytes = event.signature  # type: ignore[attr-defined]
    return whole[: -len(_write(_BYTES, signature))]


def with_sealed(event: E, sealed: bytes) -> E:
    """The event with `sealed` in its last field."""
    made = replace(event, sealed=sealed)  # type: ignore[call-arg]
    if not hasattr(event, "signature"):
        _is_written(made, before_sealed(event) + _write(_BYTES, sealed))
    return made


def _is_written(event: Event, content: bytes) -> None:
    object.__setattr__(event, "written", content)  # it is frozen, and stays what it is


_BYTES: Any = {"type": "bytes"}


@cache
def schema(subject: str) -> Schema:
    """A released schema by subject. Raises `CodecError` if there is none."""
    path = FOLDER / f"{subject}.avsc"
    if not path.exists():
        raise CodecError(f"no schema {subject}")
    name, _, version = subject.rpartition(".v")
    parsed = cast("dict[str, Any]", parse_schema(json.loads(path.read_text())))
    event, _, sealed = name.partition(".")
    return Schema(subject, event, int(version), bool(sealed), parsed)


def _subject(event: type[Event], version: int | None = None) -> str:
    return f"{event_name(event)}.v{version or event.VERSION}"


def _write(parsed: Any, content: Any) -> bytes:
    out = BytesIO()
    schemaless_writer(out, parsed, _plain(content))
    return out.getvalue()


def _read(writer: Schema, reader: Schema, content: bytes) -> Any:
    source = BytesIO(content)
    try:
        found = schemaless_reader(
            source, writer.parsed, None if writer is reader else reader.parsed
        )
    except Exception as error:  # noqa: BLE001  fastavro raises whatever the bytes provoke
        raise CodecError(f"{writer.subject}: {type(error).__name__}") from None
    if source.read(1):
        raise CodecError(f"{writer.subject}: bytes left over")
    return found


def _plain(content: Any) -> Any:
    """What fastavro writes: dataclasses as dicts."""
    plainer = _plainer(cast("Any", type(content))) if is_dataclass(content) else None
    return content if plainer is None else plainer(content)


@cache
def _plainer(hint: Any) -> Callable[[Any], Any] | None:
    """A function from a value of the hinted type to what fastavro writes; None if it is that."""
    if get_origin(hint) is tuple:
        item = _plainer(get_args(hint)[0])
        return None if item is None else lambda value: [item(it) for it in value]
    if isinstance(hint, types.UnionType):
        (inner,) = (it for it in get_args(hint) if it is not type(None))
        some = _plainer(inner)
        return None if some is None else lambda value: None if value is None else some(value)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        names = [it.name for it in fields(hint)]
        changed = [(it, made) for it in names if (made := _plainer(hints[it])) is not None]
        read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)

        def plain(value: Any) -> dict[str, Any]:
            found = dict(zip(names, read(value), strict=True))
            for name, made in changed:
                found[name] = made(found[name])
            return found

        return plain
    return None


def _build(hint: Any) -> Callable[[Any], Any]:
    """A function from what fastavro read to a value of the hinted type."""
    return _builder(hint) or (lambda read: read)


@cache
def _builder(hint: Any) -> Callable[[Any], Any] | None:
    if get_origin(hint) is tuple:
        item = _builder(get_args(hint)[0])
        return tuple if item is None else lambda read: tuple(map(item, read))
    if isinstance(hint, types.UnionType):
        (inner,) = (it for it in get_args(hint) if it is not type(None))
        some = _builder(inner)
        return None if some is None else lambda read: None if read is None else some(read)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        names = {it.name for it in fields(hint)}
        changed = [(it, made) for it in names if (made := _builder(hints[it])) is not None]

        def build(read: dict[str, Any]) -> Any:
            for name, made in changed:
                read[name] = made(read[name])
            return hint(**read)

        return build
    return None

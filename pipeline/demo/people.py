"""Read the cast: who the demo's people are, what is held of them, what they ask, what must come."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

CAST = Path(__file__).with_name("cast.toml")
SYSTEMS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
CLAIMS = frozenset({"access", "erasure"})
IDENTIFIERS = frozenset({"email", "phone", "user_id"})
WORDS = frozenset({"kind", "as", "then", "times", "rounds"})
"""Of an object in the cast: ours, not the vendor's."""

Ends = Literal["answered", "identity_asked"]


class CastError(Exception):
    """The cast cannot be used. The message says where, by the key of a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What must be true of an object when all requests are answered."""

    state: Literal["gone", "binned", "blank", "same"] = "same"
    fields: tuple[str, ...] = ()
    """Those that must be `blank`; all others are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object of a vendor's, as its sandbox is told of it."""

    system: str
    kind: str
    name: str = ""
    """What other objects of the same person call it: `@name` stands for its id."""
    fields: Mapping[str, Any]
    then: Then = Then()

    def __repr__(self) -> str:
        return f"<Held {self.system}.{self.kind} {self.then.state}>"

    def references(self) -> frozenset[str]:
        """The names of the objects that must be there before it."""
        texts = (it for it in self.fields.values() if isinstance(it, str))
        return frozenset(it[1:] for it in texts if it.startswith("@"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks, as an intake passes it on."""

    person: str
    """The key of the person."""
    claims: tuple[str, ...]
    level: int
    """How surely the intake knows the person; 0 is not at all."""
    identifiers: tuple[tuple[str, str], ...]
    """(kind, value)."""
    name: str
    language: str
    needs_approval: bool = False
    """Whether the plan is large enough for the policy to want a person's approval."""

    @property
    def ends(self) -> Ends:
        """Where the case must stand in the end."""
        return "answered" if self.level else "identity_asked"

    def __repr__(self) -> str:
        return f"<Request {self.person} {'+'.join(self.claims)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """One of the cast. `key` names the part played, and nobody."""

    key: str
    name: str
    held: tuple[Held, ...]
    request: Request | None = None

    def __repr__(self) -> str:
        return f"<Somebody {self.key}>"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, in the order of the file."""

    people: tuple[Somebody, ...]

    def requests(self) -> tuple[Request, ...]:
        """What is asked, in order."""
        return tuple(it.request for it in self.people if it.request is not None)


def load(path: Path = CAST) -> Cast:
    """The cast in a file, by default the one that comes with Habeas. Raises `CastError`."""
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CastError(f"{path.name}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise CastError(f"{path.name}: {error}") from None
    people = tuple(_somebody(it) for it in read.get("person", ()))
    keys = [it.key for it in people]
    twice = sorted({it for it in keys if keys.count(it) > 1})
    if twice or not people:
        raise CastError(f"{', '.join(twice)}: is there twice" if twice else "nobody is in it")
    return Cast(people)


def _somebody(read: Mapping[str, Any]) -> Somebody:
    key = str(read.get("key", "a person without a key"))
    allowed = {"key", "name", "language", "request", *SYSTEMS}
    _need(key, not read.keys() - allowed, f"only {', '.join(sorted(allowed))} may be said")
    _need(key, bool(read.get("key") and read.get("name")), "key and name are missing")
    held = tuple(it for of in SYSTEMS for row in read.get(of, ()) for it in _held(key, of, row))
    for system in SYSTEMS:
        named = [it.name for it in held if it.system == system and it.name]
        needed = {name for it in held if it.system == system for name in it.references()}
        _need(key, len(named) == len(set(named)), f"{system}: a name is given twice")
        _need(key, needed <= set(named), f"{system}: an @name names nothing")
    request = _request(key, read) if "request" in read else None
    return Somebody(key=key, name=read["name"], held=held, request=request)


def _request(key: str, read: Mapping[str, Any]) -> Request:
    said = read["request"]
    known = {"claims", "level", "needs_approval", *IDENTIFIERS}
    _need(key, not said.keys() - known, f"only {', '.join(sorted(known))} may be in a request")
    claims = tuple(said.get("claims", ()))
    _need(key, bool(claims) and CLAIMS.issuperset(claims), "claims are access and erasure")
    level = said.get("level", 2)
    _need(key, level in {0, 2}, "the level is 0 (not vouched for) or 2")
    named = tuple((kind, it) for kind in sorted(IDENTIFIERS) for it in said.get(kind, ()))
    _need(key, any(kind != "phone" for kind, _ in named), "an email or a user_id is missing")
    return Request(
        person=key,
        claims=claims,
        level=level,
        identifiers=named,
        name=read["name"],
        language=read.get("language", "en"),
        needs_approval=said.get("needs_approval", False),
    )


def _held(key: str, system: str, row: Mapping[str, Any]) -> Iterator[Held]:
    """The object; with `times`, that many, which differ where a text says `{n}`."""
    _need(key, "kind" in row, f"{system}: an object has no kind")
    name, times = row.get("as", ""), row.get("times", 1)
    _need(key, times == 1 or not name, f"{system}: one of several cannot have a name")
    fields = {it: value for it, value in row.items() if it not in WORDS}
    if "rounds" in row:
        said, rounds = fields.get("conversations", ()), range(1, row["rounds"] + 1)
        fields["conversations"] = [_numbered(it, n) for n in rounds for it in said]
    then = _then(key, row.get("then", "same"), fields)
    for n in range(1, times + 1):
        numbered = {it: _numbered(value, n) for it, value in fields.items()}
        yield Held(system=system, kind=row["kind"], name=name, fields=numbered, then=then)


def _numbered(value: Any, n: int) -> Any:
    return value.replace("{n}", str(n)) if isinstance(value, str) else value


def _then(key: str, said: Any, fields: Mapping[str, Any]) -> Then:
    match said:
        case "gone" | "binned" | "same":
            return Then(state=said)
        case {"blank": [_, *_] as names} if len(said) == 1:
            _need(key, all(fields.get(it) for it in names), "what is to be blank is not filled")
            return Then(state="blank", fields=tuple(names))
        case _:
            raise CastError(f'{key}: `then` is "gone", "binned", "same" or {{ blank = [...] }}')


def _need(key: str, holds: object, otherwise: str) -> None:
    if not holds:
        raise CastError(f"{key}: {otherwise}")

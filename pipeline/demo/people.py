"""Read the cast: who the demo's people are, what is held of them, what they ask, what must come."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from connectors.sdk.interface import Datum
from pipeline.case.rights import RECTIFICATION, SUPPORTED
from schemas.records import Person, SealedChange, SealedIdentifier

CAST = Path(__file__).with_name("cast.toml")
SYSTEMS = ("aws", "freshdesk", "mailgun", "salesforce", "stripe")
IDENTIFIERS = frozenset({"email", "phone", "user_id"})
OUR_IDS = "BX-"
SAYS = ("confirm", "same", "other")
"""Of a request: what people say while it is worked on."""
REASONS = frozenset({"", "complexity", "volume"})
"""Why an answer may take longer."""
GROUNDS = frozenset({"", "excessive", "unfounded"})
"""Why a request may be refused."""
WORDS = frozenset({"kind", "as", "then", "later", "times", "rounds"})
"""Of an object in the cast: ours, not the vendor's."""

Ends = Literal["answered", "identity_asked", "refused"]


class CastError(Exception):
    """The cast cannot be used. The message says where, by the key of a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What must be true of an object when all requests are answered."""

    state: Literal["gone", "binned", "blank", "same"] = "same"
    fields: tuple[str, ...] = ()
    """Those that must be `blank`; all others are the same."""
    marked: Mapping[str, str] = field(default_factory=dict)
    """A field of what is kept, and what must have come into it."""
    now: Mapping[str, Any] = field(default_factory=dict)
    """What fields must say that were corrected, or opted out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One object of a vendor's, as its sandbox is told of it."""

    system: str
    kind: str
    name: str = ""
    """What other objects call it: `@name` stands for its id, `@key:name` for one of another's."""
    fields: Mapping[str, Any]
    then: Then = Then()
    later: Then = Then()
    """What must have become of it years later; as then, by default."""

    def __repr__(self) -> str:
        return f"<Held {self.system}.{self.kind} {self.then.state}>"

    def references(self) -> frozenset[str]:
        """The objects that must be there before it, as they are named: `meant` says which."""
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
    levels: tuple[int, ...]
    """How surely the intake vouches for each identifier."""
    name: str
    language: str
    needs_approval: bool = False
    """Whether a person must approve the plan: it is large, or rests on people's word."""
    confirm: tuple[str, ...] = ()
    """Addresses at which the person presses the button in the mail that comes."""
    same: tuple[str, ...] = ()
    """What the DPO says is the person's: values of identifiers, or objects by `system.name`."""
    other: tuple[str, ...] = ()
    """What the DPO says is somebody else's."""
    acknowledged: tuple[str, ...] = ()
    """Recipients who press the button in what they are told; the others say nothing."""
    extended: str = ""
    """Why the DPO takes more time for it; empty if they do not."""
    refused: str = ""
    """On which ground two people refuse it; empty if it is done."""
    by_hand: tuple[str, ...] = ()
    """Objects, by `system.name`, that no program may erase: a person does, and says so."""
    again: bool = False
    """Whether the person asks the same once more years later, and then no recipient answers."""

    changes: tuple[tuple[str, str], ...] = ()
    """(datum, what is right) of a rectification."""
    purpose: str = ""
    """The use that an objection is to; empty is direct marketing."""
    upheld: bool = False
    """Whether the DPO upholds an objection that a person has to weigh."""

    @property
    def proved(self) -> tuple[str, ...]:
        """Addresses and ids that are known to be the person's in the end, as far as the cast says:
        vouched for, confirmed, or the DPO says so.
        """
        vouched = (
            it for (_, it), level in zip(self.identifiers, self.levels, strict=True) if level
        )
        return (*vouched, *self.confirm, *self.same)

    @property
    def words(self) -> int:
        """How often people say something of who is who before the case is at its end."""
        return len(self.confirm) + bool(self.same or self.other)

    def sent(self) -> Person:
        """The person, as the request carries them."""
        named = (SealedIdentifier(tag=b"", kind=kind, value=it) for kind, it in self.identifiers)
        return Person(
            name=self.name,
            language=self.language,
            identifiers=tuple(named),
            levels=self.levels,
            changes=tuple(SealedChange(datum=it, to=to) for it, to in self.changes),
        )

    @property
    def ends(self) -> Ends:
        """Where the case must stand in the end."""
        if self.refused:
            return "refused"
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

    def leans_on(self) -> frozenset[str]:
        """The keys of others whose objects theirs refer to."""
        named = (meant(name, self.key)[0] for it in self.held for name in it.references())
        return frozenset(named) - {self.key}

    def __repr__(self) -> str:
        return f"<Somebody {self.key}>"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, in the order of the file."""

    people: tuple[Somebody, ...]

    def requests(self) -> tuple[Request, ...]:
        """What is asked, in order."""
        return tuple(it.request for it in self.people if it.request is not None)

    def linked(self, key: str) -> tuple[str, ...]:
        """The user ids that our own server wrote into what is held of a person."""
        held = (of for it in self.people if it.key == key for of in it.held)
        written = (it.fields.get("metadata", {}) for it in held if it.kind == "customer")
        return tuple(it["user_id"] for it in written if "user_id" in it)


def meant(name: str, key: str) -> tuple[str, str]:
    """Whose object a name means that stands at the person `key`, and what it is called there."""
    whose, colon, called = name.rpartition(":")
    return (whose if colon else key), called


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
    named = {(one.key, it.system, it.name) for one in people for it in one.held if it.name}
    for one in people:
        wanted = {(*meant(name, one.key), it.system) for it in one.held for name in it.references()}
        found = all((key, system, name) in named for key, name, system in wanted)
        _need(one.key, found, "an @name names nothing")
        _decided(one, named)
    return Cast(people)


def _decided(one: Somebody, named: set[tuple[str, str, str]]) -> None:
    """What the DPO speaks of is an address, a user id, or an object that has a name."""
    asked = one.request
    if asked is None:
        return
    for it in (*asked.same, *asked.other, *asked.by_hand):
        key, called = meant(it, one.key)
        is_identifier = kind_of(it) and it not in asked.by_hand
        known = is_identifier or (key, *called.split(".", 1)) in named
        _need(one.key, known, "what the DPO decides about is no identifier and no system.name")


def kind_of(said: str) -> str:
    """The kind of identifier that a value is; empty if it is none: then it names an object."""
    if "@" in said:
        return "email"
    return "user_id" if said.startswith(OUR_IDS) else ""


def _somebody(read: Mapping[str, Any]) -> Somebody:
    key = str(read.get("key", "a person without a key"))
    allowed = {"key", "name", "language", "request", *SYSTEMS}
    _need(key, not read.keys() - allowed, f"only {', '.join(sorted(allowed))} may be said")
    _need(key, bool(read.get("key") and read.get("name")), "key and name are missing")
    held = tuple(it for of in SYSTEMS for row in read.get(of, ()) for it in _held(key, of, row))
    for system in SYSTEMS:
        named = [it.name for it in held if it.system == system and it.name]
        _need(key, len(named) == len(set(named)), f"{system}: a name is given twice")
    request = _request(key, read) if "request" in read else None
    return Somebody(key=key, name=read["name"], held=held, request=request)


def _request(key: str, read: Mapping[str, Any]) -> Request:
    said = read["request"]
    words = {"claims", "level", "needs_approval", "unproved", "acknowledged"}
    known = words | {
        "changes",
        "purpose",
        "upheld",
        "extended",
        "refused",
        "by_hand",
        "again",
        *SAYS,
        *IDENTIFIERS,
    }
    _need(key, not said.keys() - known, f"only {', '.join(sorted(known))} may be in a request")
    claims = tuple(said.get("claims", ()))
    _need(key, bool(claims) and SUPPORTED.issuperset(claims), "a claim is no right that there is")
    changes = said.get("changes", {})
    _need(key, bool(changes) == (RECTIFICATION in claims), "a rectification says its changes")
    _need(key, changes.keys() <= {*Datum}, "a change is of nothing that can be corrected")
    level = said.get("level", 2)
    _need(key, level in {0, 2}, "the level is 0 (not vouched for) or 2")
    named = tuple((kind, it) for kind in sorted(IDENTIFIERS) for it in said.get(kind, ()))
    _need(key, any(kind != "phone" for kind, _ in named), "an email or a user_id is missing")
    values, unproved = {it for _, it in named}, set(said.get("unproved", ()))
    _need(key, unproved <= values, "what is unproved is not in the request")
    extended, refused = said.get("extended", ""), said.get("refused", "")
    _need(key, extended in REASONS, "an extension is for complexity or volume")
    _need(key, refused in GROUNDS, "a refusal is for excessive or unfounded")
    return Request(
        person=key,
        claims=claims,
        level=level,
        identifiers=named,
        levels=tuple(0 if it in unproved or kind == "phone" else level for kind, it in named),
        name=read["name"],
        language=read.get("language", "en"),
        needs_approval=said.get("needs_approval", False),
        acknowledged=tuple(said.get("acknowledged", ())),
        extended=extended,
        refused=refused,
        by_hand=tuple(said.get("by_hand", ())),
        again=said.get("again", False),
        changes=tuple(changes.items()),
        purpose=said.get("purpose", ""),
        upheld=said.get("upheld", False),
        **{it: tuple(said.get(it, ())) for it in SAYS},
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
    then, later = (_then(key, row.get(it, "same"), fields) for it in ("then", "later"))
    for n in range(1, times + 1):
        numbered = {it: _numbered(value, n) for it, value in fields.items()}
        yield Held(
            system=system, kind=row["kind"], name=name, fields=numbered, then=then, later=later
        )


def _numbered(value: Any, n: int) -> Any:
    return value.replace("{n}", str(n)) if isinstance(value, str) else value


def _then(key: str, said: Any, fields: Mapping[str, Any]) -> Then:
    match said:
        case "gone" | "binned" | "same":
            return Then(state=said)
        case {"marked": {**marked}} if marked:
            rest = {name: it for name, it in said.items() if name != "marked"}
            mark = {str(name): str(it) for name, it in marked.items()}
            return replace(_then(key, rest or "same", fields), marked=mark)
        case {"now": {**now}} if now:
            rest = {name: it for name, it in said.items() if name != "now"}
            return replace(
                _then(key, rest or "same", fields),
                now={str(it): value for it, value in now.items()},
            )
        case {"blank": [_, *_] as names} if len(said) == 1:
            _need(key, all(fields.get(it) for it in names), "what is to be blank is not filled")
            return Then(state="blank", fields=tuple(names))
        case _:
            raise CastError(
                f'{key}: `then` is "gone", "binned", "same", or {{ blank = [...] }}'
                " and { marked = {...} } and { now = {...} }"
            )


def _need(key: str, holds: object, otherwise: str) -> None:
    if not holds:
        raise CastError(f"{key}: {otherwise}")

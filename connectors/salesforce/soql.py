"""SOQL: how the connector writes a condition, and how the sandbox reads one.

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import quote

T = TypeVar("T")

# Writing. Whatever a person is called stays inside its quotes.

_CONTROLS: Final = {chr(code): f"\\u{code:04x}" for code in range(32)}
_ESCAPED: Final = str.maketrans({**_CONTROLS, "\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r"})
_LONGEST = 255  # no text field that can be filtered holds more characters
_ROOM = 7_000  # of a query in a URI: Salesforce stops at 16 KB, many a proxy at 8
_HALF = _ROOM // 2


def text(value: str) -> str:
    """`value` as a string literal."""
    return f"'{value.translate(_ESCAPED)}'"


def select(fields: Iterable[str], source: str, rest: str = "") -> str:
    """A query; its names are ours and its values went through `text`."""
    return f"SELECT {','.join(fields)} FROM {source} {rest}"  # noqa: S608


def parts(fields: Iterable[str]) -> list[list[str]]:
    """Fields, in as many lists as it takes for each to fit in a URI: one for a usual object."""
    lists: list[list[str]] = [[]]
    size = 0
    for field in fields:
        cost = len(quote(f",{field}"))
        if size + cost > _HALF:
            lists.append([])
            size = 0
        lists[-1].append(field)
        size += cost
    return lists


def any_of(wanted: Mapping[str, Iterable[str]], fields: Iterable[str] = ()) -> Iterator[str]:
    """Conditions that together find each row in which a field has one of the values wanted of it.

    Each fits in a URI, together with the `fields` that are asked for. No condition if there is no
    value that a field could have: an empty one is left out, since `= ''` finds every row in which
    the field is blank.
    """
    lists: dict[str, list[str]] = defaultdict(list)
    room = _ROOM - len(quote(",".join(fields)))
    size = 0
    for field, values in wanted.items():
        for value in sorted(filter(possible, set(values))):
            cost = len(quote(f"{text(value)}, {field}"))
            if size + cost > room:
                yield _either(lists)
                lists.clear()
                size = 0
            lists[field].append(text(value))
            size += cost
    if lists:
        yield _either(lists)


def possible(value: str) -> bool:
    """Whether a text field that can be filtered could have `value`."""
    surrogates = any("\ud800" <= it <= "\udfff" for it in value)
    return bool(value.strip()) and len(value) <= _LONGEST and not surrogates


def _either(lists: Mapping[str, list[str]]) -> str:
    return " OR ".join(f"{field} IN ({', '.join(values)})" for field, values in lists.items())


# Reading: `SELECT … FROM … [WHERE …] [LIMIT …]` with =, !=, IN, NOT, AND, OR and parentheses.

Value = str | bool | int | None


class MalformedError(ValueError):
    """Not SOQL, or not of the part that is read here."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field has one of the values; `= x` is `IN (x)`."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Every condition holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one condition holds."""

    conditions: tuple[Condition, ...]


Condition = OneOf | Not | All | Some


@dataclass(frozen=True, slots=True)
class Select:
    """A query."""

    fields: tuple[str, ...]
    source: str
    where: Condition | None = None
    limit: int | None = None


def holds(condition: Condition, equal: Callable[[str, Value], bool]) -> bool:
    """Whether a row meets `condition`; `equal(field, value)` compares one of its fields."""
    match condition:
        case OneOf(field, values):
            return any(equal(field, value) for value in values)
        case Not(inner):
            return not holds(inner, equal)
        case All(inner):
            return all(holds(it, equal) for it in inner)
        case Some(inner):
            return any(holds(it, equal) for it in inner)


def fields_of(condition: Condition | None) -> Iterator[str]:
    """The fields that `condition` compares."""
    match condition:
        case OneOf(field, _):
            yield field
        case Not(inner):
            yield from fields_of(inner)
        case All(inner) | Some(inner):
            for it in inner:
                yield from fields_of(it)
        case None:
            return


def parse(query: str) -> Select:
    """Read a query. Raises `MalformedError`."""
    return _Reader(query).select()


_TOKEN = re.compile(r"\s*(?:('(?:[^'\\\r\n]|\\.)*')|(\w+(?:\.\w+)?)|(!=|<>|[=(),]))")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_NAMED: Mapping[str, Value] = {"true": True, "false": False, "null": None}


def _meant(escape: re.Match[str]) -> str:
    said = escape[1]
    if len(said) > 1:
        return chr(int(said[1:], 16))
    if said.lower() not in _MEANT:
        raise MalformedError(f"illegal string literal: \\{said}")
    return _MEANT[said.lower()]


class _Reader:
    """The tokens of a query, and the place where reading has come to."""

    def __init__(self, query: str) -> None:
        self._tokens: list[str] = []
        at, query = 0, query.rstrip()
        while at < len(query):
            token = _TOKEN.match(query, at)
            if token is None:
                raise MalformedError(f"unexpected token at {at}")
            self._tokens.append(token[token.lastindex or 0])
            at = token.end()
        self._at = 0

    def select(self) -> Select:
        self._expect("select")
        fields = self._listed(self._name)
        self._expect("from")
        source = self._name()
        where = self._condition() if self._took("where") else None
        limit = int(self._name()) if self._took("limit") and self._peek().isdecimal() else None
        if self._at < len(self._tokens):
            raise MalformedError(f"unexpected token: {self._peek()}")
        return Select(fields, source, where, limit)

    def _condition(self) -> Condition:
        """Terms joined by AND or by OR; a mixture needs parentheses, as in Salesforce."""
        terms = [self._term()]
        joint = self._peek().lower()
        if joint not in {"and", "or"}:
            return terms[0]
        while self._took(joint):
            terms.append(self._term())
        return All(tuple(terms)) if joint == "and" else Some(tuple(terms))

    def _term(self) -> Condition:
        if self._took("not"):
            return Not(self._term())
        if self._took("("):
            inner = self._condition()
            self._expect(")")
            return inner
        field = self._name()
        match self._next().lower():
            case "=":
                return OneOf(field, (self._value(),))
            case "!=" | "<>":
                return Not(OneOf(field, (self._value(),)))
            case "in":
                return self._within(field)
            case "not" if self._took("in"):
                return Not(self._within(field))
            case operator:
                raise MalformedError(f"unexpected token: {operator}")

    def _within(self, field: str) -> Condition:
        self._expect("(")
        values = self._listed(self._value)
        self._expect(")")
        return OneOf(field, values)

    def _listed(self, read: Callable[[], T]) -> tuple[T, ...]:
        found = [read()]
        while self._took(","):
            found.append(read())
        return tuple(found)

    def _value(self) -> Value:
        token = self._next()
        if token.startswith("'"):
            return _ESCAPE.sub(_meant, token[1:-1])
        if token.isdecimal():
            return int(token)
        if token.lower() not in _NAMED:
            raise MalformedError(f"unexpected token: {token}")
        return _NAMED[token.lower()]

    def _name(self) -> str:
        token = self._next()
        if not token[0].isalnum():
            raise MalformedError(f"unexpected token: {token}")
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        if not token:
            raise MalformedError("unexpected end of query")
        self._at += 1
        return token

    def _took(self, word: str) -> bool:
        took = self._peek().lower() == word
        self._at += took
        return took

    def _expect(self, word: str) -> None:
        if not self._took(word):
            raise MalformedError(f"expecting {word}, found {self._peek() or 'end'}")

"""Rows of a list of people, one at a time: CSV or NDJSON, each carried as it was written.

A row of which it is not certain that all of it was read has a fault, and is nobody's to call clean.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader
from itertools import count
from typing import Any, Protocol

from connectors.sdk.spelling import cleaned

from .mailboxes import mailboxes, may_hold

MARK = "habeas_erased"
"""The column, or key, that a marked row has more."""
LONGEST = 16 * 1024 * 1024
"""Bytes of a row, at most."""
EMAIL, USER_ID = "email", "user_id"
KINDS = (EMAIL, USER_ID)
"""What people are told apart by. Phones and names are shared."""
NAMED: Mapping[str, str] = {
    **dict.fromkeys(
        ("email", "emails", "emailaddress", "emailadresse", "mail", "useremail", "customeremail"),
        EMAIL,
    ),
    **dict.fromkeys(("userid", "userids"), USER_ID),
}
"""Kinds by a column's name, in lower case and without what is no letter: `E-Mail`, `user_id_2`."""
INNER = frozenset({"value", "address"})
"""Names inside another one, which says what it is: `emails.value`."""
DELIMITERS = ",;\t|"
OF_JSON = frozenset({".ndjson", ".jsonl", ".json"})
OF_TABLES = frozenset({".csv", ".tsv", ".txt"})
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class ListError(Exception):
    """A list cannot be read as a whole. The message says why, and shows nothing of it."""


class TooLongError(Exception):
    """A row is longer than `LONGEST`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `raw` is as it was written, without the end of its line."""

    line: int
    """Where it begins; the first is 1."""
    raw: bytes = b""
    end: bytes = b"\n"
    identifiers: tuple[tuple[str, str], ...] = ()
    """(kind, value) of whoever it names, and of every address in it; all readings of each."""
    fault: str = ""
    """Why it cannot be looked up; empty if it can."""
    is_whole: bool = True
    """Whether anything can be added to it."""


class Rows(Protocol):
    """The rows of a list."""

    def head(self, *, marked: bool) -> bytes:
        """What comes before the first row."""

    def __iter__(self) -> Iterator[Row]: ...

    def marked(self, row: Row, mark: str) -> bytes:
        """The row with one column, or key, more."""


class Lines:
    """The lines of a stream as text, what is no UTF-8 as surrogates; it can go on after an error.

    `taken` is what was given since it was last emptied.
    """

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.bom = b""
        """What a list in UTF-8 may begin with."""
        self.number = 0
        """Of the last line."""
        self.read = 0
        """Bytes so far."""
        self.taken = bytearray()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw = self._line()
        if not raw:
            raise StopIteration
        if len(self.taken) + len(raw) > LONGEST:
            while not raw.endswith(b"\n") and (raw := self._stream.readline(LONGEST)):
                self.read += len(raw)
            raise TooLongError
        self.taken += raw
        return raw.decode("utf-8", "surrogateescape")

    def _line(self) -> bytes:
        raw = self._stream.readline(LONGEST + 1)
        if not self.number:
            if raw.startswith(_UTF_16):
                raise ListError("the list is UTF-16: write it as UTF-8")
            self.bom = raw[: len(_BOM)] if raw.startswith(_BOM) else b""
            raw = raw[len(self.bom) :]
        self.number += bool(raw)
        self.read += len(raw)
        return raw


@lru_cache(maxsize=4096)
def _by_name(name: str) -> str:
    """What is in a column of this name; of a dotted one the end counts, and no number does."""
    parts = [re.sub(r"[^a-z]", "", it) for it in name.lower().split(".")]
    ends = [it for it in parts if it][-2:]
    inner = len(ends) > 1 and ends[-1] in INNER
    return NAMED.get(ends[0 if inner else -1], "") if ends else ""


class Columns:
    """Which columns, or keys, hold identifiers: by their names, and as a person says."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.seen: set[str] = set()

    def kind(self, name: str) -> str:
        """What is in a column; empty if nobody is known by it."""
        if name in self.given:
            self.seen.add(name)
            return self.given[name]
        return _by_name(name)

    def refuse_unseen(self) -> None:
        """Raise `ListError` if one that a person named was nowhere."""
        if unseen := sorted(self.given.keys() - self.seen):
            raise ListError(f"there is no {unseen[0]} in the list: --column names it")


class Table:
    """A list as CSV: the first line names the columns, and tells what is between them."""

    def __init__(self, lines: Lines, columns: Columns, mark: str) -> None:
        self._lines, self._mark = lines, mark
        text, raw = _first(lines)
        self._delimiter = max(DELIMITERS, key=lambda it: len(_cells(text, it)))
        names = _cells(text, self._delimiter)
        if mark in names:
            raise ListError(f"the list has a column `{mark}` already: take it out first")
        self._columns, self._names = columns, names
        kinds = [columns.kind(name) for name in names]
        self._head, self._end = _parted(raw)
        columns.refuse_unseen()
        if not any(kinds):
            raise ListError(
                f"none of its {len(names)} columns has a name by which people are known, such as"
                f" {EMAIL} or {USER_ID}: --column NAME={EMAIL} says which is one; the first line"
                " has the names"
            )

    def head(self, *, marked: bool) -> bytes:
        """The names of the columns."""
        more = f"{self._delimiter}{self._mark}".encode() if marked else b""
        return self._lines.bom + self._head + more + self._end

    def __iter__(self) -> Iterator[Row]:
        csv.field_size_limit(LONGEST)
        reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
        while True:
            self._lines.taken.clear()
            line, cells, fault = self._lines.number + 1, [""], ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except TooLongError:
                fault = f"longer than {LONGEST} bytes"
            except csv.Error:
                fault = "its quotes, or the end of its line, are not those of CSV"
            if not cells:
                continue  # a line with nothing in it
            if not fault and len(cells) != len(self._names):
                fault = f"{len(cells)} columns, not {len(self._names)}"
            yield self._row(line, cells, fault)

    def _row(self, line: int, cells: Sequence[str], fault: str) -> Row:
        if fault:
            return Row(line, fault=fault, is_whole=False)
        raw, end = _parted(bytes(self._lines.taken))
        named, fault = _named(self._columns, zip(self._names, cells, strict=True))
        return Row(line, raw, end or self._end, named, fault)

    def marked(self, row: Row, mark: str) -> bytes:
        """The row with one column more."""
        return row.raw + f"{self._delimiter}{mark}".encode() + row.end


class Objects:
    """A list as NDJSON: an object a line, whose keys may hold others, named with dots."""

    def __init__(self, lines: Lines, columns: Columns, mark: str) -> None:
        self._lines, self._mark = lines, mark
        self._columns = columns

    def head(self, *, marked: bool) -> bytes:
        """Nothing but what the list began with."""
        del marked
        return self._lines.bom

    def __iter__(self) -> Iterator[Row]:
        for line in count(1):
            self._lines.taken.clear()
            try:
                text = next(self._lines)
            except StopIteration:
                return
            except TooLongError:
                yield Row(line, fault=f"longer than {LONGEST} bytes", is_whole=False)
                continue
            if text.strip():
                yield self._row(line, text)

    def _row(self, line: int, text: str) -> Row:
        try:
            value = _of_json(text)
        except (ValueError, RecursionError):
            return Row(line, fault="no JSON", is_whole=False)
        if not isinstance(value, _Pairs):
            return Row(line, fault="no object", is_whole=False)
        if any(name == self._mark for name, _ in value):
            return Row(line, fault=f"it has a key `{self._mark}` already", is_whole=False)
        raw, end = _parted(bytes(self._lines.taken))
        named, fault = _named(self._columns, [("", value)])
        return Row(line, raw, end or b"\n", named, fault)

    def marked(self, row: Row, mark: str) -> bytes:
        """The row with one key more: nothing else of it is written anew."""
        before = row.raw.rstrip().removesuffix(b"}").rstrip()
        comma = b"" if before.endswith(b"{") else b","
        return before + comma + f'"{self._mark}":"{mark}"}}'.encode() + row.end


class _Pairs(tuple[tuple[str, Any], ...]):
    """An object of JSON with every key, also one that is there twice."""

    __slots__ = ()


def rows(
    stream: BufferedReader, columns: Columns, suffix: str = "", mark: str = MARK
) -> tuple[Rows, Lines]:
    """The rows of a list, by what a file's name ends with; where that says nothing, by how it
    begins. `mark` is what a marked row has more. Raises `ListError`.
    """
    lines = Lines(stream)
    if suffix.lower() in OF_JSON:
        return Objects(lines, columns, mark), lines
    begins = b"" if suffix.lower() in OF_TABLES else stream.peek(1)
    if begins.removeprefix(_BOM).lstrip().startswith(b"{"):
        return Objects(lines, columns, mark), lines
    return Table(lines, columns, mark), lines


def _first(lines: Lines) -> tuple[str, bytes]:
    """The names of the columns, on as many lines as their quotes go over; empty lines are none."""
    text = ""
    try:
        while not text.strip():
            lines.taken.clear()
            text = next(lines)
        while text.count('"') % 2:
            text += next(lines)
    except StopIteration:
        raise ListError("there is no line with the names of the columns") from None
    except TooLongError:
        raise ListError("the line with the names of the columns is too long") from None
    return text, bytes(lines.taken)


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def _of_json(text: str) -> Any:
    """A value of JSON, its numbers as they are written. Raises as `json.loads`."""
    return json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)


def _leaves(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    """Every text in these, with its dotted name; those in a list have the list's.

    What is JSON again, as payloads are, is opened. Keys are texts without a name.
    """
    waiting = list(named)
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, _Pairs):
            waiting += [(f"{name}.{key}" if name else key, inner) for key, inner in value]
            yield from (("", key) for key, _ in value)
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, str):
            inner = _inside(value)
            if inner is None:
                yield name, value
            else:
                waiting.append((name, inner))


def _inside(text: str) -> _Pairs | list[Any] | str | None:
    """What a text says in JSON, if it begins as an object, a list or a text does."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        found = _of_json(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, _Pairs | list | str) else None


def _named(
    columns: Columns, every: Iterable[tuple[str, Any]]
) -> tuple[tuple[tuple[str, str], ...], str]:
    """Who is named, as far as it can be looked up; and why that is not all, or empty.

    An address is looked up wherever it stands. But who is known by none where people are named may
    be somebody whom another's address only stands beside.
    """
    found, fault, is_named = dict[tuple[str, str], None](), "", False
    for name, text in _leaves(every):
        kind, value = columns.kind(name), cleaned(text)
        if not value or not (kind or may_hold(value)):
            continue
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            fault = f"its {kind or 'text with an address'} is not UTF-8"
            continue
        there = mailboxes(value)
        found |= {(EMAIL, it): None for it in there.found}
        if kind:
            is_named = True
            found |= {(kind, value): None, (kind, value.removeprefix("'")): None}
        if kind == EMAIL:
            fault = fault if there.are_all else "its email is no address, or not only that"
        elif there.run_on:
            fault = "an address in it cannot be told from what is around it"
    return tuple(found), fault or ("" if is_named else "it names nobody")


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """A row, and the end of its line."""
    bare = raw.rstrip(b"\r\n")
    return bare, raw[len(bare) :]

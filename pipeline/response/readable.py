"""Values of exported records as text that a person reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

_MOMENT = len("2026-03-05T10:00:00")
_LONGEST_MOMENT = 64
_DATED = re.compile(r"(^|_)(at|created|date|end|since|start|timestamp|updated)$", re.IGNORECASE)
_SECONDS = 10**9, 10**10
"""Since 1970, of a moment after 2001 and before 2286."""
_BLOCKS = frozenset({"blockquote", "br", "div", "h1", "h2", "h3", "li", "p", "table", "tr", "ul"})
_TAGS = "|".join(sorted(_BLOCKS | {"a", "b", "body", "html", "span", "strong"}))
_TAG = re.compile(r"(?:([a-zA-Z][a-zA-Z0-9]*)|/[a-zA-Z]|[!?])[^>]*>")
_MARKED_UP = re.compile(rf"\s*<(?:{_TAGS})[\s>/]", re.IGNORECASE)


def text(value: Any) -> str:
    """A value that came as JSON, as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return moment(without_markup(value))
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"


def moment(said: str) -> str:
    """A moment in ISO 8601 as people write it; any other text as it is."""
    if not _MOMENT <= len(said) <= _LONGEST_MOMENT or said[10:11] not in {"T", " "}:
        return said
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return said
    return f"{at.day} {at:%B %Y, %H:%M}{_zone(at)}"


def dated(name: str, value: Any) -> Any:
    """A number that is a moment by its name and its size, in ISO 8601; anything else as it is."""
    if not isinstance(value, int | float) or not _DATED.search(name):
        return value
    if not _SECONDS[0] <= value < _SECONDS[1]:
        return value
    return datetime.fromtimestamp(value, UTC).isoformat()


def _zone(at: datetime) -> str:
    if at.tzinfo is None:
        return ""
    return f" ({at.isoformat()[-6:]})" if at.utcoffset() else " UTC"


def without_markup(said: str) -> str:
    """The words of a text that is an HTML document; any other text as it is.

    Only for reading: what is shown is escaped all the same. One pass over the text, whatever is in
    it: parsers that follow the standard crawl on what is made for that.
    """
    if not _MARKED_UP.match(said):
        return said
    try:
        return unescape("".join(_words(said))).strip() or said
    except ValueError:  # a character reference with thousands of digits
        return said


def _words(said: str) -> Iterator[str]:
    """What stands between the tags and comments, and a line break before each block."""
    last, *pieces = said.split("<")
    yield last
    comment: list[str] = []
    for piece in pieces:
        if comment or piece.startswith("!--"):
            comment.append(piece)
            _, ended, words = piece.partition("-->")
            if not ended:
                continue
            comment.clear()
        elif (tag := _TAG.match(piece)) is None:
            words = f"<{piece}"  # no tag: it was less than
        else:
            words = piece[tag.end() :]
            if (tag.group(1) or "").lower() in _BLOCKS and last and not last.endswith("\n"):
                last = "\n"
                yield last
        last = words or last
        yield words
    yield "".join(f"<{it}" for it in comment)  # one that never ends hides nothing

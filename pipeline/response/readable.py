"""Values of exported records as text that a person reads."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

_MOMENT = len("2026-03-05T10:00:00")
_DATED = re.compile(r"(^|_)(at|created|date|end|since|start|timestamp|updated)$", re.IGNORECASE)
_SECONDS = 10**9, 10**10
"""Since 1970, of a moment after 2001 and before 2286."""
_BLOCKS = frozenset({"blockquote", "br", "div", "h1", "h2", "h3", "li", "p", "table", "tr", "ul"})
_TAGS = "|".join(sorted(_BLOCKS | {"a", "b", "body", "html", "span", "strong"}))
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
    if len(said) < _MOMENT or said[10:11] not in {"T", " "}:
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

    Only for reading: what is shown is escaped all the same.
    """
    if not _MARKED_UP.match(said):
        return said
    parser = _Words()
    parser.feed(said)
    parser.close()
    return "".join(parser.found).strip() or said


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002  the parser's own
        if tag in _BLOCKS and self.found and not self.found[-1].endswith("\n"):
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        self.found.append(data)

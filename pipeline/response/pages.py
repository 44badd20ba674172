"""The pages of a package, out of templates that escape whatever they are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from . import words
from .answer import Answer
from .replies import STATES
from .shelves import Shelf

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html",), default=False),
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals.update(words=words)
_TEMPLATES.filters["ljust"] = lambda text: text.ljust(21)


def rendered(template: str, **shown: Any) -> bytes:
    """A page in UTF-8. What UTF-8 cannot hold (half a surrogate pair) becomes a question mark."""
    return _TEMPLATES.get_template(template).render(**shown).encode("utf-8", "replace")


def index(answer: Answer, held: Sequence[Shelf]) -> bytes:
    """The first page: the answer, and the records of each system as far as they have room."""
    return rendered("index.html", answer=answer, held=held, states=STATES)


def further(answer: Answer, shelf: Shelf) -> bytes:
    """A page with more records of one system."""
    return rendered("further.html", answer=answer, shelf=shelf)


def readme(answer: Answer, systems: Sequence[str]) -> bytes:
    """What is in the package, in plain text."""
    return rendered("README.txt", answer=answer, systems=systems)

"""The beginning of a connector: a folder of its own, whose test says what to do next."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

FILES: Mapping[str, str] = {
    "pyproject.toml": "pyproject.txt",
    "README.md": "readme.txt",
    "habeas_$name/__init__.py": "init.txt",
    "habeas_$name/connector.py": "connector.txt",
    "habeas_$name/sandbox.py": "sandbox.txt",
    "habeas_$name/py.typed": "",
    "tests/test_$name.py": "test.txt",
}
"""What is written, and the template of each; without one it is an empty file."""
_NAME = re.compile("[a-z][a-z0-9_]*")


class ScaffoldError(ValueError):
    """Nothing was written: the name cannot be a system's, or something is there already."""


def write(name: str, into: Path) -> list[Path]:
    """Write `habeas-<name>` into a folder: the files, in order. Raises `ScaffoldError`."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ScaffoldError(f"{name!r} is not a name in lower case, such as `acme` or `acme_crm`")
    root = into / f"habeas-{name}"
    if root.exists():
        raise ScaffoldError(f"{root} is there already")
    said = {"name": name, "class": "".join(it.capitalize() for it in name.split("_"))}
    written = []
    for path, template in FILES.items():
        made = root / Template(path).substitute(said)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(_filled(template, said) if template else "", encoding="utf-8")
        written.append(made)
    return written


def _filled(template: str, said: Mapping[str, str]) -> str:
    text = files(__package__).joinpath(template).read_text(encoding="utf-8")
    return Template(text).substitute(said)

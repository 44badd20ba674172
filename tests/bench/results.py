"""What a scenario measured: rows with their aims, and the series that a plot shows."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

_NUMBERS = re.compile(r"\[[\s\d.,-]+\]")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    figure: float
    unit: str
    aim: float | None = None
    sense: Literal["≤", "≥"] = "≤"
    """Whether the aim is the most or the least that the figure should be."""

    @property
    def met(self) -> bool | None:
        """Whether the aim was met; None where none is set."""
        if self.aim is None:
            return None
        return self.figure <= self.aim if self.sense == "≤" else self.figure >= self.aim


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one scenario measured."""

    rows: Sequence[Row]
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Numbers behind the rows, by name: what its plot draws."""

    def row(self, name: str) -> Row:
        """The row of that name."""
        return next(it for it in self.rows if it.name == name)


def read(file: Path) -> dict[str, Result]:
    """The results in a file, by scenario; none if there is no file."""
    if not file.exists():
        return {}
    return {name: _result(it) for name, it in json.loads(file.read_bytes())["scenarios"].items()}


def write(file: Path, results: Mapping[str, Result]) -> None:
    """Write the results, a line a figure and a line a series."""
    said = {
        "machine": f"{os.cpu_count()} processors, Python {platform.python_version()}",
        "scenarios": {name: _json(it) for name, it in results.items()},
    }
    text = json.dumps(said, indent=1, ensure_ascii=False)
    file.write_text(_NUMBERS.sub(lambda it: " ".join(it[0].split()), text) + "\n")


def _json(it: Result) -> dict[str, Any]:
    rows = [{**asdict(row), "met": row.met} for row in it.rows]
    return {"rows": rows, "series": it.series}


def _result(said: Mapping[str, Any]) -> Result:
    rows = [Row(**{k: v for k, v in it.items() if k != "met"}) for it in said["rows"]]
    return Result(rows=rows, series=said["series"])

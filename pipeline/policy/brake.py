"""When the brake engages by itself: the file of limits, read into a frozen record."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import PolicyError

SHIPPED = Path(__file__).parent / "brake.toml"
_NAMES = {"erasures_per_hour", "share_per_day", "systems"}
_OF_SYSTEM = {"records", "erasures_per_hour"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much may be erased before the brake engages by itself. None is no limit."""

    erasures_per_hour: int | None = None
    """Holdings of one system."""
    share_per_day: float | None = None
    """Of the records that a system has; it applies where `records` says how many."""
    records: Mapping[str, int] = field(default_factory=dict)
    """By system, approximately, as the operator states it."""
    per_hour: Mapping[str, int] = field(default_factory=dict)
    """By system, in place of `erasures_per_hour`."""

    def passed(self, system: str, hour: int, day: int, more: int) -> str:
        """Which limit `more` holdings would pass, in words; empty if none.

        `hour` and `day` were ordered to be erased there within the last hour and day.
        """
        rate = self.per_hour.get(system, self.erasures_per_hour)
        if rate is not None and hour + more > rate:
            return f"{hour} erased within an hour and {more} more would pass the limit of {rate}"
        if self.share_per_day is None or system not in self.records:
            return ""
        most = math.ceil(self.records[system] * self.share_per_day)
        if day + more > most:
            share = f"{self.share_per_day:.2%} of {self.records[system]} records"
            return f"{day} erased within a day and {more} more would pass {share}"
        return ""


def load(path: Path | None = None) -> Limits:
    """The limits in a file, by default those that come with Habeas. Raises `PolicyError`."""
    path = path or SHIPPED
    try:
        read = tomllib.loads(path.read_text())
    except OSError as error:
        raise PolicyError(
            f"cannot read {path} ({error.strerror}). HABEAS_BRAKE names the file of the brake's"
            " limits; without it the ones that come with Habeas are used."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: {error}") from None
    return _limits(path, read)


def _limits(path: Path, read: Mapping[str, Any]) -> Limits:
    _known(path, "", read, _NAMES)
    systems = read.get("systems", {})
    if not isinstance(systems, dict) or not all(isinstance(it, dict) for it in systems.values()):
        raise PolicyError(f"{path}: a system's limits are a table: [systems.freshdesk]")
    for system, of in systems.items():
        _known(path, f"systems.{system}.", of, _OF_SYSTEM)
    rate, share = read.get("erasures_per_hour"), read.get("share_per_day")
    _whole(path, "erasures_per_hour", rate)
    if share is not None and not (type(share) in {int, float} and 0 < share <= 1):
        raise PolicyError(f"{path}: share_per_day is a number above 0, at most 1")
    return Limits(
        erasures_per_hour=rate,
        share_per_day=share,
        records=_numbers(path, systems, "records"),
        per_hour=_numbers(path, systems, "erasures_per_hour"),
    )


def _numbers(path: Path, systems: Mapping[str, Any], name: str) -> dict[str, int]:
    for system, of in systems.items():
        _whole(path, f"systems.{system}.{name}", of.get(name))
    return {system: of[name] for system, of in systems.items() if name in of}


def _whole(path: Path, name: str, value: object) -> None:
    if value is not None and (type(value) is not int or value < 1):
        raise PolicyError(f"{path}: {name} is a whole number of at least 1")


def _known(path: Path, where: str, read: Mapping[str, Any], names: set[str]) -> None:
    """A misspelt limit would be no limit."""
    for name in read:
        if name not in names:
            known = ", ".join(sorted(names))
            raise PolicyError(f"{path}: {where}{name} is not known; there are {known}")

"""One table of a record's fields: which category each is of, and how it can be blanked, if at all.

What no table knows is content too: a field that a vendor adds is exported, and it is said that it
stays, before anybody says that nothing of a person was left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .interface import Category, NotSupported, Outcome, Redacted

FIXED: Final = "fixed"
"""The catalogue code of a field that the vendor's API cannot blank."""
REQUIRED: Final = "required"
"""The catalogue code of a field that the vendor refuses to have blank."""
UNKNOWN: Final = "unknown"
"""The catalogue code of a field that no table knows."""
INDIVISIBLE: Final = "indivisible"
"""The catalogue code of what stays as long as the record does."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Of one kind of record. A name is a field's, `a.b` of one inside another.

    A field inside one that is named is of its category, unless it is named itself.
    """

    categories: Mapping[str, Category]
    own: frozenset[str] = field(default=frozenset(), kw_only=True)
    """The vendor's own: keys, dates, settings. Exported with the record, of no category."""
    fixed: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Those that the API cannot blank."""
    required: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Those that the vendor refuses to have blank."""
    blank: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    """What to write where it is not the usual: none in a list or an object, else null."""
    always: frozenset[Category] = field(default=frozenset(), kw_only=True)
    """What the record is by being there: a member of a list is one whoever it is."""
    rest: Category = field(default=Category.PROFILE, kw_only=True)
    """Of what no table knows."""

    @property
    def every(self) -> frozenset[Category]:
        """The categories that a record may carry."""
        return frozenset({*self.categories.values(), *self.always, self.rest})

    def of(self, row: Mapping[str, Any]) -> frozenset[Category]:
        """The categories that have content now."""
        return frozenset(category for _, category, _ in self._content(row)) | self.always

    def blanks(self, row: Mapping[str, Any], keep: frozenset[Category]) -> dict[str, Any]:
        """What to write, by name, so that only `keep` is left, and what cannot be blanked."""
        return {
            name: self.blank.get(name, _blank(value))
            for name, category, value in self._content(row)
            if category not in keep and not self._stays(name)
        }

    def leftovers(self, row: Mapping[str, Any], keep: frozenset[Category]) -> dict[Category, str]:
        """The categories that cannot be blanked wholly, and why: a catalogue code."""
        content = ((category, self._stays(name)) for name, category, _ in self._content(row))
        stays = [*content, *((category, INDIVISIBLE) for category in self.always)]
        return {category: code for category, code in stays if code and category not in keep}

    def outcomes(self, row: Mapping[str, Any], due: frozenset[Category]) -> dict[Category, Outcome]:
        """What comes of writing `blanks`, for each category that was to go."""
        left = self.leftovers(row, self.every - due)
        return {it: NotSupported(left[it]) if it in left else Redacted() for it in sorted(due)}

    def only(self, row: Mapping[str, Any], wanted: frozenset[Category]) -> dict[str, Any]:
        """What of a row is surely of these categories.

        Of a kind that no field divides it is the whole row, or nothing.
        """
        if self.categories:
            return self._only("", row, None, wanted)
        return dict(row) if self.every <= wanted else {}

    def _only(
        self, prefix: str, row: Mapping[str, Any], of: Category | None, wanted: frozenset[Category]
    ) -> dict[str, Any]:
        found = {}
        for key, value in row.items():
            name = f"{prefix}{key}"
            category = self.categories.get(name, of)
            if name in self.own or not self._says(name, value):
                continue
            if isinstance(value, Mapping) and self._is_divided(name):
                inside = self._only(f"{name}.", value, category, wanted)
                if inside:
                    found[key] = inside
            elif category in wanted:
                found[key] = value
        return found

    def _content(self, row: Mapping[str, Any]) -> Iterator[tuple[str, Category, Any]]:
        """Each field that says something: its name, its category, its value."""
        yield from self._within("", row, None)

    def _within(
        self, prefix: str, row: Mapping[str, Any], of: Category | None
    ) -> Iterator[tuple[str, Category, Any]]:
        for key, value in row.items():
            name = f"{prefix}{key}"
            category = self.categories.get(name, of)
            if name in self.own or not self._says(name, value):
                continue
            if isinstance(value, Mapping) and self._is_divided(name):
                yield from self._within(f"{name}.", value, category)
            else:
                yield name, category or self.rest, value

    def _is_divided(self, name: str) -> bool:
        """Whether fields inside are named by themselves."""
        named = (*self.categories, *self.own, *self.fixed, *self.required, *self.blank)
        return any(it.startswith(f"{name}.") for it in named)

    def _says(self, name: str, value: Any) -> bool:
        return filled(value) and not (name in self.blank and value == self.blank[name])

    def _stays(self, name: str) -> str:
        """Why a field cannot be blanked; empty if it can."""
        around = name
        while around:
            if around in self.fixed:
                return FIXED
            if around in self.required:
                return REQUIRED
            if around in self.categories or around in self.blank:
                return ""
            around = around.rpartition(".")[0]
        return UNKNOWN


def filled(value: Any) -> bool:
    """Whether a value says anything, however deep: null, no, empty and blank say nothing."""
    match value:
        case Mapping():
            return any(filled(it) for it in value.values())
        case list() | tuple():
            return any(filled(it) for it in value)
        case str():
            return bool(value.strip())
        case _:
            return value is not None and value is not False


def at(row: Mapping[str, Any], name: str) -> Any:
    """The value of a field, `a.b` of one inside another; None if there is none."""
    value: Any = row
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _blank(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict.fromkeys(value)
    return [] if isinstance(value, list | tuple) else None

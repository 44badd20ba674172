"""A connector with one mistake that a team might make."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from connectors.sdk.conformance import World
from connectors.sdk.interface import Connector

WorldOf = Callable[[type[Connector]], AbstractAsyncContextManager[World]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong with it, and which test of the kit says so."""

    mistake: str
    make: Callable[[], type[Connector]]
    world_of: WorldOf
    caught_by: str

    @property
    def name(self) -> str:
        """The system and the mistake, for a test's id."""
        module = self.world_of.__module__.rpartition(".")[2]
        return f"{module.removeprefix('test_')}: {self.mistake}"


def written(of: type[Connector], world_of: WorldOf, caught_by: str) -> Mutant:
    """A subclass; its docstring is the mistake."""
    mistake = (of.__doc__ or "").strip().rstrip(".")
    return Mutant(mistake[:1].lower() + mistake[1:], lambda: of, world_of, caught_by)


@dataclass(frozen=True, slots=True)
class Text:
    """The source of a vendor's connector, to be changed in one place."""

    world_of: WorldOf
    package: str
    """`connectors.stripe`."""
    connector: str
    """The class, in the module `connector`."""

    def but(
        self, mistake: str, module: str, old: str, new: str, caught_by: str, *more: tuple[str, str]
    ) -> Mutant:
        """The same with one text for another in a module, or several."""
        make = partial(self._make, mistake, module, (old, new), *more)
        return Mutant(mistake, make, self.world_of, caught_by)

    def _make(self, mistake: str, module: str, *changes: tuple[str, str]) -> type[Connector]:
        """A package of another name, with all modules of the vendor's, and one that is changed."""
        real = importlib.import_module(self.package)
        name = f"mutant_{self.connector.lower()}_{re.sub('[^a-z0-9]+', '_', mistake.lower())}"
        package = ModuleType(name)
        package.__path__ = list(real.__path__)
        sys.modules[name] = package
        text = (Path(real.__path__[0]) / f"{module}.py").read_text(encoding="utf-8")
        for old, new in changes:
            text = changed(text, old, new)
        load(f"{name}.{module}", text)
        found: type[Connector] = getattr(
            importlib.import_module(f"{name}.connector"), self.connector
        )
        return found


def changed(text: str, old: str, new: str) -> str:
    """The text with one thing for another. Raises `LookupError` if that does not stand there."""
    if text.count(old) != 1:
        raise LookupError(f"stands there {text.count(old)} times, and not once: {old!r}")
    return text.replace(old, new)


def load(name: str, text: str) -> dict[str, Any]:
    """A module made of text; what it defines."""
    module = sys.modules[name] = ModuleType(name)
    module.__package__ = name.rpartition(".")[0]
    exec(compile(text, name, "exec"), vars(module))  # noqa: S102  that is what a mutant is
    return vars(module)

"""Find a connector or a sandbox by the name of its system, wherever it is packaged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

from .addresses import is_loopback, is_private
from .ceilings import Ceilings
from .interface import Capabilities, Connector, Limit

CONNECTORS = "habeas.connectors"
SANDBOXES = "habeas.sandboxes"
SANDBOX_KEY = "sandbox-"
"""How the credentials of every sandbox of ours begin."""


_LIMIT = re.compile(
    r"(?P<calls>[1-9][0-9]{0,8})/(?P<seconds>[1-9][0-9]{0,6})s(?: +(?P<route>\S+(?: \S+)?))?"
)


class NotInstalledError(LookupError):
    """No installed distribution has a connector (a sandbox) of that name that can be used."""


class SettingsError(ValueError):
    """A connector's environment variable is missing or cannot be read."""


def systems(group: str = CONNECTORS) -> tuple[str, ...]:
    """The systems that have an entry point in `group`, in alphabetical order."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load(group: str, system: str) -> Any:
    """What the entry point `system` of `group` names: a class."""
    for entry in entry_points(group=group, name=system):
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            raise NotInstalledError(f"{system}: {entry.value} cannot be had ({error})") from None
    known = ", ".join(systems(group)) or "none"
    raise NotInstalledError(f"{system} is not in {group}; installed: {known}")


def connector(system: str) -> type[Connector]:
    """The connector's class."""
    loaded: type[Connector] = load(CONNECTORS, system)
    if loaded.capabilities.system != system:
        said = loaded.capabilities.system
        raise NotInstalledError(f"the entry point {system} names a connector of {said}")
    return loaded


def connect(system: str, environ: Mapping[str, str]) -> Connector:
    """The connector of `system`, with its settings from `environ`.

    Raises `NotInstalledError`, or `SettingsError` with the name of the variable at fault.
    """
    return build(connector(system), environ)


def build(of: type[Connector], environ: Mapping[str, str]) -> Connector:
    """A connector of class `of`, with its settings from `environ`."""
    make: Any = of  # each has a constructor of its own, from its own `Settings`
    given = settings_of(of, environ)
    made: Connector = make(given)
    made.capabilities = replace(
        of.capabilities,
        limits=_limits(of.capabilities, given),
        settles_within=_settles_within(of.capabilities, given),
    )
    return made


def _settles_within(published: Capabilities, given: Any) -> timedelta:
    """As the connector declares, unless the operator knows it better: in seconds."""
    seconds = getattr(given, "settles_within", None)
    return published.settles_within if seconds is None else timedelta(seconds=seconds)


def settings_of(of: type[Connector], environ: Mapping[str, str]) -> Any:
    """The settings of a connector of class `of`, if its credentials belong to its address.

    Raises `SettingsError`; it names the variables, never a value.
    """
    make: Any = of
    system, known = of.capabilities.system, of.capabilities.credentials
    made = settings(system, make.Settings, environ)
    _check_addresses(system, made)
    _check_ceilings(system, made)
    _limits(of.capabilities, made)
    url = str(getattr(made, "url", ""))
    vendors = not is_loopback(url)
    wrong = (SANDBOX_KEY, *known.test) if vendors else known.live
    for field in fields(made):
        value = getattr(made, field.name)
        if field.name != "url" and isinstance(value, str) and value.startswith(wrong):
            key, where = variable(system, field.name), variable(system, "url")
            raise SettingsError(
                f"{key} is for tests, and {where} is the vendor's own address: give a live one"
                if vendors
                else f"{key} is live, and {where} is no address of the vendor: give a test's"
            )
    return made


def is_sandbox(system: str, environ: Mapping[str, str]) -> bool:
    """Whether a system is a sandbox on this machine; not if that cannot be told."""
    return is_loopback(environ.get(variable(system, "url"), ""))


def _check_addresses(system: str, made: Any) -> None:
    """Of every setting that is called `url`, or ends so: credentials go there."""
    for field in fields(made):
        value, is_address = getattr(made, field.name), f"_{field.name}".endswith("_url")
        if is_address and value != field.default and not is_private(value):
            name = variable(system, field.name)
            raise SettingsError(
                f"{name} is neither a plain https address nor one of this machine (no name and"
                " password, query or dot at the end of its host)"
            )


def _check_ceilings(system: str, made: Any) -> None:
    for field in fields(Ceilings) if isinstance(made, Ceilings) else ():
        if getattr(made, field.name) < 1:
            raise SettingsError(f"{variable(system, field.name)} is not 1 or more")


def _limits(published: Capabilities, made: Any) -> tuple[Limit, ...]:
    """The published limits, but for those that an account has its own of."""
    name = variable(published.system, "limits")
    given = [_limit(name, it) for it in getattr(made, "limits", ())]
    routes = {it.route for it in given}
    unknown = routes - {it.route for it in published.limits}
    if unknown:
        raise SettingsError(f"{name}: no limit of {min(unknown)} is known")
    return (*given, *(it for it in published.limits if it.route not in routes))


def _limit(name: str, text: str) -> Limit:
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise SettingsError(f"{name}: each is CALLS/SECONDSs, and a route: 20/60s GET /contacts")
    calls, seconds = int(found["calls"]), int(found["seconds"])
    return Limit(calls=calls, per=timedelta(seconds=seconds), route=found["route"] or "")


def variable(system: str, field: str) -> str:
    """The environment variable of a setting: `api_key` of `freshdesk` is
    `HABEAS_FRESHDESK_API_KEY`.
    """
    return f"HABEAS_{system}_{field}".upper().replace("-", "_")


def settings(system: str, of: type[Any], environ: Mapping[str, str]) -> Any:
    """`of`, a dataclass, from the environment.

    A field is a `str`, an `int`, a `bool` or a `tuple[str, ...]` (separated by commas).
    """
    given = {}
    for field in fields(of):
        name = variable(system, field.name)
        if name in environ:
            given[field.name] = _read(name, str(field.type), environ[name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise SettingsError(f"{name} is not set ({system} cannot be reached without it)")
    return of(**given)


def _read(name: str, kind: str, text: str) -> str | int | bool | tuple[str, ...]:
    match kind:
        case "int" | "<class 'int'>":
            if not text.strip().isdecimal():
                raise SettingsError(f"{name} is not a whole number")
            return int(text)
        case "bool" | "<class 'bool'>":
            if text.lower() not in {"true", "false"}:
                raise SettingsError(f"{name} is neither true nor false")
            return text.lower() == "true"
        case "tuple[str, ...]":
            return tuple(part.strip() for part in text.split(",") if part.strip())
        case "str" | "<class 'str'>":
            return text
        case _:
            raise SettingsError(f"{name}: a field is a str, an int, a bool or a tuple[str, ...]")

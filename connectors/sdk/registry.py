"""Find a connector or a sandbox by the name of its system, wherever it is packaged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from importlib.metadata import entry_points
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from .interface import Connector

CONNECTORS = "habeas.connectors"
SANDBOXES = "habeas.sandboxes"
SANDBOX_KEY = "sandbox-"
"""How the credentials of every sandbox of ours begin."""


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
    made: Connector = make(settings_of(of, environ))
    return made


def settings_of(of: type[Connector], environ: Mapping[str, str]) -> Any:
    """The settings of a connector of class `of`, if its credentials belong to its address.

    Raises `SettingsError`; it names the variables, never a value.
    """
    make: Any = of
    system, known = of.capabilities.system, of.capabilities.credentials
    made = settings(system, make.Settings, environ)
    url = str(getattr(made, "url", ""))
    vendors = not url or (urlsplit(url).scheme == "https" and not is_loopback(url))
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


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name, or no address at all
        return False


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

"""May we speak to this address, and to whom? TLS contexts, and the refusal of plaintext."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import structlog

from . import modes
from .settings import Settings, SettingsError

log = structlog.get_logger()


def context(
    prefix: str, *, ca: str, cert: str = "", key: str = "", group_may_read: str = ""
) -> ssl.SSLContext:
    """TLS that proves who the other is: by the certificates in the file `ca` (PEM), or without one
    by those of this machine; and who we are, by `cert` and `key`, where they are given.

    Raises `SettingsError`, naming the variable that begins with `prefix`; `ModesError` if others
    can read the key.
    """
    try:
        made = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise _unusable(f"{prefix}_CA", ca, error) from None
    if cert or key:
        if not (cert and key):
            raise SettingsError(f"{prefix}_CERT and {prefix}_KEY are set together, or neither")
        modes.refuse_open([Path(key)], group_may_read=group_may_read)
        try:
            made.load_cert_chain(cert, key, password=lambda: "")  # never ask on a terminal
        except (OSError, ValueError) as error:
            raise _unusable(f"{prefix}_CERT with {prefix}_KEY", cert, error) from None
    return made


def password(variable: str, file: str, settings: Settings) -> str:
    """The password in a file that is its owner's alone. Raises `SettingsError`, `ModesError`."""
    if not file:
        raise SettingsError(f"{variable} is not set")
    try:
        found = modes.read_secret(Path(file), group_may_read=settings.group_may_read)
    except (OSError, ValueError) as error:
        raise _unusable(variable, file, error) from None
    if not found:
        raise SettingsError(f"{variable}: {file} is empty")
    return found


def refuse_plaintext(variable: str, hosts: Iterable[str], *, instead: str, allowed: bool) -> None:
    """Raise `SettingsError` if one of these hosts is not this machine, unless it was allowed."""
    away = [it for it in hosts if not is_here(it)]
    if not away:
        return
    if not allowed:
        raise SettingsError(
            f"{variable}: {', '.join(away)} is not on this machine, and what goes there could be"
            f" read and changed on its way. {instead}; HABEAS_ALLOW_PLAINTEXT=1 if something else"
            " protects that way"
        )
    log.warning("transport.plaintext", variable=variable, hosts=away)


def is_here(host: str) -> bool:
    """Whether a host is this machine: its loopback, or a socket in a folder."""
    if host in {"", "localhost"} or host.startswith("/"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _unusable(variable: str, file: str, error: Exception) -> SettingsError:
    return SettingsError(f"{variable}: {file} cannot be used ({type(error).__name__})")

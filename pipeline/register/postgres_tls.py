"""Is the way to a PostgreSQL protected? What libpq calls `sslmode` and its files, for asyncpg."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import URL

from pipeline import transport

PROVED = ("verify-full", "verify-ca")
"""The modes of libpq that prove who the server is. The others take anybody's word, or none."""
_FILES = ("sslrootcert", "sslcert", "sslkey")


def tls_of(
    url: URL, *, allow_plaintext: bool, group_may_read: str = ""
) -> tuple[URL, dict[str, Any]]:
    """The URL without libpq's words on TLS, and what they are to asyncpg.

    `sslrootcert` is a file, or `system` (the default): what this machine trusts. Raises
    `SettingsError` if a database elsewhere would not be proved, unless that is allowed.
    """
    if url.get_backend_name() == "sqlite":
        return url, {}
    mode = _one(url, "sslmode") or _one(url, "ssl")
    plain = url.difference_update_query(("sslmode", "ssl", *_FILES))
    if mode not in PROVED:
        transport.refuse_plaintext(
            "HABEAS_REGISTER",
            _hosts(url),
            instead="Add ?sslmode=verify-full&sslrootcert=FILE to the URL",
            allowed=allow_plaintext,
        )
        return plain, {"ssl": mode} if mode else {}
    root, cert, key = (_one(url, it) for it in _FILES)
    made = transport.context(
        "HABEAS_REGISTER",
        ca="" if root == "system" else root,
        cert=cert,
        key=key,
        group_may_read=group_may_read,
    )
    made.check_hostname = mode == "verify-full"
    return plain, {"ssl": made}


def _hosts(url: URL) -> list[str]:
    """The host of the URL, and those in its query (`?host=a:5432&host=b:5432`).

    Without any it is libpq's variable that says it, to asyncpg as well.
    """
    named = url.query.get("host", ())
    several = [named] if isinstance(named, str) else named
    hosts = [part for it in several for part in it.split(",")]
    if not url.host and not hosts:
        return os.environ.get("PGHOST", "").split(",")
    return [url.host or "", *(it if it.startswith("/") else _name(it) for it in hosts)]


def _name(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() and "]" not in port else address


def _one(url: URL, name: str) -> str:
    found = url.query.get(name, "")
    return found if isinstance(found, str) else found[-1]

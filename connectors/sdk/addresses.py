"""Which addresses may have a vendor's credentials: https, this machine's own, a login's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_PLAIN = re.compile(
    rf"(?P<scheme>https?)://"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[a-z0-9._~!$&'()*+,;=:@%-]*)*)",
    re.ASCII | re.IGNORECASE,
)
"""No name and password, no query, no dot at the end of the host, and nothing that two readers of
addresses take for two things: a backslash, white space, letters beyond ASCII (IDNA is `xn--`)."""
_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A plain address of a server, as a browser would write it."""

    scheme: str
    host: str
    """In lower case, an IPv6 address without its brackets."""
    port: int
    path: str

    @classmethod
    def read(cls, text: str) -> Self | None:
        """None if it is not plain; see `_PLAIN`."""
        found = _PLAIN.fullmatch(text)
        if found is None:
            return None
        scheme = found["scheme"].lower()
        port = int(found["port"] or _PORTS[scheme])
        if not 0 < port <= _LAST_PORT:
            return None
        host = found["host"].lower().strip("[]")
        return cls(scheme=scheme, host=host, port=port, path=found["path"])

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        try:
            return self.host == "localhost" or ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False

    def is_under(self, domain: str) -> bool:
        """Whether the host is `domain`, or a name under it."""
        return self.host == domain or self.host.endswith(f".{domain}")


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine."""
    read = Address.read(url)
    return read is not None and read.is_here


def is_private(url: str) -> bool:
    """Whether nobody between here and there can read along: https, or on this machine."""
    read = Address.read(url)
    return read is not None and (read.scheme == "https" or read.is_here)


def is_same_vendor(url: str, *, login: str, domains: Sequence[str] = ()) -> bool:
    """Whether an address that the login at `login` answered with is of the same vendor.

    It has the login's own scheme, host and port; or both are https on the same port under one of
    `domains`, which are the vendor's alone. What else two names share proves nothing: whose
    `co.uk` is, no name tells.
    """
    to, of = Address.read(url), Address.read(login)
    if to is None or of is None or to.path not in {"", "/"} or to.port != of.port:
        return False
    if (to.scheme, to.host) == (of.scheme, of.host):
        return is_private(url)
    is_under_one = any(to.is_under(domain) and of.is_under(domain) for domain in domains)
    return to.scheme == of.scheme == "https" and is_under_one

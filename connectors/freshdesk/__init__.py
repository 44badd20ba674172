"""Freshdesk: contacts, and the tickets they opened."""

from .connector import Freshdesk
from .sandbox import FreshdeskSandbox

__all__ = ["Freshdesk", "FreshdeskSandbox"]

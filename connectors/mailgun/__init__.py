"""Mailgun: list members, suppressions and events of every sending domain."""

from .connector import Mailgun
from .sandbox import MailgunSandbox

__all__ = ["Mailgun", "MailgunSandbox"]

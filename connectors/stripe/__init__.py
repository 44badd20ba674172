"""Stripe: customers, payment methods, subscriptions, invoices, charges and checkout sessions."""

from .connector import Stripe
from .sandbox import StripeSandbox

__all__ = ["Stripe", "StripeSandbox"]

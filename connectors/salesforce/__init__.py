"""Salesforce: contacts, leads, their cases, and what was said and filed with them."""

from .connector import Salesforce
from .sandbox import SalesforceSandbox

__all__ = ["Salesforce", "SalesforceSandbox"]

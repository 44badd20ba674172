"""Salesforce: contacts, leads, their cases and what was said in them."""

from .connector import Salesforce
from .sandbox import SalesforceSandbox

__all__ = ["Salesforce", "SalesforceSandbox"]

"""Which field of which Salesforce object is which category of personal data.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.sdk.interface import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An object, by its API name, and the fields that are read. Those in `__c` are an org's own."""

    name: str
    content: Mapping[Category, tuple[str, ...]]
    """A category is there if one of its fields is filled; to erase it is to blank them all."""
    also: tuple[str, ...]
    """Exported, of no category and never blanked: keys, dates and opt-outs."""
    required: frozenset[str] = frozenset()
    """Salesforce refuses to blank these."""


SYSTEM: Final = ("Id", "IsDeleted", "CreatedDate", "SystemModstamp")
PHONES: Final = ("Phone", "MobilePhone", "HomePhone", "OtherPhone")

# Who objected must stay known as long as the record stays (GDPR Art. 21(3)): a blanked opt-out
# would be a consent that nobody gave.
_OPT_OUTS = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude")

TABLES: Final[Mapping[str, Table]] = {  # in the order of erasing: children first
    "comment": Table(
        name="CaseComment",
        content={Category.PROFILE: ("CommentBody",)},
        also=("ParentId",),
    ),
    "case": Table(
        name="Case",
        content={
            Category.IDENTITY: ("SuppliedName",),
            Category.CONTACT: ("SuppliedEmail", "SuppliedPhone", "SuppliedCompany"),
            Category.PROFILE: ("Subject", "Description"),
        },
        also=("CaseNumber", "ContactId", "Status", "Origin", "ClosedDate"),
    ),
    "lead": Table(
        name="Lead",
        content={
            Category.IDENTITY: ("Salutation", "FirstName", "LastName", "User_Id__c"),
            Category.CONTACT: (
                *("Email", "Phone", "MobilePhone", "Fax", "Company", "Title", "Website"),
                *_ADDRESS,
            ),
            Category.PROFILE: ("Description", "Industry"),
            Category.MARKETING: ("LeadSource", "Marketing_Interests__c"),
        },
        also=("Status", "IsConverted", "ConvertedContactId", "EmailBouncedReason", *_OPT_OUTS),
        required=frozenset({"LastName", "Company"}),
    ),
    "contact": Table(
        name="Contact",
        content={
            Category.IDENTITY: ("Salutation", "FirstName", "LastName", "Birthdate", "User_Id__c"),
            Category.CONTACT: (
                *("Email", "Other_Email__c", "Phone", "MobilePhone", "HomePhone", "OtherPhone"),
                *("Fax", "Title", "Department", "AssistantName", "AssistantPhone"),
                *(f"{of}{part}" for of in ("Mailing", "Other") for part in _ADDRESS),
            ),
            Category.PROFILE: ("Description",),
            Category.MARKETING: ("LeadSource", "Marketing_Interests__c"),
        },
        also=("AccountId", "EmailBouncedReason", *_OPT_OUTS),
        required=frozenset({"LastName"}),
    ),
}

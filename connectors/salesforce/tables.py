"""Which field of which Salesforce object is which category of personal data, and says whose it is.

https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connectors.sdk.fields import Fields
from connectors.sdk.interface import Category


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """An object, by its API name, and the fields that it has in every org.

    Those in `__c` are an org's own. What else an org has, its description tells: see `schema.py`.
    """

    name: str
    content: Mapping[Category, tuple[str, ...]]
    """A category is there if one of its fields is filled; to erase it is to blank them all."""
    also: tuple[str, ...] = ()
    """Exported, of no category and never blanked: keys, dates and opt-outs."""
    bears: Mapping[str, str] = field(default_factory=dict)
    """Fields that say who the record is of, and the kind of identifier in each. A name is
    told of the first and the last: a last name alone is nobody's given name.
    """
    owners: tuple[str, ...] = ()
    """The fields that refer to what it is part of: the first that leads to one of our kinds."""
    related: tuple[str, ...] = ()
    """Fields of what it refers to, read with it: without a name an id says nothing to a person."""
    is_whole: bool = False
    """Salesforce changes no such record, or nobody should: all of it is there, or none."""

    @property
    def fields(self) -> Fields:
        """Which field is of which category, as far as every org has it."""
        if self.is_whole:
            return Fields({}, always=frozenset(self.content))
        return Fields({name: of for of, names in self.content.items() for name in names})


CONVERTED: Final = "ConvertedContactId"
"""The contact that a lead became. It owns neither: whoever can write a lead owns no contact."""
LINKED: Final = "LinkedEntityId"
"""The record that a file hangs on: of the link between them, and read with the file."""
SYSTEM: Final = ("Id", "IsDeleted", "CreatedDate", "SystemModstamp")
_PHONES = ("Phone", "MobilePhone", "HomePhone", "OtherPhone")

# Who objected must stay known as long as the record stays (GDPR Art. 21(3)): a blanked opt-out
# would be a consent that nobody gave.
OPT_OUTS = ("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall")
_PERSON = {"Email": "email", "User_Id__c": "user_id"}
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude")
_WHOLE: Mapping[Category, tuple[str, ...]] = {Category.PROFILE: ()}

TABLES: Final[Mapping[str, Table]] = {  # in the order of erasing: children first
    "file": Table(
        name="ContentDocument", content=_WHOLE, also=("Title",), owners=(LINKED,), is_whole=True
    ),
    "attachment": Table(
        name="Attachment",
        content=_WHOLE,
        also=("Name", "ContentType"),
        owners=("ParentId",),
        is_whole=True,
    ),
    "note": Table(
        name="Note", content=_WHOLE, also=("Title", "Body"), owners=("ParentId",), is_whole=True
    ),
    "email": Table(
        name="EmailMessage",
        content={Category.CONTACT: (), Category.PROFILE: ()},
        also=(
            *("Subject", "TextBody", "HtmlBody", "Headers", "FromName", "Incoming"),
            *("CcAddress", "BccAddress"),
        ),
        bears={"FromAddress": "email", "ToAddress": "email"},
        owners=("ParentId",),
        is_whole=True,
    ),
    "task": Table(
        name="Task",
        content=_WHOLE,
        also=("Subject", "Description", "ActivityDate"),
        owners=("WhoId", "WhatId"),
        is_whole=True,
    ),
    "event": Table(
        name="Event",
        content=_WHOLE,
        also=("Subject", "Description", "Location", "StartDateTime"),
        owners=("WhoId", "WhatId"),
        is_whole=True,
    ),
    "campaign_member": Table(
        name="CampaignMember",
        content={Category.MARKETING: ()},
        also=("CampaignId", "Status", "HasResponded"),
        related=("Campaign.Name",),
        owners=("ContactId", "LeadId"),
        is_whole=True,
    ),
    "comment": Table(
        name="CaseComment",
        content={Category.PROFILE: ("CommentBody",)},
        owners=("ParentId",),
    ),
    "case": Table(
        name="Case",
        content={
            Category.IDENTITY: ("SuppliedName",),
            Category.CONTACT: ("SuppliedEmail", "SuppliedPhone", "SuppliedCompany"),
            Category.PROFILE: ("Subject", "Description"),
        },
        also=("CaseNumber", "ContactId", "Status", "Origin", "ClosedDate"),
        bears={"SuppliedEmail": "email", "SuppliedName": "name", "SuppliedPhone": "phone"},
        owners=("ContactId",),
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
        also=("Status", "IsConverted", CONVERTED, "EmailBouncedReason", *OPT_OUTS),
        bears={**_PERSON, "Phone": "phone", "MobilePhone": "phone"},
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
        also=("AccountId", "EmailBouncedReason", *OPT_OUTS),
        bears={**_PERSON, "Other_Email__c": "email", **dict.fromkeys(_PHONES, "phone")},
    ),
}
PEOPLE: Final = ("lead", "contact")
"""The kinds that stand for themselves, and may be linked to an Individual."""
PROCESSING: Final = "HasOptedOutProcessing"
SOLICITED: Final = ("HasOptedOutSolicit", "HasOptedOutProfiling")
"""Of an Individual: no marketing, and no guesses about them."""
INDIVIDUAL: Final = Table(name="Individual", content={}, also=("LastName", PROCESSING, *SOLICITED))
"""Whom contacts and leads are records of, in orgs where Data Protection and Privacy is on."""
VERSIONS: Final = "Versions"
"""Where a file's row has those of its versions."""
BESIDE: Final[Mapping[str, Table]] = {
    "version": Table(name="ContentVersion", content={}, also=("ContentDocumentId", "Title")),
    "campaign": Table(name="Campaign", content={}, also=("Name",)),
}
"""What is read with others: the versions of a file hold its bytes, a campaign has a name."""

PREFIXES: Final[Mapping[str, str]] = {
    "003": "contact",
    "00Q": "lead",
    "00T": "task",
    "00U": "event",
    "02s": "email",
    "500": "case",
}
"""How the ids of an object begin, in every org: the kinds that others hang on."""

SOMETIMES: Final[Mapping[str, Category]] = {
    **dict.fromkeys(("MiddleName", "Suffix", "Pronouns", "GenderIdentity"), Category.IDENTITY),
    **dict.fromkeys(("DepartmentGroup", "TitleType"), Category.CONTACT),
}
"""Fields of Salesforce's own that an org has once it has turned them on."""
VENDORS_OWN: Final = frozenset(
    {
        *("CleanStatus", "CompanyDunsNumber", "EmailBouncedDate", "IsEmailBounced", "Jigsaw"),
        *("Language", "LastCURequestDate", "LastCUUpdateDate", "PhotoUrl", "Priority", "Status"),
        *("ContactEmail", "ContactFax", "ContactMobile", "ContactPhone"),  # the contact's, in cases
    }
)
"""Fields of which Salesforce's own machinery decides, or that it copies: of no category."""

"""The objects of the sandbox's org: fields by Salesforce's types, ids, what hangs on what.

Objects and fields are those of a new org of Enterprise Edition, as the object reference has them
for API v68.0, but for a few dozen that say nothing of a person. Data Protection and Privacy is on.
Of the custom fields, nobody tells the connector of `Nickname__c`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

Row = dict[str, Any]
Fields = dict[str, str]
"""Name → one of `TYPES`."""

DATA: Final = "/services/data/v68.0"

NAMES: Final[Mapping[str, str]] = {
    "Contact": "contact",
    "Lead": "lead",
    "Case": "case",
    "CaseComment": "comment",
    "EmailMessage": "email",
    "Task": "task",
    "Event": "event",
    "CampaignMember": "campaign_member",
    "Attachment": "attachment",
    "Note": "note",
    "ContentDocument": "file",
    "ContentVersion": "version",
    "ContentDocumentLink": "link",
    "Campaign": "campaign",
    "Individual": "individual",
}
"""Object → what a table of the sandbox's is called."""
PREFIXES: Final = {
    "contact": "003",
    "lead": "00Q",
    "case": "500",
    "comment": "00a",
    "email": "02s",
    "task": "00T",
    "event": "00U",
    "campaign_member": "00v",
    "attachment": "00P",
    "note": "002",
    "file": "069",
    "version": "068",
    "link": "06A",
    "campaign": "701",
    "individual": "0PK",
}
USER: Final = "0055e0000000001AAA"
"""Who owns every record; the sandbox has no other user."""

_FIXED: Mapping[str, Any] = {"updateable": False}
TYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "id": {"type": "id", "nillable": False, **_FIXED},
    "boolean": {"type": "boolean", "nillable": False, **_FIXED},
    "stamp": {"type": "datetime", **_FIXED},
    "day": {"type": "date", **_FIXED},
    "system": {"type": "string", **_FIXED},
    "auto": {"type": "string", "autoNumber": True, **_FIXED},
    "formula": {"type": "string", "calculated": True, **_FIXED},
    "parent": {"type": "reference", **_FIXED},
    "blob": {"type": "base64", "filterable": False, "nillable": False, **_FIXED},
    "address": {"type": "address", "filterable": False, **_FIXED},
    "copy": {"type": "email", **_FIXED},
    "ids": {"type": "JunctionIdList", "filterable": False},
    "reference": {"type": "reference"},
    "flag": {"type": "boolean", "nillable": False},
    "text": {"type": "string"},
    "due": {"type": "string", "nillable": False},
    "long": {"type": "textarea", "filterable": False},
    "email": {"type": "email"},
    "phone": {"type": "phone"},
    "url": {"type": "url"},
    "pick": {"type": "picklist"},
    "number": {"type": "double"},
    "date": {"type": "date"},
    "locked": {"type": "string", **_FIXED},
}
"""What a description says of a field that is not so by default; `locked` is FLS's read-only."""
_DESCRIBED = {
    "autoNumber": False,
    "calculated": False,
    "filterable": True,
    "nillable": True,
    "updateable": True,
}

_SYSTEM: Fields = {
    "Id": "id",
    "IsDeleted": "boolean",
    "CreatedDate": "stamp",
    "SystemModstamp": "stamp",
    "OwnerId": "reference",
}
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")


def _texts(*names: str, type_: str = "text") -> Fields:
    return dict.fromkeys(names, type_)


def _address(of: str) -> Fields:
    return {
        **_texts(*(f"{of}{it}" for it in _ADDRESS)),
        **_texts(f"{of}Latitude", f"{of}Longitude", type_="number"),
        f"{of}GeocodeAccuracy": "pick",
        f"{of}Address": "address",
    }


_PERSON: Fields = {
    **_SYSTEM,
    **_texts("Salutation", "LeadSource", type_="pick"),
    **_texts("FirstName", "Title", "Fax", "User_Id__c", "Marketing_Interests__c", "Jigsaw"),
    "Nickname__c": "text",
    **_texts("HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", type_="flag"),
    **_texts("Phone", "MobilePhone", type_="phone"),
    **_texts("EmailBouncedReason", "PhotoUrl", type_="system"),
    "LastActivityDate": "day",
    "LastViewedDate": "stamp",
    "LastName": "due",
    "Name": "system",
    "Email": "email",
    "Description": "long",
    "CleanStatus": "pick",
    "IndividualId": "reference",
}
_ACTIVITY: Fields = {
    **_SYSTEM,
    **_texts("Subject", "Type"),
    **_texts("WhoId", "WhatId", type_="reference"),
    "Description": "long",
    "ActivityDate": "date",
    "IsArchived": "boolean",
}
FIELDS: Final[Mapping[str, Fields]] = {
    "Contact": {
        **_PERSON,
        **_texts("Department", "AssistantName"),
        **_texts("HomePhone", "OtherPhone", "AssistantPhone", type_="phone"),
        **_address("Mailing"),
        **_address("Other"),
        "Other_Email__c": "email",
        "Birthdate": "date",
        "AccountId": "reference",
        "ReportsToId": "reference",
    },
    "Lead": {
        **_PERSON,
        **_address(""),
        **_texts("Industry", "Status", "Rating", type_="pick"),
        "Company": "due",
        "Website": "url",
        "NumberOfEmployees": "number",
        "IsConverted": "boolean",
        "ConvertedContactId": "parent",
    },
    "Case": {
        **_SYSTEM,
        **_texts("Subject", "SuppliedName", "SuppliedCompany", "SuppliedPhone"),
        **_texts("Status", "Origin", "Priority", "Type", "Reason", type_="pick"),
        "SuppliedEmail": "email",
        "CaseNumber": "auto",
        "ClosedDate": "stamp",
        "ContactId": "reference",
        "ContactEmail": "copy",
        "Description": "long",
    },
    "CaseComment": {**_SYSTEM, "ParentId": "parent", "CommentBody": "long", "IsPublished": "flag"},
    "EmailMessage": {
        **_SYSTEM,
        **_texts("FromName", "Subject", "ToAddress", "CcAddress", "BccAddress"),
        **_texts("TextBody", "HtmlBody", "Headers", type_="long"),
        **_texts("Incoming", "HasAttachment", type_="flag"),
        "FromAddress": "email",
        "ParentId": "parent",
        "Status": "pick",
        "MessageDate": "stamp",
        "ToIds": "ids",
    },
    "Task": {**_ACTIVITY, **_texts("Status", "Priority", type_="pick")},
    "Event": {**_ACTIVITY, "Location": "text", "StartDateTime": "date", "EndDateTime": "date"},
    "CampaignMember": {
        **_SYSTEM,
        **_texts("CampaignId", "ContactId", "LeadId", type_="parent"),
        "Status": "pick",
        "HasResponded": "boolean",
        "Email": "copy",
    },
    "Attachment": {
        **_SYSTEM,
        **_texts("ContentType", "Description"),
        "Name": "due",
        "ParentId": "parent",
        "BodyLength": "number",
        "Body": "blob",
    },
    "Note": {**_SYSTEM, "Title": "due", "Body": "long", "ParentId": "parent"},
    "ContentDocument": {
        **_SYSTEM,
        **_texts("FileType", "FileExtension", type_="system"),
        "Title": "due",
        "Description": "long",
        "LatestPublishedVersionId": "parent",
    },
    "ContentVersion": {
        **_SYSTEM,
        **_texts("VersionNumber", "FileType", "FileExtension", type_="system"),
        **_texts("PathOnClient", "ReasonForChange"),
        "Title": "due",
        "ContentDocumentId": "parent",
        "ContentSize": "number",
        "ContentLocation": "pick",
        "VersionData": "blob",
    },
    "ContentDocumentLink": {
        "Id": "id",
        "IsDeleted": "boolean",
        "SystemModstamp": "stamp",
        **_texts("ContentDocumentId", "LinkedEntityId", type_="parent"),
    },
    "Campaign": {**_SYSTEM, "Name": "due", "Description": "long"},
    "Individual": {
        **_SYSTEM,
        **_texts("HasOptedOutProcessing", "HasOptedOutProfiling", type_="flag"),
        **_texts("HasOptedOutSolicit", "HasOptedOutTracking", type_="flag"),
        **_texts("HasOptedOutGeoTracking", "ShouldForget", "SendIndividualData", type_="flag"),
        "CanStorePiiElsewhere": "flag",
        "Salutation": "pick",
        "FirstName": "text",
        "LastName": "due",
        "Name": "system",
        "BirthDate": "date",
    },
    "UserPermissionAccess": {
        "Id": "id",
        "PermissionsViewAllData": "boolean",
        "PermissionsQueryAllFiles": "boolean",
    },
}
DEFAULTS: Final[Mapping[str, Row]] = {
    "contact": {"LastName": "Subject", "CleanStatus": "Pending"},
    "individual": {"LastName": "Subject"},
    "lead": {"LastName": "Subject", "Company": "[not provided]", "Status": "Open"},
    "case": {"Status": "New", "Origin": "Web", "Priority": "Medium"},
    "email": {"Status": "1", "Incoming": True},
    "task": {"Status": "Not Started", "Priority": "Normal"},
    "campaign_member": {"Status": "Sent"},
    "attachment": {"Name": "attachment"},
    "note": {"Title": "Note"},
    "campaign": {"Name": "Campaign"},
    "file": {"Title": "File"},
    "version": {"Title": "File", "VersionNumber": "1", "ContentLocation": "S"},
}
CASCADES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "contact": (("task", "WhoId"), ("event", "WhoId"), ("campaign_member", "ContactId")),
    "lead": (("task", "WhoId"), ("event", "WhoId"), ("campaign_member", "LeadId")),
    "case": (
        ("comment", "ParentId"),
        ("email", "ParentId"),
        ("task", "WhatId"),
        ("event", "WhatId"),
    ),
    "file": (("version", "ContentDocumentId"), ("link", "ContentDocumentId")),
}
"""What goes to the bin with a record, besides its attachments, notes and links to files."""
HANGS_ON_ANY: Final = (("attachment", "ParentId"), ("note", "ParentId"), ("link", "LinkedEntityId"))


def whole_of(name: str, fields: Mapping[str, str]) -> str | None:
    """The compound field that a field is a part of."""
    if name.endswith("__s"):  # Home__Street__s of Home__c
        return f"{name.split('__', maxsplit=1)[0]}__c"
    if name in {"Salutation", "FirstName", "LastName"} and "Name" in fields:
        return "Name"
    for it, type_ in fields.items():
        of = it.removesuffix("Address")
        if type_ == "address" and name in _address(of).keys() - {it} and not it.endswith("__c"):
            return it
    return None


def described(name: str, fields: Mapping[str, str]) -> Row:
    """An object's description, as far as it matters here."""
    return {
        "name": name,
        "queryable": True,
        "fields": [
            {
                "name": it,
                "custom": it.endswith(("__c", "__s")),
                "compoundFieldName": whole_of(it, fields),
                **_DESCRIBED,
                **TYPES[type_],
            }
            for it, type_ in fields.items()
        ],
    }


def shown(name: str, fields: Mapping[str, str], row: Row, asked: Iterable[str]) -> Row:
    """A record as it is answered: bytes by their address, a compound field by its parts."""
    attributes = {"type": name, "url": f"{DATA}/sobjects/{name}/{row['Id']}"}
    return {"attributes": attributes, **{it: _value(name, fields, row, it) for it in asked}}


def _value(name: str, fields: Mapping[str, str], row: Row, field: str) -> Any:
    type_ = TYPES[fields[field]]["type"]
    if type_ == "base64":
        return f"{DATA}/sobjects/{name}/{row['Id']}/{field}"
    if type_ != "address" and field != "Name":
        return row.get(field)
    parts = {it: row.get(it) for it in fields if whole_of(it, fields) == field}
    if field == "Name" and parts:
        return " ".join(it for it in (row["FirstName"], row["LastName"]) if it)
    return (parts if any(parts.values()) else None) if parts else row.get(field)


def blank(type_: str) -> bool | None:
    """What a field has that nobody filled."""
    return False if TYPES[type_]["type"] == "boolean" else None


def is_writable(type_: str) -> bool:
    """Whether a field can be changed."""
    return bool(TYPES[type_].get("updateable", True))


def is_filterable(type_: str) -> bool:
    """Whether a query may compare a field."""
    return bool(TYPES[type_].get("filterable", True))


def same(one: str | None, other: str) -> bool:
    """Whether two ids are the same record's: the last three of eighteen only guard the case."""
    return one is not None and one[:15] == other[:15]


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def new_id(kind: str, number: int) -> str:
    """An id of eighteen characters; each of the last three says which of five are capitals."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    short = f"{PREFIXES.get(kind, '01g')}5e0{digits}"
    fives = (short[at : at + 5] for at in (0, 5, 10))
    return short + "".join(_CHECK[sum(c.isupper() << n for n, c in enumerate(it))] for it in fives)


def stamp(at: datetime) -> str:
    """A moment, as Salesforce writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")

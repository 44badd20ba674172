"""A word of somebody as a record of consent, with the fields of ISO/IEC TS 27560:2023."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.policy import Policy
from pipeline.policy.preferences import GIVEN, OBJECTED, WITHDRAWN
from schemas.records import Preference

from .preferences import Shown

VERSION = "ISO/IEC TS 27560:2023"
STATES: Mapping[str, str] = {GIVEN: "given", WITHDRAWN: "withdrawn", OBJECTED: "objected"}
"""What an event is called there; another word of ours stands for itself."""


def record_of(shown: Shown, policy: Policy) -> dict[str, Any]:
    """A record, as JSON has it; what shows it is empty once that is forgotten."""
    said, told = shown.said, shown.told or Preference(kind="", value="", language="")
    use = policy.purposes.get(said.purpose)
    return {
        "header": {
            "schema_version": VERSION,
            "record_id": said.record,
            "pii_principal_id": told.value,
        },
        "processing": {
            "privacy_notice": told.notice,
            "language": told.language,
            "purpose": said.purpose,
            "purpose_description": "all direct marketing" if use is None else use.says,
            "lawful_basis": []
            if use is None
            else [f"GDPR Art. 6(1)({it.letter})" for it in use.bases],
            "pii_information": sorted(use.categories) if use is not None else [],
            "pii_controllers": [it.name for it in policy.entities] or [policy.controller],
            "collection_method": told.method,
            "collection_place": told.place,
            "wording": told.wording,
            "recipient_third_parties": list(told.third_parties),
            "withdrawal_method": told.withdrawal,
            "geographic_restrictions": told.country,
        },
        "party_identification": {
            "party_name": policy.controller,
            "party_role": "pii_controller",
            "party_address": policy.address,
            "party_contact": policy.dpo,
        },
        "event": {
            "entity_id": shown.intake,
            "event_type": "consent" if said.says in {GIVEN, WITHDRAWN} else "preference",
            "event_state": STATES.get(said.says, said.says),
            "event_time": said.at,
            "assurance_level": said.level,
            "evidence": told.evidence,
        },
    }

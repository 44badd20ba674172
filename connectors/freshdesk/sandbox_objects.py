"""The objects of the sandbox, with the fields that Freshdesk's have."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

REPLY = 0

CONTACT: Row = {
    "active": True,
    "address": None,
    "avatar": None,
    "company_id": None,
    "contact_type": "contact",
    "custom_fields": {},
    "description": None,
    "devices": [],
    "email": None,
    "job_title": None,
    "language": "en",
    "mobile": None,
    "name": None,
    "other_companies": [],
    "other_emails": [],
    "phone": None,
    "social_handler": [],
    "tags": [],
    "time_zone": "Berlin",
    "twitter_id": None,
    "unique_external_id": None,
    "view_all_tickets": False,
}

TICKET: Row = {
    "attachments": [],
    "cc_emails": [],
    "company_id": None,
    "custom_fields": {},
    "description": "<div>Not given.</div>",
    "description_text": "Not given.",
    "fwd_emails": [],
    "priority": 1,
    "reply_cc_emails": [],
    "responder_id": None,
    "source": 2,
    "spam": False,
    "status": 2,
    "subject": "",
    "tags": [],
    "to_emails": None,
    "type": None,
}

STATS: Row = dict.fromkeys(
    (
        *("agent_responded_at", "requester_responded_at", "first_responded_at", "pending_since"),
        *("status_updated_at", "reopened_at", "resolved_at", "closed_at"),
    )
)
"""A ticket's dates, which are shown only if they are asked for."""

CONVERSATION: Row = {
    "attachments": [],
    "body_text": "",
    "incoming": True,
    "last_edited_at": None,
    "last_edited_user_id": None,
    "private": False,
    "source": REPLY,
    "support_email": None,
    "to_emails": [],
}

AGENT: Row = {
    "available": True,
    "available_since": None,
    "contact": {"active": True, "email": "habeas@example.com", "name": "Habeas"},
    "created_at": "2020-01-01T00:00:00Z",
    "group_ids": [],
    "id": 77000000001,
    "last_active_at": None,
    "occasional": False,
    "role_ids": [],
    "signature": None,
    "ticket_scope": 1,
    "type": "support_agent",
    "updated_at": "2020-01-01T00:00:00Z",
}
"""Whose the keys are."""

"""What Freshdesk's connector says in plain words: why something stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.interface import NOT_OFFERED

REASONS: Mapping[str, str] = {
    NOT_OFFERED: "Freshdesk has no field for it.",
    "address_in_one": "Freshdesk has an address in one piece: correct it there by hand.",
    "archive_is_fixed": "Freshdesk lets nobody change a ticket that is archived.",
    "anchored": "Freshdesk requires an e-mail, phone, handle or external id on a contact.",
    "fixed": "Freshdesk's API cannot blank a contact's picture, devices or account elsewhere.",
    "forbidden": "The API key's owner may not change or delete this.",
    "in_trash": "The ticket is in Freshdesk's spam or trash: take it out to mark it.",
    "indivisible": "A ticket can only be deleted as a whole.",
    "not_fetched": "Freshdesk did not give us this file.",
    "no_identifier": "Freshdesk knows people by e-mail address and phone number only.",
    "not_done": "Freshdesk said that the ticket was deleted, and still shows it.",
    "not_found": "Freshdesk no longer has it.",
    "other_purpose": "Freshdesk can note that somebody wants no marketing, and no other purpose.",
    "refused": "Freshdesk refused the request.",
    "restore": "A deleted contact can be changed only if somebody restores it first.",
    "spam": "Open Freshdesk's spam folder and delete the ticket there.",
    "taken": "Another contact has this address: merge the two in Freshdesk.",
    "text_of_theirs": "What a ticket says is what was written: it is not corrected.",
    "unknown": "A field of Freshdesk's that we do not know how to blank.",
    "unblock": "Unblock the contact in Freshdesk, then order the task again.",
}
BEYOND: Mapping[str, str] = {
    "agents": "What Freshdesk has about people who worked with it as our agents.",
    "archived": "Old tickets that Freshdesk has archived, unless we knew of them: it lists none.",
    "elsewhere": "What you wrote in our forums or answered in a survey after a ticket.",
    "further_address": "A contact of yours that has your address only as a further one.",
    "in_copy": "Tickets of other people in which you were only in copy.",
    "mentioned": "Tickets of other people and notes of our agents that mention you in their text.",
    "unnamed": "A contact that has neither your address nor your phone number.",
}

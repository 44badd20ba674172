"""What Freshdesk's connector says in plain words: why something stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    "anchored": "Freshdesk requires an e-mail, phone, handle or external id on a contact.",
    "fixed": "Freshdesk's API cannot blank a contact's picture, devices or account elsewhere.",
    "forbidden": "The API key's owner may not change or delete this.",
    "indivisible": "A ticket can only be deleted as a whole.",
    "not_fetched": "Freshdesk did not give us this file.",
    "not_done": "Freshdesk said that the ticket was deleted, and still shows it.",
    "refused": "Freshdesk refused the request.",
    "restore": "A deleted contact can be changed only if somebody restores it first.",
    "spam": "Open Freshdesk's spam folder and delete the ticket there.",
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

"""Plain words for systems, kinds, categories, outcomes and codes. The page says nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

SYSTEMS: Mapping[str, str] = {
    "aws": "Amazon Web Services",
    "freshdesk": "Freshdesk",
    "google_ads": "Google Ads",
    "google_analytics": "Google Analytics",
    "habeas": "Habeas",
    "mailgun": "Mailgun",
    "paypal": "PayPal",
    "salesforce": "Salesforce",
    "segment": "Segment",
    "stripe": "Stripe",
}
CATEGORIES: Mapping[str, tuple[str, str]] = {
    "identity": ("Identity", "your name and the like: title, date of birth, user name"),
    "contact": ("Contact", "how to reach you: e-mail, telephone, address, job title"),
    "transaction": ("Transaction", "payments, receipts and invoices"),
    "technical": ("Technical", "your devices, browser, IP address and log-in details"),
    "profile": ("Profile", "what you told us: preferences, feedback, questions, purchases"),
    "usage": ("Usage", "how you use our website, products and services"),
    "marketing": ("Marketing", "which news you want from us, and how"),
}
RIGHTS: Mapping[str, tuple[str, str, str]] = {
    "access": ("a copy of your personal data", "Copy of your data", "GDPR Art. 15"),
    "erasure": ("the erasure of your personal data", "Erasure", "GDPR Art. 17"),
    "rectification": ("the correction of your personal data", "Correction", "GDPR Art. 16"),
    "restriction": ("a halt to the use of your personal data", "Restriction", "GDPR Art. 18"),
    "portability": ("your personal data to take along", "Portability", "GDPR Art. 20"),
    "objection": ("an end to a use of your personal data", "Objection", "GDPR Art. 21"),
    "objection_to_use": (
        "an end to a use of your personal data that we have an interest in",
        "Objection",
        "GDPR Art. 21(1)",
    ),
    "automated_decision": (
        "a person's review of decisions that a machine takes",
        "Automated decisions",
        "GDPR Art. 22",
    ),
}
IDENTIFIERS: Mapping[str, str] = {
    "email": "E-mail address",
    "phone": "Telephone number",
    "user_id": "Our own user id",
}
USED: Mapping[str, str] = {
    "vouched": "Used to search.",
    "link": "Used to search: you confirmed that it is yours.",
    "policy": "Used to search: our own records say that it is yours.",
    "dpo": "Used to search: our Data Protection Officer confirmed that it is yours.",
    "waiting": "Not used yet: confirm it with the button behind the link that we sent to it.",
    "unconfirmed": "Not used: you did not confirm it.",
    "unproved": "Not used: whoever passed your request on did not vouch that it is yours.",
    "found": "Not used: it stands beside yours in a record, and nobody has shown that it is yours.",
    "shared": "Not used to search: several people may share it.",
    "another": "Not used: it belongs to somebody else.",
}
"""What became of an identifier."""
PROVED: Mapping[str, str] = {
    "exported": "Copied into this package, whole.",
    "erased": "Erased. We looked again afterwards, and it was gone.",
    "redacted": "Blanked. We looked again afterwards, and nothing of this was left in it.",
    "anonymised": "Made anonymous. We looked again afterwards, and it no longer names you.",
    "rectified": "It says what you told us. We read it again afterwards.",
    "restricted": "Kept, and marked there as not to be used. We read the mark again afterwards.",
    "lifted": "Restricted no longer. We read it again afterwards, and the mark was off.",
    "suppressed": "Noted there, so that nothing under an address of yours that we know is used for"
    " it. We looked again afterwards.",
    "unaffected": "We read it: it has nothing of this that could be changed, or is gone.",
}
UNPROVED: Mapping[str, str] = {
    "expires": "It lies in a bin that the system empties by itself.",
    "blocked": "It cannot be erased before this date.",
    "queued": "The system has taken it into its queue, and does it by this date.",
    "attested": "A person did this by hand and says so. We could not look for ourselves.",
    "not_possible": "A person looked into it: it cannot be done.",
    "accepted": "The system took the order, but has no way to show that it was carried out.",
    "needs_human": "A person has to do this by hand.",
    "not_supported": "The system offers no way to do this.",
    "failed": "Not done.",
}
REASONS: Mapping[str, str] = {
    "answer_too_large": "What the system answered was too large for us to take.",
    "breaker_open": "The system did not answer reliably.",
    "circuit_open": "The system did not answer reliably.",
    "connector_error": "What the system answered could not be read.",
    "cut_short": "It broke off before its end.",
    "elsewhere": "It lies with somebody else, to whom the system only points.",
    "export_listed_twice": "What the system handed us was listed twice, so we did not use it.",
    "export_missing": "What the system handed us is not where it should lie.",
    "export_not_as_listed": "What the system handed us is not what it said that it would.",
    "export_not_listed": "The system said that it handed us something, and handed us nothing.",
    "export_not_opened": "What the system handed us could not be opened.",
    "export_not_readable": "What the system handed us could not be read.",
    "export_of_another_case": "What the system handed us does not belong to this request.",
    "export_of_no_system": "It is said to come from a system that we do not have.",
    "export_without_key": "What the system handed us could not be opened.",
    "facts_changed": "Something that decides about this changed while we were at it.",
    "forbidden": "The system did not let us read or change this.",
    "export_not_told_apart": "It could not be told apart what of it is yours.",
    "review_confirmed": "They looked anew at what a machine had decided, and it stands. You have"
    " their reasons.",
    "carry_out": "A person came to another result than the machine, and it is being carried out.",
    "human_review": "A person looks at it anew, with what you say about it; you hear the result.",
    "identifiers_unasked": "We did not ask it for every address that is yours.",
    "nothing_to_ask_by": "It can be asked by nothing that we may search with for you.",
    "whose_is_it": "It is not certain whose this is: it names, or is shared with, somebody else,"
    " or a system that may tell could not be searched. Our Data Protection Officer decides.",
    "no_function": "The system offers no way to do it, by hand neither.",
    "others_rights": "It would take from the rights of somebody else (GDPR Art. 15(4), 17(3)).",
    "out_of_reach": "It is no longer in our reach.",
    "left_by_dpo": "Our Data Protection Officer looks after this by hand.",
    "internal_error": "Something went wrong in our own systems, and a person looks after it.",
    "not_exported": "It, or a file that belongs to it, could not be copied.",
    "grounds_to_weigh": "You object to a use that we base on our own interests. Unless a person"
    " shows grounds for it that weigh more than yours, it ends (GDPR Art. 21(1)).",
    "compelling_grounds": "We have shown compelling grounds for the use that weigh more than your"
    " interests, and told you before (GDPR Art. 21(1)). The use goes on.",
    "legal_claims": "We need it for legal claims, as we told you before (GDPR Art. 21(1)). The use"
    " goes on.",
    "no_objection": "This use rests on your consent, on a contract with you or on a law, so that"
    " it cannot be objected to (GDPR Art. 21(1)). A consent you may take back, and of data you may"
    " ask for erasure or restriction.",
    "unknown_purpose": "Our privacy policy does not name this use. Our Data Protection Officer asks"
    " you which one you mean.",
    "not_measured": "It was not done.",
    "not_proved": "The system said that it is done, and not what we asked for.",
    "not_shown": "The system said that it was done, and when we read it again it was not.",
    "other_value": "Something else stands there than what you say is wrong. A person compares.",
    "text_stands": "Something is written there already: a person puts your statement beside it.",
    "no_outcome": "The system did not say what became of this.",
    "not_found": "The system no longer had it.",
    "address_unproved": "Nobody has shown yet that the new address is yours. A person enters it"
    " once that is so.",
    "moves_record": "It lies there under your address, so that another address is another record. A"
    " person sees to it.",
    "stands_elsewhere": "What is wrong still stands in another part of it. A person looks.",
    "already": "It bore this mark before we came.",
    "not_lifted": "The mark could not be taken off.",
    "not_offered": "The system has no means for it.",
    "observe_mode": "Our system changes nothing by itself at present: it only looks and reports.",
    "overdue": "The system did not answer in time.",
    "rate_limited": "The system asked us to slow down.",
    "refused": "The system refused our request.",
    "searching": "The search is still under way.",
    "still_there": "The system said that it was erased, but we found it again.",
    "timeout": "The system did not answer in time.",
    "unasked": "The search has not begun.",
    "unauthorised": "The system did not accept our log-in.",
    "unavailable": "The system was not available.",
}
JUSTIFICATIONS: Mapping[str, str] = {
    "eu-gdpr:A12Complexity": "It is complex.",
    "eu-gdpr:A12HighVolume": "It is one of many that we received.",
    "eu-gdpr:A12ManifestlyUnfounded": "It is manifestly unfounded (GDPR Art. 12(5)).",
    "eu-gdpr:A12ManifestlyExcessive": "It is manifestly excessive (GDPR Art. 12(5)).",
    "eu-gdpr:A17LegallyRequired": "The law requires us to keep the data (GDPR Art. 17(3)(b)).",
    "eu-gdpr:A17LegalClaims": "The data are needed for legal claims (GDPR Art. 17(3)(e)).",
}
"""Why a request is refused or takes longer, by DPV term."""
FACTS: Mapping[str, str] = {
    "last_charge": "Last payment",
    "last_invoice": "Last paid invoice",
    "last_contact": "Last contact",
    "last_erasure": "Last erasure",
    "last_word": "Last consent, or other word about what we may send",
    "last_request": "Last request before this one",
    "subscription_ended": "End of the last subscription",
}
"""What a period runs from, by the fact that tells it."""
LAWS: Mapping[str, str] = {
    "EU": "law of the European Union",
    "US": "law of the United States",
    "US-FL": "law of Florida",
}
"""Whose a statute is, by jurisdiction."""
UNDATED: Mapping[str, str] = {
    "relationship_lasts": "The years begin when the relationship ends, and a subscription is open."
    " We look again each year.",
    "anchor_unknown": "We do not know from when the years run: no system could tell for certain."
    " We look again each year.",
    "anchor_missing": "We do not know from when the years run: no system has a payment, or a"
    " contact. We look again each year.",
    "anchor_ahead": "We do not know from when the years run: a system has a date that lies in the"
    " future. We look again each year.",
    "no_period": "There is no date: it is kept as long as the reason for it lasts, and we look each"
    " year whether it does.",
}
"""Why what is kept has no date."""
RESTRICTED = (
    "What is kept may be used for nothing else (GDPR Art. 18(2)). Each line says whether the system"
    " marks it so."
)
"""That what is kept is restricted, said wherever something is."""
MARKED: Mapping[str, str] = {
    "restricted": "It is marked there as not to be used.",
    "unaffected": "It is gone by now.",
    "not_offered": "The system has no mark for that: nothing there prevents another use.",
    "own_use": "It has no other use there that a mark would have to prevent.",
    "": "It is not marked yet.",
}
"""Whether what is kept is marked, by `OutcomeRow.restricted`."""
DISPUTED: Mapping[str, str] = {
    "restricted": "Until then it is marked there as not to be used (GDPR Art. 18(1)(a)), and you"
    " hear before that ends.",
    "not_offered": "The system has no mark to keep it from being used until then.",
}
"""Whether what is said to be wrong is marked until a person has seen to it."""
NOT_MARKED = "It could not be marked there: nothing prevents another use."
SEARCHED = frozenset({"found", "nothing"})
"""What a system's row says if it was searched; anything else is why that is unknown."""
OTHER_REASON = "The system could not do it."
_NAME = re.compile(r"[A-Za-z0-9_. -]+")
_LONGEST_NAME = 200
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SHORT = {"id": "ID", "ids": "IDs", "url": "URL", "ip": "IP", "cc": "Cc", "bcc": "Bcc", "fr": "FR"}


def system(name: str) -> str:
    """A system as people call it."""
    return SYSTEMS.get(name) or label(name)


def place(of: str, kind: str) -> str:
    """A kind of record in a system: `Stripe customers`."""
    return f"{system(of)} {kinds(kind)}"


def kinds(name: str) -> str:
    """A kind of record, in the plural."""
    return plural(label(name).lower(), 0)


def used(how: str) -> str:
    """What became of an identifier."""
    return USED.get(how, USED["unconfirmed"])


def category(name: str) -> str:
    """A category of data, as the privacy policy names it."""
    return CATEGORIES[name][0] if name in CATEGORIES else label(name)


def right(name: str) -> str:
    """What is asked for: `a copy of your personal data`."""
    return RIGHTS[name][0] if name in RIGHTS else label(name).lower()


def title(name: str) -> str:
    """The right as a heading."""
    return RIGHTS[name][1] if name in RIGHTS else label(name)


def article(name: str) -> str:
    """The right's article; empty if it is none of the GDPR's."""
    return RIGHTS[name][2] if name in RIGHTS else ""


def identifier(kind: str) -> str:
    """What an identifier is called: `salesforce.contact` is `Salesforce contact ID`."""
    if kind in IDENTIFIERS:
        return IDENTIFIERS[kind]
    of, _, what = kind.partition(".")
    return f"{system(of)} {label(what).lower()} ID" if what else label(kind)


def reason(code: str, catalogue: Mapping[str, str]) -> str:
    """A code in words. `facts_missing:customer` names the facts; an unknown code stays general."""
    name, _, parameter = code.partition(":")
    if name == "facts_missing":
        facts = parameter.replace("_", " ").replace("+", ", ")
        return f"We could not find out what we need to know to decide this ({facts})."
    return catalogue.get(name) or REASONS.get(name) or OTHER_REASON


def label(name: str) -> str:
    """A field's or kind's name as words: `MobilePhone`, `mobile_phone` are `Mobile phone`.

    A name that is more than a name for programs stays as it is.
    """
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        return name
    words = [it.lower() for it in _WORD.findall(name.removesuffix("__c"))]
    said = " ".join(_SHORT.get(it, it) for it in words) or name
    return said[:1].upper() + said[1:]


def plural(noun: str, count: int) -> str:
    """The noun, with an `s` unless there is exactly one."""
    if count == 1:
        return noun
    return f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,204 records`."""
    return f"{count:,} {plural(noun, count)}"


def joined(parts: Iterable[str], by: str = "and") -> str:
    """`a, b and c`."""
    *first, last = list(parts) or [""]
    return f"{', '.join(first)} {by} {last}" if first else last


def hour(at: datetime) -> str:
    """`5 March 2026, 14:30 UTC`."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def day(at: datetime) -> str:
    """`5 March 2026`, in UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"

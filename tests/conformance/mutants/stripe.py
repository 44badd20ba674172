"""Mistakes in our own connector to Stripe."""

from __future__ import annotations

from tests.conformance.mutants.mutant import Text
from tests.conformance.test_stripe import world_of

STRIPE = Text(world_of, "connectors.stripe", "Stripe")
WHOLE = "test_everything_planted_is_in_the_copy"
PAGES = "test_everything_is_located_across_pages"
LIFTED = "test_lifting_gives_back_what_was_there[False]"
READ = "test_what_is_said_to_be_done_is_read_from_the_vendor[rectify]"

MUTANTS = [
    STRIPE.but(
        "takes the first page of a list for all of it",
        "client",
        """    if not body.get("has_more"):
        return None
""",
        "    return None\n",
        PAGES,
    ),
    STRIPE.but(
        "leaves out subscriptions that have ended",
        "kinds",
        '"subscription": {"status": "all"},',
        '"subscription": {},',
        PAGES,
    ),
    STRIPE.but(
        "believes that an invoice shows all its lines",
        "connector",
        """if isinstance(shown, dict) and shown.get("has_more") is False:""",
        "if isinstance(shown, dict):",
        WHOLE,
    ),
    STRIPE.but(
        "takes refunds that an answer leaves out for none",
        "kinds",
        """    ROUTES["charge"]: ("refunds",),  # since 2022-11-15
""",
        "",
        WHOLE,
        (
            """all(isinstance(it, dict) and it.get("has_more") is False for it in shown)""",
            """all(not it or it.get("has_more") is False for it in shown)""",
        ),
    ),
    STRIPE.but(
        "tells a date, and not where it was read",
        "facts",
        "else Fact(name, found, read)",
        "else Fact(name, found)",
        "test_what_is_located_was_declared",
    ),
    STRIPE.but(
        "leaves out the cards of a customer whose list it may not read",
        "finder",
        """        async for rows in self.cards(customer):
            yield "payment_method", rows
""",
        """        try:
            async for rows in self.cards(customer):
                yield "payment_method", rows
        except Exception:
            search.facts.miss()
""",
        "test_a_route_that_fails_is_never_absence[locate]",
    ),
    STRIPE.but(
        "sees a customer who was deleted",
        "finder",
        """ or row.get("deleted") is True""",
        "",
        "test_what_is_erased_is_no_longer_located",
    ),
    STRIPE.but(
        "detaches a card, and leaves what it says",
        "erasing",
        """await self._blank("payment_method", card, due - {Category.TRANSACTION})""",
        "pass",
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    STRIPE.but(
        "says of a charge that it is blank",
        "erasing",
        """            case _:
                return NotSupported("record_stays")
""",
        """            case _:
                return Redacted()
""",
        "test_what_is_erased_is_no_longer_located",
    ),
    STRIPE.but(
        "takes a phone for something else, and leaves it",
        "kinds",
        '''"phone": Category.CONTACT,
        "address": Category.CONTACT,
        "shipping"''',
        '''"phone": Category.PROFILE,
        "address": Category.CONTACT,
        "shipping"''',
        "test_what_is_kept_stays_and_the_rest_goes",
    ),
    STRIPE.but(
        "has no category for consent",
        "kinds",
        """        "consent.promotions": Category.MARKETING,
""",
        "",
        "test_what_is_copied_is_of_a_category_that_is_told",
    ),
    STRIPE.but(
        "does not search by a user id",
        "search",
        "        yield from ((ours, it) for it in ids)\n",
        "",
        PAGES,
    ),
    STRIPE.but(
        "marks a customer, and throws away all other notes",
        "marks",
        'change = {f"metadata[{mark}]": said}',
        'change = {"metadata": "", f"metadata[{mark}]": said}',
        LIFTED,
    ),
    STRIPE.but(
        "says of a payment that it is corrected",
        "details",
        "told[datum] = NotSupported(fixed)",
        "told[datum] = Rectified()",
        READ,
    ),
    STRIPE.but(
        "corrects a country, and forgets the street",
        "details",
        'whole = {part: _text(row, f"{prefix}address.{part}") for part in parts}',
        'whole = dict.fromkeys(parts, "")',
        "test_only_what_is_named_is_corrected",
    ),
    STRIPE.but(
        "enters a statement as the name",
        "details",
        'texts = {it: _TEXT if it is Datum.STATEMENT else f"{prefix}{it}" for it in data}',
        'texts = {it: "name" if it is Datum.STATEMENT else f"{prefix}{it}" for it in data}',
        "test_only_what_is_named_is_corrected",
    ),
    STRIPE.but(
        "notes an objection with the first customer only",
        "finder",
        """                    search.page("customer", [row])
                    yield row
""",
        """                    search.page("customer", [row])
                    yield row
                    return
""",
        "test_an_objection_stops_all_of_it",
    ),
]

"""What Stripe's connector says in plain words: why something stays, and what no search finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.sdk.interface import NOT_OFFERED

REASONS: Final[Mapping[str, str]] = {
    "balance_left": "There is still money or a debt at Stripe: it has to be settled first.",
    "card_stays": "Stripe keeps what is left of a payment method that no customer has any more.",
    "details_stay": "Stripe does not let the billing details of this payment method be changed.",
    "finalised": "Stripe does not change an invoice, a payment or a checkout once it is made.",
    "fixed": "Stripe does not let a means of payment of an older kind be blanked by itself.",
    "forbidden": "The API key may not do this.",
    "from_customer": "A draft of an invoice takes these details over from its customer.",
    "invoice_open": "An invoice is not paid yet, or not sent: it has to be closed in Stripe first.",
    "items_pending": "Something waits in Stripe for the next invoice: remove it or bill it first.",
    "metadata_full": "Stripe has no room for another mark on this: it has fifty notes already.",
    "not_fetched": "Stripe did not give us this file.",
    "not_found": "Stripe no longer has this.",
    NOT_OFFERED: "Stripe has no field or means for this.",
    "payment_open": "A payment is under way: it has to be captured or cancelled in Stripe first.",
    "record_stays": "Stripe has no way to delete the record of a payment.",
    "refused": "Stripe refused the request.",
    "schedule_active": "A planned subscription is still to come: end it in Stripe first.",
    "subscription_active": "A subscription is still running: it has to be ended in Stripe first.",
    "unknown": "A field of Stripe's that we do not know how to blank.",
}
BEYOND: Final[Mapping[str, str]] = {
    "attempts": "Payments, checkouts and cards that were begun and never finished.",
    "guests": "What somebody paid as a guest outside of Stripe's checkout page.",
    "papers": "Credit notes, quotes, single invoice items and planned subscriptions at Stripe.",
    "transfers": "The entries of payments in the balance of our account at Stripe.",
    "evidence": "What was sent to a bank as evidence in a dispute about a payment.",
    "identity_checks": "Checks of identity papers that Stripe made for us.",
    "events": "Stripe's log of what happened in our account, which it deletes after 30 days.",
}

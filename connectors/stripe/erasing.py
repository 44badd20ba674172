"""How Stripe's objects are erased: blanked, detached, deleted, each as far as Stripe goes."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sdk.http import UnauthorisedError
from connectors.sdk.interface import (
    Category,
    Erased,
    NeedsHuman,
    NotSupported,
    Outcome,
    Redacted,
    TerminalError,
)
from connectors.sdk.kinds import reference
from connectors.sdk.pages import Row

from .active import ENDED, active, subscribed
from .client import Client, Owner
from .finder import Finder
from .kinds import FIELDS, INSIDE, KINDS, ROUTES, fields_of, parameter


class Erasing:
    """Erases in one account."""

    def __init__(self, client: Client, finder: Finder, user_id_key: str) -> None:
        self._client = client
        self._finder = finder
        self._user_id_key = user_id_key

    async def erase(
        self, kind: str, row: Row, due: frozenset[Category], keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Erase what is due of an object that is there, but for `keep`."""
        match kind:
            case "customer":
                return await self._erase_customer(row, due, keep)
            case "payment_method":
                return await self._erase_payment_method(row, due)
            case "invoice" if row.get("status") == "draft" and not keep:
                await self._client.delete(ROUTES[kind], str(row["id"]))
                return Erased()
            case "subscription" if row.get("status") not in ENDED:
                return NeedsHuman("subscription_active")
            case _:
                return NotSupported("record_stays")

    async def _erase_customer(
        self, row: Row, due: frozenset[Category], keep: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Deleting would cancel what is active, so it is never done then."""
        if keep:
            await self._blank("customer", row, due)
            return fields_of("customer", self._user_id_key).outcomes(row, due)
        reason = await active(self._client, row)
        if reason:
            return NeedsHuman(reason)
        customer = str(row["id"])
        # There is no second chance to blank it, nor what Stripe detaches with it.
        async for cards in self._finder.cards(customer):
            for card in cards:
                await self._let_go(card, KINDS["payment_method"])
        await self._blank("customer", row, due)
        await self._client.delete(ROUTES["customer"], customer)
        return Erased()

    async def _erase_payment_method(
        self, row: Row, due: frozenset[Category]
    ) -> Outcome | Mapping[Category, Outcome]:
        """Once detached it can be neither used nor changed any more, and cannot be deleted."""
        customer = reference(row.get("customer"))
        if not customer:
            left = FIELDS["payment_method"].of(row)
            return {it: NotSupported("card_stays") if it in left else Redacted() for it in due}
        if Category.TRANSACTION in due:
            reason = await subscribed(self._client, customer)
            if reason:
                return NeedsHuman(reason)
        return await self._let_go(row, due)

    async def _let_go(self, card: Row, due: frozenset[Category]) -> Mapping[Category, Outcome]:
        """Blank a payment method's details, and detach it from its customer."""
        stays = FIELDS["payment_method"].leftovers(card, frozenset({Category.TRANSACTION}))
        said: Outcome = Redacted()
        try:
            await self._blank("payment_method", card, due - {Category.TRANSACTION})
        except UnauthorisedError:
            raise
        except TerminalError:  # those of some bank accounts are fixed
            said = NotSupported("details_stay")
        if Category.TRANSACTION in due:
            id_ = reference(card)
            await self._client.post(ROUTES["payment_method"], id_, {}, action="/detach")
        kept: dict[Category, Outcome] = dict.fromkeys(stays, NotSupported("details_stay"))
        kept[Category.TRANSACTION] = NotSupported("card_stays")
        return {it: kept.get(it, said) for it in due}

    async def _blank(self, kind: str, row: Row, due: frozenset[Category]) -> None:
        """Write nothing into every field of what is due; a tax number is deleted by itself."""
        fields = fields_of(kind, self._user_id_key)
        blanks = fields.blanks(row, fields.every - due)
        if blanks.pop("tax_ids.data", None) is not None:
            await self._delete_tax_ids(reference(row))
        if blanks:
            blank = {parameter(name): "" for name in blanks}
            await self._client.post(ROUTES[kind], reference(row), blank)

    async def _delete_tax_ids(self, customer: str) -> None:
        route = INSIDE["customer"]["tax_ids"]
        of = Owner(ROUTES["customer"], customer)
        pages = self._client.pages(route, {}, of, id=customer)
        for it in [it async for rows in pages for it in rows]:
            await self._client.delete(
                "/v1/customers/{customer}/tax_ids", str(it["id"]), customer=customer
            )

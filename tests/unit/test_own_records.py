"""Our own records: what is said where there is nothing to mark, and when the dates are true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.sdk import registry
from connectors.sdk.interface import Unaffected
from pipeline import app, own_records, policy
from pipeline.case.outcome import from_row, state, to_row
from pipeline.own_records.catalogue import OWN_USE, REASONS
from pipeline.response import replies, words
from pipeline.response.received import received
from pipeline.response.sources import SURE, sources
from pipeline.settings import Settings
from schemas.records import OutcomeRow
from tests.unit import answers

POLICY = policy.load()
DAY = timedelta(days=1)


def test_it_is_found_as_every_connector_is_and_is_part_of_every_pipeline() -> None:
    assert registry.connector(own_records.SYSTEM) is own_records.OwnRecordsConnector
    assert own_records.SYSTEM in app.systems(Settings())
    assert "host habeas" not in app.roles(Settings(systems="freshdesk"))
    assert own_records.SYSTEM in app.roles(Settings())


def test_beside_sandboxes_it_hinders_nobody_from_acting_and_acts_on_no_vendor() -> None:
    settings = Settings(systems="freshdesk,habeas")
    sandbox = {"HABEAS_FRESHDESK_URL": "http://127.0.0.1:1"}
    assert not app.observes(settings, sandbox)
    assert app.observes(settings, {"HABEAS_FRESHDESK_URL": "https://acme.freshdesk.com"})


def test_that_nothing_is_to_be_changed_may_have_a_reason() -> None:
    row = to_row(Unaffected(OWN_USE))
    assert row == OutcomeRow(kind="unaffected", reason=OWN_USE)
    assert (from_row(row), state(row)) == (Unaffected(OWN_USE), "proved")
    assert to_row(Unaffected()) == OutcomeRow(kind="unaffected")
    assert from_row(OutcomeRow(kind="unaffected")) == Unaffected()
    assert replies.outcome(row, POLICY, REASONS) == REASONS[OWN_USE]
    assert "could be changed" in replies.outcome(to_row(Unaffected()), POLICY, REASONS)
    assert OWN_USE in words.MARKED


def test_what_we_alone_hold_has_no_recipient_and_no_other_source() -> None:
    ours = [
        ("habeas", it.kind, category)
        for it in POLICY.data
        if it.system == "habeas"
        for category in sorted(it.categories)
    ]
    order = answers.order((), "access")
    assert list(received(order, POLICY, ours, set())) == []
    assert {it.how for it in sources(POLICY, ours)} == {SURE}
    both = [*ours, ("stripe", "customer", "contact")]
    told = {it.name: it for it in received(order, POLICY, both, set())}
    assert "Stripe" in told
    assert told["PayPal"].rows == (("stripe", "customer", "contact"),)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("record_key_lives", "bizxpert.own-requests"),
        ("erasure_memory", "bizxpert.erasure-memory"),
    ],
)
def test_a_date_that_people_are_told_is_the_one_on_which_it_goes(name: str, rule: str) -> None:
    shipped = Settings()

    def changed(lives: timedelta, **more: Any) -> Settings:
        return replace(shipped, **{name: lives, **more})

    assert list(own_records.periods_that_differ(POLICY, shipped)) == []
    for lives in (timedelta(0), 2 * 366 * DAY, 3 * 365 * DAY - DAY, 3 * 366 * DAY + DAY):
        (said,) = own_records.periods_that_differ(POLICY, changed(lives))
        assert rule in said
        assert f"HABEAS_{name.upper()}" in said
    with pytest.raises(app.SetupError, match=rule):
        app.check_policy(changed(400 * DAY))
    app.check_policy(changed(400 * DAY, systems="freshdesk"))

"""How long something is kept: the arithmetic against an oracle that shares no code with it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import policy
from pipeline.case import plan
from pipeline.case.facts import Told, together
from pipeline.policy import retention
from pipeline.policy.anchors import ANCHORS, Began, Undated, reckoned
from pipeline.policy.retention import Retention
from pipeline.response import kept, words
from schemas.records import OutcomeRow, PeriodRow

DAYS = st.dates(date(1999, 1, 1), date(2090, 12, 31))
TOLD = DAYS.map(str) | st.just("false")
DATES = ("subscription_ended", "last_charge", "last_invoice", "last_contact")
WORLDS = st.fixed_dictionaries(
    {},
    optional={
        "subscription_open": st.sampled_from(["true", "false"]),
        **dict.fromkeys(DATES, TOLD),
    },
)
SHIPPED = policy.load()
BASIC = next(it for it in SHIPPED.retention if it.id == "bizxpert.basic-customer-record")
TAX = next(it for it in SHIPPED.retention if it.id == "bizxpert.payments")
NAME = ("salesforce", "contact", "identity")
CHARGE = ("stripe", "charge", "transaction")


def told(facts: dict[str, str]) -> dict[str, Told]:
    always = {"customer": "true", "purchase": "true"}
    return {name: Told(value=it) for name, it in (always | facts).items()}


def six_years_on(day: str) -> str:
    """By the calendar on the wall: the same day, or the last one that this month has."""
    year, month, number = day.split("-")
    for less in range(4):
        with suppress(ValueError):
            return date(int(year) + 6, int(month), int(number) - less).isoformat()
    raise AssertionError(day)


def expected(facts: dict[str, str]) -> str:
    """The last day that a name is kept, or why there is none: the policy's sentence, by hand."""
    if facts.get("subscription_open") == "true":
        return "relationship_lasts"
    if "subscription_open" not in facts or any(it not in facts for it in DATES):
        return "anchor_unknown"
    days = sorted(facts[it] for it in DATES if facts[it] != "false")
    return six_years_on(days[-1]) if days else "anchor_missing"


def last(facts: dict[str, str]) -> date:
    """The day of the latest of these facts, on which nothing is over."""
    days = [it for it in map(facts.get, DATES) if it and it != "false"]
    return date.fromisoformat(max(days, default="1999-01-01"))


@given(facts=WORLDS)
def test_a_name_is_kept_for_six_years_after_the_later_of_end_and_contact(
    facts: dict[str, str],
) -> None:
    found = plan.decide(*NAME, told(facts), SHIPPED, last(facts))
    assert found.action == plan.KEEP
    assert (str(found.until.date()) if found.until else found.reason) == expected(facts)
    assert (found.period is None) == (found.until is None)


@given(facts=WORLDS, on=DAYS)
def test_what_is_kept_has_a_date_that_is_not_over_or_says_why_it_has_none(
    facts: dict[str, str], on: date
) -> None:
    for row in (NAME, CHARGE):
        found = plan.decide(*row, told(facts), SHIPPED, on)
        if found.action == plan.KEEP:
            assert bool(found.until) != bool(found.reason)
            assert found.until is None or found.until.date() >= on
        else:
            assert found.rests_on


@given(facts=WORLDS, day=DAYS.map(str))
def test_a_later_contact_never_brings_the_end_nearer(facts: dict[str, str], day: str) -> None:
    whole = {**dict.fromkeys(DATES, "false"), "subscription_open": "false", **facts}
    before = plan.decide(*NAME, told(whole), SHIPPED, last(whole)).until
    later = whole | {"last_contact": max(day, whole["last_contact"].replace("false", ""))}
    after = plan.decide(*NAME, told(later), SHIPPED, last(later)).until
    assert before is None or (after is not None and after >= before)


@pytest.mark.parametrize("year", range(2019, 2031))
@pytest.mark.parametrize("day", ["01-01", "02-28", "12-31"])
def test_a_payment_is_kept_for_six_years_after_its_year(year: int, day: str) -> None:
    facts = {"last_charge": f"{year}-{day}", "last_invoice": "false"}
    found = plan.decide(*CHARGE, told(facts), SHIPPED, date(year, 12, 31))
    assert str(found.until) == f"{year + 6}-12-31 23:59:59.999999+00:00"


@pytest.mark.parametrize(
    ("day", "said"),
    [("2027-03-03", "2033-03-03"), ("2027-03-04", "anchor_ahead"), ("2999-12-31", "anchor_ahead")],
)
def test_a_date_far_in_the_future_is_believed_by_no_rule(day: str, said: str) -> None:
    facts = dict.fromkeys(DATES, "2025-05-06") | {"subscription_open": "false", "last_contact": day}
    found = plan.decide(*NAME, told(facts), SHIPPED, date(2026, 3, 2))
    assert found.action == plan.KEEP
    assert (str(found.until.date()) if found.until else found.reason) == said


def test_a_period_that_is_over_rests_on_the_dates_that_say_so() -> None:
    facts = dict.fromkeys(DATES, "2019-05-06") | {"subscription_open": "false"}
    found = plan.decide(*NAME, told(facts), SHIPPED, date(2026, 3, 2))
    assert found.action == plan.ERASE
    assert found.rests_on == {"subscription_open", *DATES}


def test_what_of_two_anchors_is_unknown_or_to_come_leaves_no_day() -> None:
    known = {"last_contact": "2025-03-04", "subscription_open": "false"}
    assert reckoned(["relationship_end", "last_contact"], known) is Undated.UNKNOWN
    lasting = {"subscription_open": "true"}  # and when the last contact was is unknown
    assert reckoned(["relationship_end", "last_contact"], lasting) is Undated.LASTS
    bought = known | dict.fromkeys(DATES[:3], "false")
    found = reckoned(["relationship_end", "last_contact"], bought)
    assert isinstance(found, Began)
    assert (found.anchor, found.fact, found.day) == (
        "last_contact",
        "last_contact",
        date(2025, 3, 4),
    )


# What several systems say.


def test_a_date_needs_every_system_and_is_told_by_the_one_that_has_it() -> None:
    early = Told(value="2024-05-06", system="freshdesk", read="ticket.created_at")
    late = Told(value="2025-03-04", system="salesforce", read="email.MessageDate")
    never = Told(value="false", system="freshdesk")
    for said in permutations([early, late, never]):
        assert together("last_contact", said) == late
    assert together("last_contact", [late, None]) is None
    assert together("last_contact", [never, never]) == never
    assert together("customer", [None, Told(value="true")]) == Told(value="true")
    assert together("customer", [None, never]) is None


# What a rule may claim.


def rule(**said: object) -> Retention:
    row = {"id": "a", "says": "S.", "source": "P", "reason": "R", "needs": [], "rows": []}
    return retention.read({**row, "article": "GDPR Art. 17(3)(e)", **said})


@pytest.mark.parametrize(
    "article", ["GDPR Art. 17(3)(b)", "GDPR Art. 17(3)(e), (b)", "GDPR Art. 17 (3)(b), 6(1)(f)"]
)
@pytest.mark.parametrize(
    "law",
    [
        {},
        {"statute": "26 U.S.C. § 6501", "jurisdiction": "US"},
        {"statute": "X", "jurisdiction": "UK"},
    ],
)
def test_a_legal_obligation_without_a_law_of_the_union_is_refused(
    article: str, law: dict[str, str]
) -> None:
    """GDPR Art. 17(3)(b): Union or Member State law."""
    assert any(
        "17(3)(b)" in says for says, _ in retention.contradictions(rule(article=article, **law))
    )
    german = rule(article=article, statute="AO § 147", jurisdiction="DE")
    assert not [*retention.contradictions(german)]


def test_the_reason_may_claim_no_more_than_the_article() -> None:
    claims = rule(reason="eu-gdpr:A17LegallyRequired")
    assert [*retention.contradictions(claims)]
    assert not [*retention.contradictions(rule(article="GDPR Art. 17(3)(e), 6(1)(b)"))]


@pytest.mark.parametrize(
    "said",
    [{"years": 6}, {"anchors": ["last_contact"]}, {"statute": "AO § 147"}, {"jurisdiction": "DE"}],
)
def test_what_belongs_together_stands_together(said: dict[str, object]) -> None:
    assert [*retention.contradictions(rule(**said))]


def test_an_earlier_rule_with_one_anchor_is_read() -> None:
    assert rule(anchor="relationship_end", years=6).anchors == ("relationship_end",)
    with pytest.raises(KeyError):
        rule(anchors=["full_moon"])


def test_nothing_of_ours_is_kept_by_a_law_that_does_not_oblige() -> None:
    for it in SHIPPED.retention:
        assert not [*retention.contradictions(it)]
        assert it.jurisdiction == "EU" or "17(3)(b)" not in it.article


def test_every_anchor_is_reckoned_from_nothing_but_what_it_says_it_needs() -> None:
    for name, it in ANCHORS.items():
        whole = dict.fromkeys(it.needs, "2025-03-04") | {"subscription_open": "false"}
        assert isinstance(reckoned([name], whole), Began)


# How it is told.

STRIPE = PeriodRow(
    anchor="relationship_end",
    fact="last_charge",
    told="2025-03-04",
    system="stripe",
    read="charge.created",
    began="2025-03-04",
    years=6,
)


def outcome(**said: object) -> OutcomeRow:
    return OutcomeRow(kind="retained", rule=BASIC.id, **said)  # type: ignore[arg-type]


def test_the_answer_shows_the_arithmetic_and_the_statute() -> None:
    until = datetime(2031, 3, 4, 23, 59, 59, tzinfo=UTC)
    text = kept.says(outcome(until=until, period=STRIPE), SHIPPED)
    sum_ = "Last payment 4 March 2025, as Stripe has it, + 6 years = 4 March 2031."
    assert text.startswith(f"{BASIC.says} {sum_}")
    assert "GDPR Art. 17(3)(e)" in text
    assert "Fla. Stat. § 95.11(2)(b)" in text


def test_the_report_shows_where_it_was_read() -> None:
    until = datetime(2031, 3, 4, 23, 59, 59, tzinfo=UTC)
    text = kept.says(outcome(until=until, period=STRIPE), None)
    assert text == (
        "Kept under the rule bizxpert.basic-customer-record."
        " last_charge 2025-03-04 (stripe: charge.created) + 6 years = 2031-03-04"
        " It is not marked yet."
    )


def test_of_a_tax_year_both_days_are_shown() -> None:
    facts = {"last_charge": "2025-03-04", "last_invoice": "false"}
    found = plan.decide(*CHARGE, told(facts), SHIPPED, date(2026, 3, 2))
    assert found.period is not None
    row = OutcomeRow(kind="retained", rule=TAX.id, until=found.until, period=found.period)
    assert (
        "Last payment 4 March 2025; that year ended 31 December 2025, + 6 years = 31 December 2031."
    ) in kept.says(row, SHIPPED)


@pytest.mark.parametrize("why", [*Undated, plan.NO_PERIOD])
def test_what_has_no_date_says_why_and_that_we_look_each_year(why: str) -> None:
    text = kept.says(outcome(reason=why), SHIPPED)
    assert words.UNDATED[why] in text
    assert "each year" in words.UNDATED[why]

"""What a recovery decides: what to take over, where to read on, what to tell the DPO."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pipeline.case.decide import Said
from pipeline.case.fold import fold
from pipeline.case.lost import LostCase, lost, unread
from pipeline.cli.recover import show
from pipeline.kafka.ledger_topic import Unreadable
from pipeline.kafka.positions import Bounds
from pipeline.kafka.resume_offsets import ResumeOffset, resume_offsets
from pipeline.recovery.chain_merge import NotOneChainError, following, readable
from pipeline.recovery.recovery import Recovered
from pipeline.recovery.takeover import BrokenCase
from pipeline.register.store import chain, chained
from schemas import events as e
from schemas.records import LedgerEntry

from .worlds import CASE, START, Run, rules, small_world

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLACE = ("rights.results", 0)


def ledger(*said: Said) -> tuple[LedgerEntry, ...]:
    """What was said as the ledger has it, with the heads that the register fills in."""
    entries: list[LedgerEntry] = []
    for it in said:
        event = it.event
        if isinstance(event, e.ResponseOrdered | e.CaseReported):
            event = replace(event, head=chain(entries))
        entries += chained([replace(it, event=event)], b"", AT)[0]
    return tuple(entries)


def whole() -> tuple[LedgerEntry, ...]:
    run = Run(small_world())
    run.go("access", "erasure")
    return ledger(*run.said)


def by_number(entries: Iterable[LedgerEntry]) -> dict[int, LedgerEntry]:
    return {it.number: it for it in entries}


@pytest.mark.parametrize("backup", [0, 1, 10])
def test_what_a_register_lacks_is_taken_over_in_order(backup: int) -> None:
    entries = whole()
    ours, rest = entries[:backup], entries[backup:]
    assert following(ours, chain(ours), by_number(reversed(rest))) == rest


def test_a_gap_is_not_jumped_over() -> None:
    entries = whole()
    told = by_number(entries[10:])
    del told[13]
    with pytest.raises(NotOneChainError, match="event 13 is neither here nor on the topic"):
        following(entries[:10], chain(entries[:10]), told)


def test_another_event_under_a_number_is_a_fork() -> None:
    """Such as one that was decided on the restored register before it was recovered."""
    entries = whole()
    forked = replace(entries[10], id=uuid4())
    ours = (*entries[:10], forked)
    with pytest.raises(NotOneChainError, match="event 11 is another one here"):
        following(ours, chain(ours), by_number(entries[10:]))


def test_a_head_that_was_named_must_be_the_one_before_it() -> None:
    """The beginning is another one, and only what a later response names can show that."""
    entries = whole()
    other = replace(entries[1], body=replace_policy(entries[1]))
    ours = (entries[0], other, *entries[2:5])
    with pytest.raises(NotOneChainError, match="was said after other events"):
        following(ours, chain(ours), by_number(entries[5:]))


def replace_policy(opened: LedgerEntry) -> bytes:
    """`case_opened` under another policy."""
    event = e.CaseOpened(
        case=CASE,
        claims=("access",),
        received_at=START,
        due_at=START,
        intake="web",
        level=2,
        policy=b"another",
        identifiers=(),
    )
    assert opened.type == "case_opened"
    said = Said(number=2, id=opened.id, cause=None, event=event)
    return chained([said], b"", AT)[0][0].body


def test_a_register_that_does_not_give_its_own_head_is_not_added_to() -> None:
    entries = whole()
    with pytest.raises(NotOneChainError, match="do not give its head"):
        following(entries[:10], chain(entries[:9]), by_number(entries[10:]))


@pytest.mark.parametrize(
    ("stored", "committed", "bounds", "at", "commit", "deleted", "unread", "behind"),
    [
        (5, 9, Bounds(0, 9), 5, 5, 0, 0, True),  # restored: read again from the backup on
        (9, 5, Bounds(0, 9), 9, 5, 0, 0, False),  # died between transaction and commit
        (9, 9, Bounds(0, 9), 9, 9, 0, 0, False),
        (9, None, Bounds(0, 9), 9, 9, 0, 0, False),  # commits expire when a group is away for long
        (None, 9, Bounds(0, 9), 0, 0, 0, 0, True),  # another register, or an empty one
        (2, 9, Bounds(4, 9), 4, 4, 2, 0, True),  # retention took what was decided already
        (2, 3, Bounds(5, 9), 5, 3, 3, 2, True),  # and what nobody decided
        (9, None, Bounds(0, 3), 0, 0, 0, 0, False),  # a topic that was made anew
        (None, None, Bounds(0, 3), 0, 0, 0, 0, False),
    ],
)
def test_where_a_partition_is_read_on(  # noqa: PLR0917  a row of the table
    stored: int | None,
    committed: int | None,
    bounds: Bounds,
    at: int,
    commit: int,
    deleted: int,
    unread: int,
    behind: bool,  # noqa: FBT001
) -> None:
    (found,) = resume_offsets(
        {} if stored is None else {PLACE: stored},
        {} if committed is None else {PLACE: committed},
        {PLACE: bounds},
    )
    wanted = ResumeOffset(
        topic=PLACE[0],
        partition=PLACE[1],
        stored=stored,
        committed=committed,
        at=at,
        commit=commit,
        deleted=deleted,
        unread=unread,
    )
    assert found == wanted
    assert found.is_behind == behind


def told(said: Iterable[Said]) -> LostCase:
    case = fold((it.event for it in said), rules())
    assert case is not None
    return lost(case)


def test_a_lost_case_that_was_answered_needs_nobody_but_for_what_is_owed() -> None:
    run = Run(small_world(customer=False))
    run.go("access", "erasure")
    assert told(run.said).do == ("nothing: it was answered; its response cannot be opened again",)
    run = Run(small_world())
    run.go("erasure")
    (do,) = told(run.said).do
    assert do.startswith("come back yourself to what is owed: salesforce: ")


def test_a_lost_case_is_sent_again_only_while_nothing_was_ordered_to_be_erased() -> None:
    run = Run(small_world())
    run.go("access", "erasure")
    seen = set()
    for n in range(1, len(run.said) + 1):
        said = run.said[:n]
        do = " ".join(told(said).do)
        again, by_hand = "have the request sent again" in do, "do not send" in do
        ordered = any(isinstance(it.event, e.TaskOrdered) for it in said)
        assert again <= (not ordered)
        assert by_hand <= ordered
        assert bool(do)
        seen.add((again, by_hand))
    assert seen == {(True, False), (False, True), (False, False)}


def test_of_a_case_that_cannot_be_read_the_worst_is_taken_for_true() -> None:
    """Only the types of its events are known: an erasure that was ordered may have been done."""
    run = Run(small_world())
    run.go("access", "erasure")
    sealed = [replace(it, body=b"") for it in ledger(*run.said)]
    seen = set()
    for n in range(1, len(sealed) + 1):
        told_of = unread(CASE, None, sealed[:n], is_over=False)
        do = " ".join(told_of.do)
        again, by_hand = "have the request sent again" in do, "do not send" in do
        ordered = dict(told_of.unread).get("task_ordered", 0)
        assert (again, by_hand) == (not ordered, bool(ordered))
        assert sum(count for _, count in told_of.unread) == n
        seen.add((again, "come back yourself to what is owed" in do))
    assert seen == {(True, False), (False, False), (False, True)}
    (nothing,) = unread(CASE, None, sealed[:3], is_over=True).do
    assert nothing.startswith("nothing: its time was up")


def test_what_was_read_before_counts_for_a_case_of_which_the_end_cannot_be_read() -> None:
    run = Run(small_world())
    run.go("access", "erasure")
    at = next(n for n, it in enumerate(run.said) if isinstance(it.event, e.TaskOrdered)) + 1
    known = fold((it.event for it in run.said[:at]), rules())
    sealed = [replace(it, body=b"") for it in ledger(*run.said)[at:]]
    told_of = unread(CASE, known, sealed[:1], is_over=False)
    assert [right for right, _ in told_of.claims] == ["access", "erasure"]
    assert "do not send the request again" in " ".join(told_of.do)


def test_after_an_event_that_cannot_be_read_only_the_numbers_tell() -> None:
    entries = whole()
    sealed = [replace(it, body=b"") for it in entries[10:]]
    read = (*entries[10:12], *sealed[2:])
    assert following(entries[:10], chain(entries[:10]), by_number(read)) == read
    assert readable(read) == entries[10:12]
    with pytest.raises(NotOneChainError, match="event 14 is neither here nor on the topic"):
        following(entries[:10], chain(entries[:10]), by_number((*read[:3], *read[4:])))


def test_what_cannot_be_recovered_is_said_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(small_world())
    run.go("access", "erasure")
    case = told(run.said)
    place = resume_offsets({PLACE: 2}, {PLACE: 3}, {PLACE: Bounds(5, 9)})
    done = Recovered(
        was_behind=True,
        read=40,
        cases=2,
        events=9,
        keys_destroyed=1,
        resume_offsets=place,
        lost=(case,),
        broken=(BrokenCase(case=CASE, why="event 3 is neither here nor on the topic"),),
        obligations=(),
        unreadable=(Unreadable(partition=0, offset=7, reason="no value"),),
        doubted={"wrong_signature": 3, "unknown_key:20260504T120000000000-1f2e3d4c": 2},
        keys_kept=(CASE,),
        forgotten=(CASE,),
    )
    show(done, dry_run=True)
    said = capsys.readouterr().out
    for told_of in (
        "would be taken over: 9 events of 2 cases",
        "erasing would be held in every system",
        "2 of them undecided",
        *case.do,
        "event 3 is neither here nor on the topic",
        "unreadable 0@7: no value",
        "3 events that no known orchestrator signed: wrong_signature",
        "bring keys/orchestrator/<key>.pub back",
        f"key not destroyed {CASE}",
        f"erasure forgotten {CASE}",
    ):
        assert told_of in said

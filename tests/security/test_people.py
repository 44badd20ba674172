"""Who says so, among people: what somebody with a real key tries that is not theirs to decide.

Every attacker here has a key that is registered, or was, and can write `rights.decisions` or
`rights.requests`. What is refused becomes a dead letter with the reason; the case is as it was.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from pipeline import app, flow
from pipeline.app import CONSOLE, LOCAL, Place
from pipeline.case.case import Case, Plan
from pipeline.case.decisions import UNFOUNDED
from pipeline.intake import senders, senders_file
from pipeline.intake.edge import Edge
from pipeline.orchestrator.decider import Decider
from pipeline.register import holds, reading
from pipeline.register.holds import Hold, HoldError
from pipeline.settings import Settings
from schemas import events as e
from schemas.records import VerdictRow
from tests.fakes.by_hand import CODEC, ByHand, by_hand
from tests.fakes.deciders import Sent, arrived, decider, of_topic
from tests.fakes.person import with_email

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@dataclass
class Stage:
    """A pipeline that runs all along, and what people do to it."""

    hand: ByHand
    decider: Decider
    offset: int = 1000
    waiting: list[Any] = field(default_factory=list)

    @property
    def intakes(self) -> Path:
        return self.hand.place.intakes

    def person(self, name: str, *roles: str, level: int = 2, section: str = "consoles") -> None:
        """Register somebody, with a key of their own."""
        key = self.hand.place.keys.signer(f"{section[:-1]}-{name}").public_key()
        told: dict[str, Any] = {"roles": list(roles)} if section == "consoles" else {}
        senders_file.register(self.intakes, section, name, key, level=level, **told)

    def same_key(self, of: str, name: str) -> None:
        """Give a signing key to another name as well."""
        folder = self.hand.place.keys.root / "intakes"
        shutil.copy(folder / f"{of}.key", folder / f"{name}.key")

    async def case(self, *, intake: str = LOCAL, level: int = 2, tickets: int = 30) -> UUID:
        """Somebody asks to be erased, of whom more is found than policy waives."""
        email, case = f"{uuid4()}@example.org", uuid4()
        contact = {"kind": "contact", "name": "Some One", "email": email}
        (key,) = self.hand.sandbox.seed([contact])
        of = {"kind": "ticket", "requester_id": int(key.partition("/")[2])}
        text = {"subject": "How", "description_text": "do I export?"}
        self.hand.sandbox.seed([{**of, **text} for _ in range(tickets)])
        asked = self.hand.sender(intake).request
        now = self.hand.now
        await asked(case, ("erasure",), with_email(email), level=level, received_at=now)
        await self.hand.go()
        return case

    async def plan(self, case: UUID) -> Plan:
        plan = (await self.look(case)).plan
        assert plan is not None
        return plan

    async def look(self, case: UUID) -> Case:
        entries = await reading.entries(self.hand.engine, case)
        return reading.folded(entries, app.rules(self.hand.settings))

    async def says(
        self,
        name: str,
        event: e.Event,
        at: datetime | None = None,
        login: str = "somebody",
        **words: str,
    ) -> str:
        """Let a console publish a decision, which the broker receives at `at`; the reason for which
        it was refused, or nothing.
        """
        out = Sent()
        edge = Edge(name=name, files=self.hand.place.keys, codec=CODEC, producer=out)
        await edge.decision(event, login, **words)
        return await self.takes(out, at)

    async def asks(self, name: str, at: datetime, received_at: datetime) -> str:
        """Let an intake publish a request, as `says` does."""
        out = Sent()
        edge = Edge(name=name, files=self.hand.place.keys, codec=CODEC, producer=out)
        person = with_email("a@example.org")
        await edge.request(uuid4(), ("access",), person, level=1, received_at=received_at)
        return await self.takes(out, at)

    async def takes(self, out: Sent, at: datetime | None = None) -> str:
        """Let the pipeline read what was published; why it was refused, or nothing."""
        (record,) = out.records
        before, self.offset = len(self.letters()), self.offset + 1
        await self.decider.take([arrived(record, self.offset, at or self.hand.now)])
        return ", ".join(self.letters()[before:])

    def letters(self) -> list[str]:
        found = of_topic(self.hand.published, flow.DEAD_LETTERS)
        reasons = [CODEC.decode(it.value).reason for it in found]  # type: ignore[attr-defined]
        codes = (
            it.removeprefix("incident: ").removeprefix("not authenticated: ") for it in reasons
        )
        return [it.partition(" (claims to be from ")[0] for it in codes]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with by_hand(Settings(data=tmp_path, systems="freshdesk")) as hand:
        running = decider(hand.settings, hand.engine, hand.sent, hand.clock)
        yield Stage(hand, running)


def approval(name: str, case: UUID, plan: Plan) -> e.PlanApproved:
    return e.PlanApproved(case=case, by=name, digest=plan.digest)


async def test_only_who_reviews_plans_approves_one(stage: Stage) -> None:
    """An auditor, and the web page with the links, sign an approval of a plan that waits."""
    stage.person("auditor", "auditor")
    stage.person("page", "link")
    stage.person("nobody")
    stage.person("reviewer", "reviewer")
    case = await stage.case()
    plan = await stage.plan(case)
    assert plan.state == "asked"
    for it in ("auditor", "page", "nobody"):
        changed = e.PlanChanged(case=case, by=it, digest=plan.digest, leave=(b"0" * 16,))
        assert await stage.says(it, approval(it, case, plan)) == "role_may_not"
        assert await stage.says(it, changed) == "role_may_not"
        assert await stage.says(it, approval("reviewer", case, plan)) == "bad_signature"
    assert await stage.plan(case) == plan
    assert not await stage.says("reviewer", approval("reviewer", case, plan))
    assert (await stage.plan(case)).state == "approved"


async def test_a_reviewer_neither_refuses_nor_extends_nor_says_who_somebody_is(
    stage: Stage,
) -> None:
    """A reviewer signs what only the DPO decides; the DPO's own word then counts."""
    stage.person("reviewer", "reviewer")
    case = await stage.case(level=0)
    proved = partial(e.IdentityProved, case=case, level=2, method="passport")
    refused = partial(e.RequestRefused, case=case, reason="eu-gdpr:A12-5-Excessive")
    for decision in (proved, refused, partial(e.DeadlineExtended, case=case, reason="many")):
        assert await stage.says("reviewer", decision(by="reviewer")) == "role_may_not"
    proposed = e.RefusalProposed(case=case, by="reviewer", at=stage.hand.now, reason=UNFOUNDED)
    assert await stage.says("reviewer", proposed) == "refused_without_reasons_and_evidence"
    assert (await stage.look(case)).state == "identity_asked"
    assert await stage.says(CONSOLE, proved(by=CONSOLE)) == "proved_without_evidence"
    assert not await stage.says(CONSOLE, proved(by=CONSOLE), evidence="a passport")
    assert (await stage.look(case)).state == "searching"


async def test_one_person_with_two_consoles_refuses_nothing(stage: Stage) -> None:
    """Who proposed a refusal confirms it: as themselves, and at a console that has the same key."""
    stage.person("ann", "dpo")
    stage.same_key("console-ann", "console-twin")
    stage.person("twin", "dpo")
    stage.person("ben", "dpo")
    case = await stage.case()
    proposed = e.RefusalProposed(case=case, by="ann", at=stage.hand.now, reason=UNFOUNDED)
    assert not await stage.says("ann", proposed, says="why", evidence="what shows it")
    proposal = (await stage.look(case)).proposal
    assert proposal is not None
    for it in ("ann", "twin"):
        confirmed = e.RequestRefused(case=case, by=it, reason=UNFOUNDED, proposal=proposal.digest)
        assert await stage.says(it, confirmed, login="another") == "proposed_by_the_same"
    confirmed = e.RequestRefused(case=case, by="ben", reason=UNFOUNDED, proposal=proposal.digest)
    assert await stage.says("ben", confirmed) == "proposed_by_the_same", "under the same login"
    other = e.RequestRefused(case=case, by="ben", reason=UNFOUNDED, proposal=b"0" * 32)
    assert not await stage.says("ben", other, login="another")
    assert (await stage.look(case)).state != "refused", "it is another proposal"
    assert not await stage.says("ben", confirmed, login="another")
    assert (await stage.look(case)).state == "refused"


async def test_the_page_of_links_proves_identity_up_to_its_level_and_nothing_else(
    stage: Stage,
) -> None:
    """Who took over the web page claims more than a link can prove, and takes a claim back."""
    stage.person("page", "link", level=2)
    case = await stage.case(level=0)
    proved = e.IdentityProved(case=case, by="page", level=3, method="link")
    assert await stage.says("page", proved) == "level_above_console"
    withdrawn = e.ClaimWithdrawn(case=case, by="page", right="erasure")
    assert await stage.says("page", withdrawn) == "role_may_not"
    assert (await stage.look(case)).state == "identity_asked"
    for by, method in (("page", "passport"), (CONSOLE, "link")):  # as if the other had said it
        proved = e.IdentityProved(case=case, by=by, level=2, method=method)
        assert await stage.says(by, proved, evidence="it") == "role_may_not"
    proved = e.IdentityProved(case=case, by="page", level=2, method="link")
    assert not await stage.says("page", proved)
    assert (await stage.look(case)).state == "searching"


async def test_no_console_says_more_than_its_level(stage: Stage) -> None:
    """Not even a DPO whose console has a low level."""
    stage.person("low", "dpo", level=1)
    case = await stage.case(level=0)
    proved = e.IdentityProved(case=case, by="low", level=2, method="passport")
    assert await stage.says("low", proved) == "level_above_console"
    assert (await stage.look(case)).state == "identity_asked"


async def test_nobody_but_the_dpo_says_whose_a_strangers_record_is(stage: Stage) -> None:
    """They are after what stands in a record of two people: those who look at plans, those who look
    on, the page with the links, and the team that asked in somebody's name.
    """
    stage.person("shop", section="intakes")
    stage.person("shop", "dpo")
    roles = {"reviewer": "reviewer", "auditor": "auditor", "page": "link"}
    for name, role in roles.items():
        stage.person(name, role)
    case = await stage.case(intake="shop", tickets=0)
    before = await stage.look(case)
    (contact,), (address,) = before.held, before.known
    for tag, verdict in ((contact, "same"), (contact, "other"), (address, "ask")):
        rows = (VerdictRow(tag=tag, verdict=verdict),)
        for name in roles:
            decision = e.WhoseDecided(case=case, by=name, verdicts=rows)
            assert await stage.says(name, decision) == "role_may_not"
        decision = e.WhoseDecided(case=case, by="shop", verdicts=rows)
        assert await stage.says("shop", decision, evidence="a call") == "submitted_by_the_same"
    assert await stage.look(case) == before
    rows = (VerdictRow(tag=contact, verdict="other"),)
    assert not await stage.says(CONSOLE, e.WhoseDecided(case=case, by=CONSOLE, verdicts=rows))
    assert (await stage.look(case)).is_anothers(contact)


async def test_that_something_is_theirs_takes_evidence(stage: Stage) -> None:
    """It is as good as a proof of who asks."""
    case = await stage.case(level=0)
    (address,) = (await stage.look(case)).known
    rows = (VerdictRow(tag=address, verdict="same"),)
    decision = e.WhoseDecided(case=case, by=CONSOLE, verdicts=rows)
    assert await stage.says(CONSOLE, decision) == "proved_without_evidence"
    assert (await stage.look(case)).state == "identity_asked"
    assert not await stage.says(CONSOLE, decision, evidence="a call back")
    assert (await stage.look(case)).verified


async def test_a_console_of_a_low_level_says_of_nobody_that_it_is_they(stage: Stage) -> None:
    """It is as good as a proof: where one of its level would be refused, so is this."""
    stage.person("low", "dpo", level=1)
    case = await stage.case(level=0)
    (address,) = (await stage.look(case)).known
    rows = (VerdictRow(tag=address, verdict="same"),)
    decision = e.WhoseDecided(case=case, by="low", verdicts=rows)
    assert not await stage.says("low", decision, evidence="a call back")
    after = await stage.look(case)
    assert (after.state, after.proofs) == ("identity_asked", {})


async def test_who_submitted_a_case_does_not_let_it_go_on(stage: Stage) -> None:
    """An intake's team has a console with the intake's name, and one with its key: both are DPO."""
    stage.person("shop", section="intakes")
    stage.person("shop", "dpo")
    stage.same_key("intake-shop", "console-colleague")
    stage.person("colleague", "dpo")
    case, unproved = await stage.case(intake="shop"), await stage.case(intake="shop", level=0)
    plan = await stage.plan(case)
    for it in ("shop", "colleague"):
        for decision in (
            approval(it, case, plan),
            e.PlanChanged(case=case, by=it, digest=plan.digest, leave=(b"0" * 16,)),
            e.IdentityProved(case=unproved, by=it, level=2, method="passport"),
        ):
            said = await stage.says(it, decision, evidence="a passport")
            assert said == "submitted_by_the_same"
    assert await stage.plan(case) == plan
    assert (await stage.look(unproved)).state == "identity_asked"
    of_others = await stage.case()  # of another intake they decide
    other = await stage.plan(of_others)
    assert not await stage.says("shop", approval("shop", of_others, other))
    withdrawn = e.ClaimWithdrawn(case=case, by="shop", right="erasure")
    assert not await stage.says("shop", withdrawn)  # that takes back, and lets nothing go on


async def test_nobody_is_called_policy(stage: Stage) -> None:
    """A console by that name would approve plans as if nobody had to."""
    stage.person("auditor", "auditor")
    with pytest.raises(senders.IntakesError, match="policy"):
        stage.person("policy", "dpo")
    case = await stage.case()
    plan = await stage.plan(case)
    assert await stage.says("auditor", approval("policy", case, plan)) == "unknown_console"
    assert await stage.plan(case) == plan


async def test_a_revoked_sender_is_believed_what_came_before_and_nothing_since(
    stage: Stage,
) -> None:
    """Whoever stole a key uses it after the theft was noticed, and dates things back."""
    stage.person("ann", "dpo")
    stage.person("shop", section="intakes")
    case = await stage.case()
    plan = await stage.plan(case)
    approved = approval("ann", case, plan)
    noticed = stage.hand.now + HOUR
    senders_file.revoke(stage.intakes, "consoles", "ann", noticed)
    senders_file.revoke(stage.intakes, "intakes", "shop", noticed)
    assert await stage.says("ann", approved, at=noticed) == "sender_revoked"
    assert await stage.plan(case) == plan
    long_ago = stage.hand.now - 24 * HOUR
    assert await stage.asks("shop", at=noticed, received_at=long_ago) == "sender_revoked"
    assert not await stage.asks("shop", at=noticed - SECOND, received_at=long_ago)
    assert not await stage.says("ann", approved, at=noticed - SECOND)
    assert (await stage.plan(case)).state == "approved"


async def test_a_key_that_turned_ends_and_the_next_begins_at_its_time(stage: Stage) -> None:
    """The old key of a sender is used after its end, the new one before it is due."""
    files, now = stage.hand.place.keys, stage.hand.now.replace(microsecond=0)
    keys = [files.signer(f"console-{it}").public_key() for it in ("old", "new")]
    old, new = (it.public_bytes_raw().hex() for it in keys)
    with stage.intakes.open("a") as file:
        file.write(
            f'[consoles.ann]\nroles = ["dpo"]\n[[consoles.ann.keys]]\npublic_key = "{old}"\n'
            f"revoked_at = {now + HOUR:%Y-%m-%dT%H:%M:%SZ}\n[[consoles.ann.keys]]\n"
            f'public_key = "{new}"\nvalid_from = {now:%Y-%m-%dT%H:%M:%SZ}\n'
        )
    case = await stage.case()
    decision = e.DeadlineExtended(case=case, by="ann", reason="many")
    assert await stage.says("new", decision, at=now - SECOND) == "key_not_in_force"
    assert await stage.says("old", decision, at=now + HOUR) == "sender_revoked"
    assert not await stage.says("old", decision, at=now + HOUR - SECOND)
    assert not await stage.says("new", decision, at=now + HOUR)


async def test_rubbish_instead_of_the_file_changes_nobodys_rights(stage: Stage) -> None:
    """Somebody breaks, then deletes, the file of a running pipeline: nobody gains, nobody loses."""
    stage.person("auditor", "auditor")
    stage.person("reviewer", "reviewer")
    case = await stage.case()
    plan = await stage.plan(case)
    assert await stage.says("auditor", approval("auditor", case, plan)) == "role_may_not"
    for rubbish in (b"\xfe\xff rubbish", b'[consoles.auditor]\nroles = ["dpo"]\n', None):
        if rubbish is None:
            stage.intakes.unlink()
        else:
            stage.intakes.write_bytes(rubbish)
        with capture_logs() as logs:
            for _ in range(2):
                refused = await stage.says("auditor", approval("auditor", case, plan))
                assert refused == "role_may_not"
                stranger = approval("stranger", case, plan)
                assert await stage.says("stranger", stranger) == "unknown_console"
        told = [it for it in logs if it["event"] == "intakes.unreadable"]
        assert [it["log_level"] for it in told] == ["error"]
    assert not await stage.says("reviewer", approval("reviewer", case, plan))
    assert (await stage.plan(case)).state == "approved"


async def agrees(stage: Stage, hold: Hold, name: str, key: str = "") -> bool:
    """What `habeas hold lift --as NAME` does."""
    signer = stage.hand.place.keys.signer(key or f"console-{name}")
    async with stage.hand.engine.begin() as connection:
        lift = holds.signed(hold, name, signer, "somebody", stage.hand.now)
        return await holds.agree(connection, hold, lift, senders.load(stage.intakes))


async def held(stage: Stage) -> Hold:
    async with stage.hand.engine.begin() as connection:
        now = stage.hand.now
        return await holds.engage(connection, "freshdesk", reason="why", by="somebody", at=now)


async def test_only_the_dpo_lifts_a_hold(stage: Stage) -> None:
    """A reviewer, an auditor, the page and an intake's team each agree to let erasing go on."""
    for it in ("reviewer", "auditor", "link"):
        stage.person(it, it)
    stage.person("shop", section="intakes")
    stage.person("shop", "dpo")
    stage.same_key("intake-shop", "console-colleague")
    stage.person("colleague", "dpo")
    hold = await held(stage)
    for it in ("reviewer", "auditor", "link"):
        with pytest.raises(HoldError, match="takes the role dpo"):
            await agrees(stage, hold, it)
    for it in ("shop", "colleague"):
        with pytest.raises(HoldError, match="is an intake too"):
            await agrees(stage, hold, it)
    stage.person("ann", "dpo")
    assert not await agrees(stage, hold, CONSOLE)
    assert await agrees(stage, hold, "ann")


async def test_a_revoked_key_does_not_lift_and_its_agreement_of_before_does_not_count(
    stage: Stage,
) -> None:
    """A stolen key agreed; it is revoked before a second person comes."""
    stage.person("ann", "dpo")
    stage.person("bob", "dpo")
    hold = await held(stage)
    assert not await agrees(stage, hold, "ann")
    senders_file.revoke(stage.intakes, "consoles", "ann", stage.hand.now)
    assert not await agrees(stage, hold, CONSOLE)
    with pytest.raises(HoldError, match="revoked"):
        await agrees(stage, hold, "ann")
    assert await agrees(stage, hold, "bob")


async def test_one_person_with_two_keys_or_two_names_is_one(stage: Stage) -> None:
    """Ann has an old and a new key, and a second console with one of them."""
    stage.same_key(f"console-{CONSOLE}", "console-twin")
    stage.person("twin", "dpo")
    files = stage.hand.place.keys
    keys = [files.signer(f"console-{it}").public_key() for it in ("old", "new")]
    old, new = (it.public_bytes_raw().hex() for it in keys)
    with stage.intakes.open("a") as file:
        file.write(
            f'[consoles.ann]\nroles = ["dpo"]\n[[consoles.ann.keys]]\npublic_key = "{old}"\n'
        )
        file.write(f'[[consoles.ann.keys]]\npublic_key = "{new}"\n')
        file.write(f'[consoles.again]\nroles = ["dpo"]\npublic_key = "{new}"\n')
    hold = await held(stage)
    assert not await agrees(stage, hold, "ann", "console-old")
    for name in ("ann", "again"):
        with pytest.raises(HoldError, match="it takes another person"):
            await agrees(stage, hold, name, "console-new")
    assert await agrees(stage, hold, CONSOLE)
    other = await held(stage)
    assert not await agrees(stage, other, CONSOLE)
    with pytest.raises(HoldError, match="it takes another person"):
        await agrees(stage, other, "twin")


async def test_who_may_agree_again_after_their_key_was_exchanged_is_not_locked_out(
    stage: Stage,
) -> None:
    """Two people only: one agreed with a key that is revoked by now, and has a new one."""
    files, now = stage.hand.place.keys, stage.hand.now
    keys = [files.signer(f"console-{it}").public_key() for it in ("old", "new")]
    old, new = (it.public_bytes_raw().hex() for it in keys)
    register = f'[consoles.ann]\nroles = ["dpo"]\n[[consoles.ann.keys]]\npublic_key = "{old}"\n'
    before = stage.intakes.read_text()
    stage.intakes.write_text(before + register)
    hold = await held(stage)
    assert not await agrees(stage, hold, "ann", "console-old")
    turned = f"revoked_at = {now.astimezone(UTC).isoformat()}\n[[consoles.ann.keys]]\n"
    stage.intakes.write_text(f'{before}{register}{turned}public_key = "{new}"\n')
    assert not await agrees(stage, hold, "ann", "console-new")
    assert await agrees(stage, hold, CONSOLE)


async def test_a_machine_of_before_there_were_roles_goes_on_and_is_one_person(
    tmp_path: Path,
) -> None:
    """Intake and console were both `cli`: who sits there does not become two by the upgrade."""
    place = Place(tmp_path)
    names = {"intakes": "intake-cli", "consoles": "console-cli"}
    public = {it: place.keys.signer(key).public_key() for it, key in names.items()}
    old = [f'[{it}.cli]\npublic_key = "{public[it].public_bytes_raw().hex()}"\n' for it in names]
    place.intakes.write_text("level = 2\n".join(old))
    async with by_hand(Settings(data=tmp_path, systems="freshdesk")) as hand:
        stage = Stage(hand, decider(hand.settings, hand.engine, hand.sent, hand.clock))
        stage.person("shop", section="intakes")
        ours, of_others = await stage.case(), await stage.case(intake="shop")
        plan, other = await stage.plan(ours), await stage.plan(of_others)
        assert await stage.says("cli", approval("cli", ours, plan)) == "submitted_by_the_same"
        assert not await stage.says(CONSOLE, approval(CONSOLE, ours, plan))
        assert not await stage.says("cli", approval("cli", of_others, other))
        hold = await held(stage)
        with pytest.raises(HoldError, match="is an intake too"):
            await agrees(stage, hold, "cli")
        assert not await agrees(stage, hold, CONSOLE)
        stage.same_key("console-cli", "console-second")
        stage.person("second", "dpo")
        with pytest.raises(HoldError, match="it takes another person"):
            await agrees(stage, hold, "second")


async def test_what_this_machine_may_not_sign_is_told_before_anything_is_sent(
    stage: Stage,
) -> None:
    """Somebody else was registered as `dpo`, or nobody: it would be refused where nobody looks."""
    place = stage.hand.place
    key = place.keys.root / "intakes" / f"console-{CONSOLE}.key"
    assert app.local_signer(place, CONSOLE).private_bytes_raw().hex() == key.read_text().strip()
    key.unlink()
    with pytest.raises(app.SetupError, match=r"\[consoles.dpo\].*is not this machine's"):
        app.local_signer(place, CONSOLE)
    place.intakes.write_text("")
    for name in (CONSOLE, LOCAL):
        with pytest.raises(app.SetupError, match="registers it"):
            async with app.local_edge(stage.hand.settings, name):
                pass

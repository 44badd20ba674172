"""What the DPO reads: plain sentences, in which a stranger's words are words and nothing else."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from pipeline.case import whose
from pipeline.case.case import Case
from pipeline.case.graph import graph
from pipeline.cli import graph_shown
from pipeline.cli import whose as cli
from pipeline.register.values import Values
from pipeline.response import words

from .test_graph import BOBS, MINE, case, held
from .worlds import CASE, tag

EVIL = "bob\x1b[2J[bold]:smile:\n  0000000  \u202eevil@example.org"


def contested() -> Case:
    tickets = [held(f"t{n}", of="a", kind="ticket") for n in range(12)]
    return case(held("a", MINE, BOBS), held("b", MINE), *tickets)


def shown(known: Values | None, capsys: pytest.CaptureFixture[str]) -> list[str]:
    graph_shown.show(CASE, graph(contested()), known)
    return capsys.readouterr().out.splitlines()


def test_each_record_says_why_it_is_contested_and_what_hangs_on_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = Values(
        name="Ann Lee",
        identifiers={tag(MINE): ("ann@example.org", "Ann@example.org"), tag(BOBS): ("bob@b.org",)},
        holdings={tag("a"): "4711"},
    )
    lines = shown(known, capsys)
    mine, bobs, record = (tag(it).hex()[:6] for it in (MINE, BOBS, "a"))
    assert lines[0] == f"case {CASE}, of Ann Lee"
    assert (
        f"  {mine}  E-mail address: ann@example.org, Ann@example.org;"
        " theirs: the intake vouches for it"
    ) in lines
    at = lines.index(
        f"  {record}  freshdesk contact 4711:"
        " it names somebody who is not known to be the person who asks"
    )
    assert lines[at + 1 : at + 4] == [
        f"          email: ann@example.org, Ann@example.org  [{mine}]",
        f"          email: bob@b.org  [{bobs}]  <- not known to be theirs",
        "          and 12 tickets that hang on it",
    ]
    assert lines[-1].startswith(f"decide: habeas whose {CASE} --same")


def test_a_strangers_value_commands_no_terminal_and_begins_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = shown(Values(identifiers={tag(BOBS): (EVIL,)}, holdings={tag("a"): EVIL}), capsys)
    found = [it for it in lines if "evil@example.org" in it]
    assert len(found) == 3
    assert all("bob[2J[bold]:smile: 0000000 evil@example.org" in it for it in found)


def test_without_the_key_there_are_tags_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(None, capsys)
    assert tag("a").hex()[:6] in "\n".join(lines)
    assert lines[-1].startswith("the key of this case is destroyed")
    assert not graph_shown.as_json(CASE, graph(contested()), None)["opened"]


def test_there_is_a_sentence_for_every_way_to_be_known_and_every_reason() -> None:
    verdicts = [it for it in vars(whose).values() if isinstance(it, whose.Verdict)]
    assert {it.why for it in verdicts if it.state == "contested"} == graph_shown.WHY.keys()
    assert graph_shown.HOW.keys() == words.USED.keys()
    assert graph_shown.SAID.keys() == {whose.SAME, whose.OTHER}


def test_on_a_terminal_it_is_told_what_follows_before_anything_is_decided() -> None:
    found = graph(contested())
    record, bobs = (tag(it).hex()[:6] for it in ("a", BOBS))

    @click.command()
    def decide() -> None:
        cli._confirm(found, {record: "other", bobs: "same"}, ask=True, to_err=False)
        click.echo("decided")

    refused = CliRunner().invoke(decide, input="n\n")
    assert refused.exit_code == 1
    said = " ".join(refused.output.split())
    assert "every system is searched with an identifier of the same person." in said
    assert "whatever is to be erased then needs an approval, however little it is." in said
    assert "what is somebody else's is neither copied nor erased, and counts nowhere." in said
    assert "decided" not in refused.output
    assert "decided" in CliRunner().invoke(decide, input="y\n").output

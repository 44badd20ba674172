"""How a case's graph is shown: in plain sentences, or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pipeline.case.graph import Graph, Node, Record
from pipeline.case.whose import NAMES
from pipeline.register.values import Values
from pipeline.response import words
from schemas.records import BorneRow

from . import console

HOW = {
    "vouched": "theirs: the intake vouches for it",
    "link": "theirs: confirmed by a link",
    "policy": "theirs: a field says so that policy trusts",
    "dpo": "theirs: decided by the DPO",
    "waiting": "not used: waits for a confirmation until {until:%Y-%m-%d}",
    "unconfirmed": "not used: was not confirmed",
    "unproved": "not used: the intake did not vouch for it",
    "found": "not used: stands in a record, and nobody has shown that it is theirs",
    "shared": "not used: several people may share it",
    "another": "somebody else's: decided by the DPO",
}
"""How an identifier is known."""
WHY = {
    "unknown_owner": "nothing in it tells whose it is",
    "another_identifier": "it names somebody who is not known to be the person who asks",
    "shared_address": "different people share its address, and nothing tells which of them it is",
    "unseen_address": "its address alone speaks for it, and a system that may show who else has it"
    " was not searched",
    "part_of_contested": "it hangs on a record that is not known to be theirs",
}
"""Why a record is contested."""
SAID = {"same": "theirs: decided by the DPO", "other": "somebody else's: decided by the DPO"}
GONE = (
    "the key of this case is destroyed: what is shown has no values, and nothing can follow from a"
    " decision any more"
)


def show(case: UUID, found: Graph, known: Values | None) -> None:
    """Print it: identifiers first, then the records that are contested or were decided."""
    for line in _lines(case, found, known or Values()):
        console.out.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if known is None:
        console.out.print(GONE, soft_wrap=True)


def as_json(case: UUID, found: Graph, known: Values | None) -> dict[str, Any]:
    """The same, for programs."""
    clear, handles = known or Values(), found.handles
    return {
        "case": case,
        "opened": known is not None,
        "name": clear.name,
        "identifiers": [
            {
                "handle": handles[it.tag],
                "tag": it.tag,
                "kind": it.kind,
                "values": clear.identifiers.get(it.tag, ()),
                "how": it.how,
                "given": it.given,
                "until": it.until,
                "told_by": it.told,
            }
            for it in found.identifiers
        ],
        "records": [
            {
                "handle": handles[it.tag],
                "tag": it.tag,
                "system": it.system,
                "kind": it.kind,
                "id": clear.holdings.get(it.tag, ""),
                "state": it.verdict.state,
                "why": it.verdict.why,
                "said": it.said,
                "bears": [
                    {
                        "tag": row.tag,
                        "kind": row.kind,
                        "field": row.field,
                        "values": clear.identifiers.get(row.tag, ()),
                        "contested": row.tag in it.strange,
                    }
                    for row in it.bears
                ],
                "parts": it.parts,
            }
            for it in found.records
        ],
    }


def _lines(case: UUID, found: Graph, known: Values) -> Iterator[str]:
    called = f", of {_word(known.name)}" if known.name else ""
    yield f"case {case}{called}"
    yield "identifiers" if found.identifiers else "no identifiers: the case was not opened yet"
    for node in found.identifiers:
        yield from _of_identifier(node, found.handles[node.tag], known)
    yield "contested records" if found.contested else "nothing is contested"
    for record in found.contested:
        yield from _of_record(record, found, known)
    decided = [it for it in found.records if it not in found.contested]
    if decided:
        yield "decided records"
    for record in decided:
        yield from _of_record(record, found, known)
    if found.contested:
        yield f"decide: habeas whose {case} --same HANDLE --other HANDLE --ask HANDLE"


def _of_identifier(node: Node, handle: str, known: Values) -> Iterator[str]:
    how = HOW[node.how].format(until=node.until) if node.how in HOW else node.how
    kind = words.identifier(node.kind)
    yield f"  {handle}  {kind}: {_values(known, node.tag)}; {how}"
    if node.given:
        yield "          told by the request"
    for told in node.told:
        records = f"{words.counted(told.records, 'record')} ({told.kind}, {told.whose})"
        yield f"          told by {told.system}, in {told.field} of {records}"


def _of_record(record: Record, found: Graph, known: Values) -> Iterator[str]:
    why = WHY.get(record.verdict.why) or SAID.get(record.said, record.verdict.state)
    named = _word(known.holdings.get(record.tag, ""))
    what = " ".join(filter(None, [record.system, record.kind, named]))
    yield f"  {found.handles[record.tag]}  {what}: {why}"
    for line in dict.fromkeys(_of_borne(row, record, found, known) for row in record.bears):
        yield f"          {line}"
    for kind, count in record.parts.items():
        yield f"          and {words.counted(count, kind)} that {_hang(count)} on it"


def _of_borne(row: BorneRow, record: Record, found: Graph, known: Values) -> str:
    handle = f"  [{found.handles[row.tag]}]" if row.tag in found.handles else ""
    mark = "  <- not known to be theirs" if row.tag in record.strange else ""
    if row.kind in NAMES and row.tag not in known.identifiers:
        return f"{row.field}: a name"
    return f"{row.field}: {_values(known, row.tag)}{handle}{mark}"


def _values(known: Values, tag: bytes) -> str:
    """Every spelling that was met."""
    spelt = known.identifiers.get(tag, ())
    return ", ".join(map(_word, spelt)) or "(no value)"


def _word(value: str) -> str:
    """A stranger's word on one line."""
    return " ".join(value.split())


def _hang(count: int) -> str:
    return "hangs" if count == 1 else "hang"

"""Which right there is for which legal basis: ours against the Data Privacy Vocabulary's table.

W3C DPV 2.0, extension EU-GDPR, module `legal_basis_rights_mapping`, of each basis of Art. 6(1):
https://w3id.org/dpv/2.0/legal/eu/gdpr
"""

from __future__ import annotations

import pytest

from pipeline.policy import load
from pipeline.policy.applicable import applicable, portable
from pipeline.policy.clauses import BASES, Basis

POLICY = load(None)
DPV = {  # letter of Art. 6(1): the rights that it gives, of those that differ from basis to basis
    "a": {"A7-3", "A17", "A20"},
    "b": {"A17", "A20"},
    "c": set[str](),
    "d": {"A17"},
    "e": {"A21"},
    "f": {"A17", "A21"},
}
EVERY = [
    (row.system, row.kind, category) for row in POLICY.data for category in sorted(row.categories)
]


def test_the_table_has_every_basis() -> None:
    """Art. 6(1)."""
    assert DPV.keys() == BASES.keys()


@pytest.mark.parametrize("letter", DPV)
def test_the_rights_of_a_basis_are_those_of_the_vocabulary(letter: str) -> None:
    """Art. 7(3), 17(1), 20(1)(a), 21(1)."""
    basis = Basis(letter=letter)
    ours = {
        "A7-3": basis.may_be_withdrawn,
        "A17": bool(basis.erased_by),
        "A20": basis.is_portable,
        "A21": basis.may_be_objected_to,
    }
    assert {right for right, is_there in ours.items() if is_there} == DPV[letter]


@pytest.mark.parametrize("sort", EVERY, ids="/".join)
def test_what_may_be_taken_along_rests_on_a_basis_that_gives_that(
    sort: tuple[str, str, str],
) -> None:
    """Art. 20(1)(a): of every sort in the data map, by the vocabulary's table and not by ours."""
    told = applicable(POLICY, sort)
    rights = {right for it in told.uses for basis in it.bases for right in DPV[basis.letter]}
    if sort in portable(POLICY):
        assert "A20" in rights
        assert not told.not_portable
    else:
        assert told.not_portable
    assert bool(told.withdrawn) == ("A7-3" in rights)
    assert bool(told.erased_by) == ("A17" in rights)
    interests = {it.id for it in (*told.objected, *told.marketing)}
    assert interests >= {
        it.id for it in told.uses if any("A21" in DPV[basis.letter] for basis in it.bases)
    }

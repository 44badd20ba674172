"""Which right there is for which legal basis: ours against the Data Privacy Vocabulary's table.

W3C DPV 2, extension EU-GDPR, "Legal Basis to Rights mapping" (columns A20, A21, A7-3):
https://w3id.org/dpv/legal/eu/gdpr
"""

from __future__ import annotations

import pytest

from pipeline.policy.clauses import Basis

DPV = {  # letter of Art. 6(1): portability, objection, withdrawal of consent
    "a": (True, False, True),
    "b": (True, False, False),
    "c": (False, False, False),
    "d": (False, False, False),
    "e": (False, True, False),
    "f": (False, True, False),
}


@pytest.mark.parametrize("letter", DPV)
def test_the_rights_of_a_basis_are_those_of_the_vocabulary(letter: str) -> None:
    """Art. 20(1)(a), 21(1), 7(3)."""
    basis = Basis(letter=letter)
    ours = basis.is_portable, basis.may_be_objected_to, basis.may_be_withdrawn
    assert ours == DPV[letter]

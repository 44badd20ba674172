"""Each purpose of the privacy policy, each of its grounds, and which rights follow: as a table."""

from __future__ import annotations

import pytest

from pipeline.policy import load
from pipeline.policy.clauses import Purpose
from pipeline.response.purposes import purposes

POLICY = load(None)
NO, GROUNDS, ALWAYS = "no", "on grounds of one's own", "always"
NONE = ""
TABLE = {  # (purpose, ground): taken along, objected to, a letter of Art. 17(1) that ends it
    ("registration", "b"): (True, NO, "a"),  # when the account is closed
    ("requested-information", "f"): (False, GROUNDS, "c"),
    ("order", "b"): (True, NO, "a"),  # not while a statute runs: a matter of retention
    ("order", "f"): (False, GROUNDS, "c"),  # not while a debt is open: likewise
    ("expert-contact", "f"): (False, GROUNDS, "c"),
    ("relationship", "b"): (True, NO, "a"),
    ("relationship", "c"): (False, NO, NONE),
    ("relationship", "f"): (False, GROUNDS, "c"),
    ("offers", "f"): (False, ALWAYS, "c"),
    ("contract", "b"): (True, NO, "a"),  # after its end
    ("administration", "f"): (False, GROUNDS, "a"),  # logs expire
    ("administration", "c"): (False, NO, NONE),
    ("advertising", "f"): (False, ALWAYS, "c"),
    ("analytics", "f"): (False, GROUNDS, "c"),
    ("support", "f"): (False, GROUNDS, "a"),
    ("legal-obligations", "c"): (False, NO, NONE),
    ("third-party-marketing", "a"): (True, ALWAYS, "b"),  # on withdrawal
    ("single-notice", "f"): (False, GROUNDS, "a"),  # after the notice
}
SAID = {
    NO: "You cannot object",
    GROUNDS: "You may object, on grounds of your own situation (Art. 21(1))",
    ALWAYS: "You may object at any time, without a reason: it ends then (Art. 21(2))",
}
CONSENT = "Your consent, if you gave it, you may take back (Art. 7(3))"


def _of(purpose: str, letter: str) -> tuple[Purpose, int]:
    found = POLICY.purposes[purpose]
    return found, [it.letter for it in found.bases].index(letter)


def test_every_purpose_on_each_of_its_grounds_is_in_the_table() -> None:
    """Art. 6(1): what has several grounds is judged by each."""
    ours = {(it.id, basis.letter) for it in POLICY.purposes.values() for basis in it.bases}
    assert ours == TABLE.keys()


@pytest.mark.parametrize("where", TABLE, ids="/".join)
def test_a_purpose_is_told_with_the_rights_that_follow_from_its_ground(
    where: tuple[str, str],
) -> None:
    """Art. 15(1)(e), 7(3), 20(1), 21(1), 21(2): those that are there, and those that are not."""
    clause, at = _of(*where)
    is_portable, objection, _ = TABLE[where]
    sort = ("stripe", "customer", "identity")
    told = [*purposes([(clause, [sort])], [sort])][at].rights
    assert [it for it, says in SAID.items() if says in told] == [objection]
    assert ("you may take along" in told) == is_portable
    assert ("gives nothing to take along" in told) != is_portable
    assert (CONSENT in told) == (where[1] == "a")


@pytest.mark.parametrize("where", TABLE, ids="/".join)
def test_what_is_used_on_a_ground_is_erased_on_the_ground_that_fits(where: tuple[str, str]) -> None:
    """Art. 17(1)(a) to (c), 17(3)(b): none while the law obliges to keep it."""
    clause, at = _of(*where)
    ground = TABLE[where][2]
    assert ground in clause.bases[at].erased_by if ground else not clause.bases[at].erased_by

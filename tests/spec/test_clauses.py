"""The table of clauses is whole, and each test that it names is there and says what it is about."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from .clauses import CLAUSES, EDGES, Clause

ROOT = Path(__file__).parents[2]
OF_THE_POLICY, EDGE_CASES = 51, 26
SOURCES = ("Art. ", "ecital ", "rivacy policy, section ")
"""One of them stands in what a test says of itself."""
EVERY = [*CLAUSES.values(), *EDGES]


@cache
def stories_of(file: str) -> dict[str, str]:
    """The tests of a file, each with its docstring."""
    tree = ast.parse((ROOT / file).read_text())
    functions = (it for it in tree.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))
    return {it.name: ast.get_docstring(it) or "" for it in functions}


def test_no_clause_is_missing() -> None:
    assert list(CLAUSES) == list(range(1, OF_THE_POLICY + 1))
    assert len({it.name for it in EDGES}) == EDGE_CASES


@pytest.mark.parametrize("clause", EVERY, ids=lambda it: it.name)
def test_a_clause_is_shown_by_tests_that_there_are_or_says_what_is_left(clause: Clause) -> None:
    assert clause.article
    assert clause.shown or clause.later
    for shown in clause.shown:
        file, _, name = shown.partition("::")
        assert name in stories_of(file), shown
        if file.startswith("tests/spec/"):
            cited = stories_of(file)[name]
            assert any(it in cited for it in SOURCES), shown

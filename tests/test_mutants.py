"""A short run of the mutants: the rulebooks of the report, and a planted survivor."""

from __future__ import annotations

import pytest

from debtwatch.rules.rulebook import load_rulebooks
from tests.mutants import known_equivalent, survivors, text_mutants

BOOKS = {b.id: b for b in load_rulebooks()}


@pytest.mark.parametrize(
    "name", ["cn-debt-tiers", "cn-debt-quota", "cn-fiscal-restructuring", "br-lrf-limits-state"]
)
def test_no_mutant_survives(name):
    count, left = survivors(BOOKS[name])
    assert count > 15
    assert [s for s in left if known_equivalent(s) is None] == []


def test_an_edge_that_no_case_guards_is_reported():
    book = BOOKS["cn-debt-tiers"]
    kept = tuple(c for c in book.case if "200" not in c.id and "orange" not in c.id)
    _, left = survivors(book.model_copy(update={"case": kept}))
    assert any("orange" in name for name in left)


def test_operators_and_numbers_of_a_formula_are_changed():
    changed = set(text_mutants("1 if a <= 2 and b == 'x<3' else 0.5"))
    assert "1 if a < 2 and b == 'x<3' else 0.5" in changed
    assert "1 if a <= 2 or b == 'x<3' else 0.5" in changed
    assert "1 if a <= 2.000002 and b == 'x<3' else 0.5" in changed
    assert all("'x<3'" in text for text in changed)

"""A short run of the mutants, planted survivors, and the mutators themselves."""

from __future__ import annotations

import pytest

from debtwatch.rules.rulebook import load_rulebooks
from tests import mutants
from tests.mutants import EQUIVALENT, survivors, text_mutants

BOOKS = {b.id: b for b in load_rulebooks()}
TIERS = BOOKS["cn-debt-tiers"]


@pytest.mark.parametrize(
    "name", ["cn-debt-tiers", "cn-debt-quota", "cn-fiscal-restructuring", "co-ley358-2003"]
)
def test_no_mutant_survives(name):
    count, left = survivors(BOOKS[name])
    assert count > 25
    assert [s for s in left if s not in EQUIVALENT] == []


@pytest.mark.parametrize(
    ("without", "survivor"),
    [
        ("exactly-120", "cn-debt-tiers: debt_ratio.yellow ge 1.2 to gt"),
        ("a-millionth-below-yellow", "cn-debt-tiers: debt_ratio.green lt 1.2 to 1.1999988"),
        ("negative-capacity", "cn-debt-tiers: debt_ratio nonzero for positive "
                              "comprehensive_fiscal_capacity"),
        ("before-the-tiers", "cn-debt-tiers: applies_from to 2017Q4"),
        ("first-quarter-in-force", "cn-debt-tiers: applies_from to 2018Q2"),
    ],
)  # fmt: skip
def test_a_planted_survivor_is_reported(without, survivor, monkeypatch, capsys):
    kept = tuple(c for c in TIERS.case if c.id != without)
    assert len(kept) == len(TIERS.case) - 1
    thinner = TIERS.model_copy(update={"case": kept})
    monkeypatch.setattr(mutants, "load_rulebooks", lambda: (thinner,))
    assert mutants.main([]) == 1
    assert f"SURVIVES: {survivor}" in capsys.readouterr().out


def test_a_listed_mutant_that_is_noticed_after_all_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(mutants, "load_rulebooks", lambda: (TIERS,))
    assert mutants.main([]) == 0
    monkeypatch.setitem(EQUIVALENT, "cn-debt-tiers: rule 5 removed", "not so")
    assert mutants.main([]) == 1
    assert "noticed or gone: cn-debt-tiers: rule 5 removed" in capsys.readouterr().out


def test_operators_and_numbers_of_a_formula_are_changed():
    changed = {text for _, text in text_mutants("1 if a <= 2 and b == 'x<3' else 0.5")}
    assert "1 if a < 2 and b == 'x<3' else 0.5" in changed
    assert "1 if a <= 2 or b == 'x<3' else 0.5" in changed
    assert "1 if a <= 2.000002 and b == 'x<3' else 0.5" in changed
    assert "1 if a <= 2 and b == 'x<3' else 0.5005" in changed
    assert all("'x<3'" in text for text in changed)
    counted = {text for _, text in text_mutants("n('high') >= 2 and not f")}
    assert {"n('high') >= 3 and not f", "n('high') >= 1 and not f"} <= counted
    assert "n('high') >= 2 and  f" in counted

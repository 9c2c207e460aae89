"""Units of formulas: what may stand together, and what a rulebook must not declare."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from debtwatch.errors import RulebookProblem
from debtwatch.rules.expression import parse
from debtwatch.rules.rulebook import Rulebook, load_rulebooks
from debtwatch.rules.units import fits, unit_of

DECLARED = {"debt": "money", "income": "money", "people": "people", "share": "ratio",
            "kind": "text", "years": "series", "yes": "flag"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "unit"),
    [("debt / income", "number"), ("debt * share", "money"), ("debt - income", "money"),
     ("debt / people", "number"), ("max(0, debt)", "money"), ("debt if yes else 0", "money"),
     ("share + 1", "number"), ("debt + 0", "money"), ("mean(years) / debt", "any"),
     ("debt >= 5", "number"), ("kind == 'a'", "number"), ("-debt", "money"), ("2", "literal"),
     ("0.5 * debt / 2", "money"), ("1 if kind in ['a'] else 0", "literal"),
     ("years + 1", "any"), ("debt + (years + 1)", "money"),
     ("debt > 1 / 2", "number"), ("sum(debt, 0)", "money"), ("debt - income * 0.5", "money"),
     ("cls('x') == 'na'", "number"), ("n('high') + n_of(['a'], 'high') >= 2", "number"),
     ("kind not in ['a', 'b']", "number"), ("people in [1, 2]", "number"), ("0", "literal")],
)  # fmt: skip
def test_derived_units(text, unit):
    assert unit_of(parse(text), DECLARED) == unit


@pytest.mark.parametrize(
    "text",
    ["debt + people", "debt + 1", "debt > people", "debt + share", "kind + debt", "kind == debt",
     "max(debt, people)", "debt if yes else people", "min(debt, share)", "debt + (1 + 2)",
     "debt + -5", "sum(debt, 5)", "mean(5, debt)", "if_(yes, debt, people)", "debt in [people]",
     "debt in ['a']", "kind in [1]", "kind + kind", "kind * 2", "-kind", "abs(kind)",
     "max(kind, kind)", "kind < 'a'", "kind and yes", "not kind", "1 if kind else 0",
     "'a' if yes else kind", "cls('x') >= 'high'"],
)  # fmt: skip
def test_units_that_cannot_stand_together(text):
    with pytest.raises(RulebookProblem, match="The formula"):
        unit_of(parse(text), DECLARED)


@pytest.mark.parametrize(
    "text",
    ["min()", "if_()", "max([1])", "[1] + 2", "[1] if yes else [2]", "1 in 2", "-[1]", "[1] == 1",
     "[]", "abs(debt, people, 1)", "unheard_of(kind)", "if_(1)"],
)  # fmt: skip
def test_what_the_evaluator_refuses_does_not_break_the_check(text):
    assert unit_of(parse(text), DECLARED) in {"any", "number", "literal"}


def test_conditions_of_rules_are_checked_too():
    book = next(b for b in load_rulebooks() if b.id == "cn-quota-formula")
    data = book.model_dump()
    data["field"][0]["unit"] = "people"
    data["indicator"][0]["formula"] = "application_adjustment"
    data["rule"][2]["when"] = "fiscal_capacity > applied_amount"
    with pytest.raises(ValidationError, match=r"rule .*compares people and money"):
        Rulebook.model_validate(data)


def test_a_rulebook_with_mixed_units_is_refused_and_says_which():
    book = next(b for b in load_rulebooks() if b.id == "cn-debt-tiers")
    data = book.model_dump()
    data["field"][1]["unit"] = "people"
    data["indicator"][0]["formula"] = "debt_balance + comprehensive_fiscal_capacity"
    with pytest.raises(ValidationError, match="adds money and people"):
        Rulebook.model_validate(data)
    data["field"][1]["unit"] = "money"
    with pytest.raises(ValidationError, match="declares ratio"):
        Rulebook.model_validate(data)


def test_fits():
    assert fits("any", "money")
    assert not fits("money", "ratio")

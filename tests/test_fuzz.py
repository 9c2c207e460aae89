"""A short run of the fuzzer, with the same examples every time, and what it has found."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings

from debtwatch.errors import RulebookProblem
from debtwatch.rules.expression import evaluate, parse
from debtwatch.rules.rulebook import load_rulebook
from tests.fuzz_formulas import (
    RULE_FUNCTIONS,
    SOURCES,
    check_file,
    check_formula,
    check_rulebook,
    damaged_files,
    damaged_rulebooks,
    few_frames,
    formulas,
)

SHORT = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@given(formulas)
@settings(SHORT, max_examples=400)
def test_a_formula_gives_a_value_or_a_rulebook_problem(text):
    check_formula(text)


@given(damaged_rulebooks())
@settings(SHORT, max_examples=250)
def test_a_damaged_rulebook_gives_a_list_of_faults(data):
    check_rulebook(data)


@given(damaged_files())
@settings(SHORT, max_examples=150)
def test_a_damaged_file_gives_a_rulebook_problem(given_file):
    check_file(given_file)


@pytest.mark.parametrize(
    "text",
    ["a" + "+a" * 450, "a" + "/a" * 590, "a" + " or a" * 300, "(" * 55 + "a" + "+a*a)" * 55],
    ids=["sum", "quotient", "or", "brackets"],
)
def test_a_long_formula_is_refused_or_evaluated_within_the_frames_there_are(text):
    with few_frames(), contextlib.suppress(RulebookProblem):
        evaluate(parse(text), {"a": 1.0})


def test_an_unknown_indicator_in_a_condition_is_a_rulebook_problem():
    with pytest.raises(RulebookProblem, match="do not fit"):
        evaluate(parse("'na' == cls('never heard of')"), {}, RULE_FUNCTIONS)


@pytest.mark.parametrize("formula", ["min()", "[1] + 2", "[1] if 1 else [2]", "-[1]", "if_()"])
def test_a_formula_without_sense_never_breaks_loading(tmp_path, formula):
    path = tmp_path / "cn-debt-tiers.toml"
    text = SOURCES["cn-debt-tiers"]
    path.write_text(text.replace("debt_balance / comprehensive_fiscal_capacity", formula), "utf-8")
    with contextlib.suppress(RulebookProblem):
        load_rulebook(path)


@pytest.mark.parametrize("when", ["n_of() == 1", "n() > cls()", "cls([]) == n_of([], 'red')"])
def test_a_condition_without_sense_never_breaks_loading(tmp_path, when):
    path = tmp_path / "cn-debt-tiers.toml"
    path.write_text(SOURCES["cn-debt-tiers"].replace('when = "true"', f'when = "{when}"'), "utf-8")
    with contextlib.suppress(RulebookProblem):
        load_rulebook(path)

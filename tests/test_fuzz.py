"""A short run of the fuzzer, with the same examples every time."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.fuzz_formulas import check_formula, check_rulebook, formulas, rulebook_changes

SLOW = list(HealthCheck)


@given(formulas)
@settings(max_examples=600, suppress_health_check=SLOW)
def test_a_formula_gives_a_value_or_a_rulebook_problem(text):
    check_formula(text)


@given(*rulebook_changes)
@settings(max_examples=300, suppress_health_check=SLOW)
def test_a_damaged_rulebook_gives_a_list_of_faults(key, inner, value):
    check_rulebook(key, inner, value)

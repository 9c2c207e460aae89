"""Formulas as programs on paths: the same values as the formula language gives on tables."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem, RulebookProblem
from debtwatch.rules.assess import indicator_value
from debtwatch.rules.capacity import capacity_book
from debtwatch.rules.expression import evaluate, parse
from debtwatch.rules.rulebook import Band, Indicator, Rulebook, load_rulebooks
from debtwatch.sustainability import kernel
from debtwatch.sustainability.draws import BLOCK
from debtwatch.sustainability.programs import Program, compile_program, is_followable
from tests import fuzz_formulas

BOOKS = load_rulebooks()
FOLLOWABLE = [(book, i) for book in BOOKS for i in book.indicator if is_followable(i)]


def indicator(formula: str, **more: Any) -> Indicator:
    label = {"zh": "甲", "en": "a"}
    return Indicator(id="x", label=label, formula=formula, text=label,  # type: ignore[arg-type]
                     bands=(Band(band="all", otherwise=True),), **more)  # fmt: skip


def run_program(
    program: Program, fields: Sequence[str], inputs: Mapping[str, Any], dtype: Any = np.float64
) -> Any:
    """All slots after the program has run on one block; ``fields`` stand first."""
    slots = np.full((program.slots, BLOCK), 12345.0, dtype=dtype)  # whatever stood there before
    for slot, name in enumerate(fields):
        slots[slot] = inputs[name]
    for n, value in enumerate(program.constants):
        slots[program.slots - len(program.constants) + n] = value
    kernel._evaluate(program.operations, slots)
    return slots


def edges_of(book: Rulebook) -> list[float]:
    """Numbers at which something changes: edges of bands and numbers in formulas."""
    found = {0.0, 1.0}
    for i in book.indicator:
        for band in i.bands:
            found |= {e for e in (band.lt, band.le, band.gt, band.ge, band.eq) if e is not None}
    return sorted(found)


def odd_inputs(
    names: Sequence[str], rng: np.random.Generator, edges: Sequence[float]
) -> dict[str, Any]:
    """Blocks with gaps, zeros, negative and equal figures, and figures at the edges."""
    made = {}
    shared = rng.lognormal(3, 2, BLOCK)
    for name in names:
        value = rng.lognormal(3, 2, BLOCK)
        kind = rng.integers(0, 8, BLOCK)
        value = np.where(kind == 0, np.nan, value)
        value = np.where(kind == 1, 0.0, value)
        value = np.where(kind == 2, -value, value)
        value = np.where(kind == 3, shared, value)  # ties, and ratios of exactly one
        value = np.where(kind == 4, shared * rng.choice(edges, BLOCK), value)  # ratios at edges
        value = np.where(kind == 5, rng.choice(edges, BLOCK), value)
        made[name] = np.where(kind == 6, rng.choice(edges, BLOCK) * (1 + 3e-10), value)
    return made


def test_most_indicators_can_be_followed() -> None:
    """Else the tests below would hold of nothing. What reads words or series of years cannot."""
    for book in BOOKS:
        odd = {use.name for use in book.field if use.unit in {"text", "series"}}
        for one in book.indicator:
            assert is_followable(one) == (not odd & set(one.parsed.names())), one.id
    assert len(FOLLOWABLE) >= 0.8 * sum(len(book.indicator) for book in BOOKS)
    assert {book.id for book, _ in FOLLOWABLE} >= {"cn-debt-tiers", "cn-fiscal-restructuring"}


@pytest.mark.parametrize(
    ("book", "one"), FOLLOWABLE, ids=[f"{book.id}-{i.id}" for book, i in FOLLOWABLE]
)
def test_a_program_gives_what_the_formula_gives(book: Rulebook, one: Indicator) -> None:
    names = list(dict.fromkeys((*one.parsed.names(), *one.positive, *one.nonzero)))
    program = compile_program([one], names, {})
    for seed in range(4):
        inputs = odd_inputs(names, np.random.default_rng(seed), edges_of(book))
        found = run_program(program, names, inputs)[program.shown[one.id]]
        wanted = np.broadcast_to(indicator_value(one, inputs), BLOCK)
        np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=0)  # NaN where it has NaN
        single = {name: value.astype(np.float32) for name, value in inputs.items()}
        found = run_program(program, names, single, np.float32)[program.shown[one.id]]
        if not _branches(one):  # else rounding may take the other branch
            whole = {name: value.astype(float) for name, value in single.items()}
            rough = np.broadcast_to(indicator_value(one, whole), BLOCK)
            np.testing.assert_array_equal(np.isnan(found), np.isnan(rough))
            size = np.abs(rough) + _cancelled(one, whole)
            assert (np.abs(found - rough) <= 2e-6 * size)[np.isfinite(rough)].all()


def _branches(one: Indicator) -> bool:
    kinds, open_ = set(), [one.parsed.root]
    while open_:
        node = open_.pop()
        kinds.add(node.kind)
        open_ += node.parts
    return bool(kinds & {"compare", "if", "and", "or", "not"}) or " / (" in one.formula


def _cancelled(one: Indicator, inputs: Mapping[str, Any]) -> Any:
    """Value with every sign turned positive: what sums of this formula may lose."""
    positive = {name: np.abs(value) for name, value in inputs.items()}
    size = evaluate(parse(one.formula.replace(" - ", " + ")), positive)
    return np.where(np.isfinite(size), np.abs(size), np.inf)


@pytest.mark.parametrize("book", BOOKS, ids=[book.id for book in BOOKS])
def test_a_rulebook_is_one_program(book: Rulebook) -> None:
    """Later indicators name earlier ones; fields nobody has are na."""
    chosen = [i for i in book.indicator if is_followable(i)]
    names = [use.name for use in book.field]
    for kept in (names, names[::2]):
        program = compile_program(chosen, kept, {})
        inputs = odd_inputs(kept, np.random.default_rng(1), edges_of(book))
        slots = run_program(program, kept, inputs)
        known: dict[str, Any] = dict(inputs)
        for one in book.indicator:
            if one not in chosen:
                continue
            known[one.id] = np.broadcast_to(indicator_value(one, known), BLOCK)
            np.testing.assert_allclose(slots[program.shown[one.id]], known[one.id], rtol=1e-13)
            assert program.names[one.id] == program.shown[one.id]
        for slot, name in enumerate(kept):  # fields are read, never written
            np.testing.assert_array_equal(slots[slot], inputs[name])


@pytest.mark.parametrize("variant", capacity_book().variant, ids=lambda v: v.id)
def test_capacity_and_totals_are_put_in_where_they_are_named(variant: Any) -> None:
    general, fund = variant.formulas()
    totals = {"general_capacity": general, "fund_capacity": fund,
              "comprehensive_fiscal_capacity": parse("general_capacity + fund_capacity"),
              **{total.name: parse(total.formula) for total in capacity_book().total}}  # fmt: skip
    book = next(book for book in BOOKS if book.id == "cn-debt-tiers")
    fields = [*variant.fields(), "general_debt_balance", "special_debt_balance"]
    program = compile_program(book.indicator, fields, totals, wanted=["fund_capacity"])
    rng = np.random.default_rng(2)
    inputs = odd_inputs(fields, rng, edges_of(book))
    slots = run_program(program, fields, inputs)
    known: dict[str, Any] = dict(inputs)
    for name in ("debt_balance", "general_capacity", "fund_capacity"):
        known[name] = evaluate(totals[name], inputs)
    known["comprehensive_fiscal_capacity"] = known["general_capacity"] + known["fund_capacity"]
    for name in ("debt_balance", "comprehensive_fiscal_capacity", "fund_capacity"):
        np.testing.assert_allclose(slots[program.names[name]], known[name], rtol=1e-13)
    for one in book.indicator:
        known[one.id] = indicator_value(one, known)
        np.testing.assert_allclose(slots[program.shown[one.id]], known[one.id], rtol=1e-13)
    assert np.isfinite(known[book.indicator[0].id]).sum() > 30
    for case in variant.case:
        amounts = {name: np.full(BLOCK, case.inputs.get(name, 0.0)) for name in fields}
        slots = run_program(program, fields, amounts)
        assert slots[program.names["general_capacity"]] == pytest.approx(case.general)
        assert slots[program.names["fund_capacity"]] == pytest.approx(case.fund)


def test_a_field_that_is_reported_comes_before_its_total() -> None:
    totals = {"debt_balance": parse("a + b")}
    for fields, wanted in ((["a", "b"], 5.0), (["a", "b", "debt_balance"], 9.0)):
        program = compile_program([indicator("debt_balance * 1")], fields, totals)
        inputs = {"a": 2.0, "b": 3.0, "debt_balance": 9.0}
        slots = run_program(program, fields, inputs)
        assert (slots[program.shown["x"]] == wanted).all()


# -- operations ------------------------------------------------------------------------------------

SHAPES = [
    "a + b", "a - b", "a * b", "a / b", "-a", "abs(a)", "min(a, b)", "max(a, b)", "min(a, b, 1)",
    "sum(a, b, a)", "mean(a, b, 2)", "a < b", "a <= b", "a > b", "a >= b", "a == b",
    "a != b", "a and b", "a or b", "not a", "a if b else 1", "1 if a > b else b", "if_(a, b, 3)",
    "a > 1 and b > 1 or not (a == b)", "1 if absent else 2", "absent and a", "absent or a",
    "true and a", "a / 0", "0 / a", "a < 0.3", "3", "absent", "a",
]  # fmt: skip
GRID = np.array([np.nan, 0.0, -0.0, 1.0, -1.0, 0.3, 0.1 * 3, 1 + 5e-10, 1 + 5e-9, -2.5, 1e16,
                 1e16 + 2e6, 1e16 + 2e8, 1e-12, np.inf, -np.inf])  # fmt: skip
assert len(GRID) ** 2 == BLOCK


@pytest.mark.parametrize("text", SHAPES)
def test_every_operation_on_every_pair_of_odd_numbers(text: str) -> None:
    pairs = np.array(list(itertools.product(GRID, GRID)))
    inputs = {"a": pairs[:, 0].copy(), "b": pairs[:, 1].copy()}
    program = compile_program([], ["a", "b"], {"t": parse(text)}, wanted=["t"])
    found = run_program(program, ["a", "b"], inputs)[program.names["t"]]
    wanted = np.broadcast_to(evaluate(parse(text), inputs), BLOCK)
    np.testing.assert_array_equal(found, wanted)


def test_an_indicator_is_na_where_its_fields_are_not_what_they_must_be() -> None:
    pairs = np.array(list(itertools.product(GRID, GRID)))
    inputs = {"a": pairs[:, 0].copy(), "b": pairs[:, 1].copy()}
    for more in ({"positive": ("b",)}, {"nonzero": ("b",)}, {"positive": ("a",), "nonzero": ("b",)},
                 {"positive": ("absent",)}, {"nonzero": ("absent",)}):  # fmt: skip
        one = indicator("a + 1", **more)
        program = compile_program([one], ["a", "b"], {})
        found = run_program(program, ["a", "b"], inputs)[program.shown["x"]]
        np.testing.assert_array_equal(found, indicator_value(one, inputs))
        assert not np.isinf(found).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_comparisons_pass_over_differences_of_rounding(dtype: Any) -> None:
    program = compile_program([], ["a"], {"t": parse("a >= 1.2"), "s": parse("a > 1.2")},
                              wanted=["t", "s"])  # fmt: skip
    for value, wanted in ((1.2, (1, 0)), (1.1999, (0, 0)), (1.2001, (1, 1))):
        slots = run_program(program, ["a"], {"a": value}, dtype)
        assert (slots[program.names["t"]][0], slots[program.names["s"]][0]) == wanted


@pytest.mark.parametrize(
    "text",
    ["'x' == 'y'", "a == 'x'", "a in [1, 2]", "a not in [1]", "[a]", "cls('a') == 'b'", "n('b')",
     "n_of(['a'], 'b') > 1", "min()", "abs(a, b)", "if_(a, b)", "print(a)", "max([1, 2])",
     "mean(a)", "sum(a * 0 + 1)", "min(a) / b"],
)  # fmt: skip
def test_words_lists_and_other_functions_cannot_be_followed(text: str) -> None:
    with pytest.raises(ModelProblem):
        compile_program([indicator(text)], ["a", "b"], {})
    assert not is_followable(indicator(text))


def _same(text: str) -> bool:
    """Formula and program agree, or the formula cannot be followed; True if compared."""
    try:
        formula = parse(text)
    except RulebookProblem:
        return False
    names = [name for name in ("a", "b", "flag") if name in formula.names()]
    try:
        with fuzz_formulas.few_frames():
            program = compile_program([], names, {"t": formula}, wanted=["t"])
    except ModelProblem:
        return False
    inputs = odd_inputs(["a", "b", "flag"], np.random.default_rng(len(text)), [0.0, 1.0, 2.5])
    wanted = np.broadcast_to(evaluate(formula, inputs), BLOCK)
    found = run_program(program, names, inputs)[program.names["t"]]
    np.testing.assert_array_equal(found, wanted, err_msg=text)
    return True


@settings(max_examples=400)
@given(fuzz_formulas.formulas)
def test_fuzzed_formulas_agree_or_are_refused(text: str) -> None:
    _same(text)


_atoms = st.sampled_from(["a", "b", "flag", "absent", "0", "1", "2.5", "0.3", "1e3", "true"])
_plain = st.recursive(
    _atoms,
    lambda parts: st.one_of(
        st.tuples(parts, st.sampled_from([*"+-*/<>", "<=", ">=", "==", "!=", "and", "or"]), parts)
        .map(lambda t: f"({' '.join(t)})"),
        st.tuples(parts, parts, parts).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(st.sampled_from(["not ", "-", "abs"]), parts).map(lambda t: f"({t[0]}({t[1]}))"),
        st.tuples(st.sampled_from(["min", "max", "sum", "mean"]),
                  st.lists(parts, min_size=2, max_size=4).map(", ".join))
        .map(lambda t: f"{t[0]}({t[1]})"),
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=500)
@given(_plain)
def test_formulas_of_numbers_always_agree(text: str) -> None:
    assert _same(text), text

"""Stress scenarios: their files, their mark on the books, order of results, reverse stress."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem
from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.expression import parse
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability import kernel
from debtwatch.sustainability.draws import Factors, draw
from debtwatch.sustainability.programs import compile_program
from debtwatch.sustainability.reverse import joint_reverse_stress, reverse_stress
from debtwatch.sustainability.scenarios import Shock, course, load_scenarios, scaled
from debtwatch.sustainability.simulate import Books, Watch, simulate
from debtwatch.sustainability.stress import (
    REASONS,
    StressBasis,
    along_drivers,
    apply,
    lacking,
    run_scenarios,
)

SCENARIOS = load_scenarios()
BY_ID = {scenario.id: scenario for scenario in SCENARIOS}
ROLLING = {"s8-rollover", "c4-market-100", "c4-market-200"}
ADVERSE = [s for s in SCENARIOS if s.only_worse and s.set != "direction"]
QUARTERS = 12
FLOWS = {
    "gpb_revenue": 0, "tax_revenue": 0, "gpb_transfer_in": 1, "gpb_transfer_out": 1,
    "implied_net_transfers": 1, "gfb_revenue": 2, "land_revenue": 2, "gfb_transfer_in": 3,
}  # fmt: skip
SEEDS = st.integers(0, 10_000)
TOTALS = {
    "debt_balance": parse("general_debt_balance + special_debt_balance"),
    "comprehensive_fiscal_capacity": parse(
        "gpb_revenue + gpb_transfer_in - gpb_transfer_out + gfb_revenue + gfb_transfer_in"
    ),
}


def random_books(seed, units=6, noise=0.3):
    """Books whose limits, reserves and spending differ; ``noise`` opens gaps and surpluses."""
    rng = np.random.default_rng(seed)
    shape = (units, QUARTERS)
    money = rng.uniform(5, 50, (units, 1))
    base = np.zeros((units, len(FLOWS), QUARTERS + 3))
    names = list(FLOWS)
    for name, size in {"gpb_revenue": 1, "gpb_transfer_in": 1.5, "gfb_revenue": 0.8}.items():
        base[:, names.index(name)] = money * size * rng.uniform(0.5, 1.5, (units, QUARTERS + 3))
    base[:, 1] = 0.8 * base[:, 0]
    base[:, 3] = 0.1 * base[:, 2]
    base[:, 6] = rng.uniform(0.2, 1, (units, 1)) * base[:, 5]
    base[:, 7] = 0.05 * base[:, 5]
    quarterly = np.zeros((units, kernel.QUARTERLY_ROWS, QUARTERS))
    once = np.zeros((units, kernel.ONCE_COLUMNS))
    revenue = [
        (base[:, 0, 3:], (base[:, 2] - base[:, 3])[:, 3:]),
        (base[:, 5, 3:], np.zeros(shape)),
    ]
    for ledger, (a, b) in enumerate(revenue):
        rows = quarterly[:, ledger * kernel.LEDGER_ROWS :]
        debt = money[:, 0] * rng.uniform(2, 14, units)
        rows[:, kernel.PRINCIPAL] = debt[:, None] * rng.uniform(0, 0.05, shape)
        rows[:, kernel.INTEREST] = 0.008 * debt[:, None] * np.linspace(1, 0.7, QUARTERS)
        rows[:, kernel.PLAN] = money * rng.uniform(-0.1, 0.3, (units, 1))
        rows[:, kernel.RATE] = 0.028
        issued = rows[:, kernel.PRINCIPAL] + rows[:, kernel.PLAN]
        new = 0.007 * (np.cumsum(issued, axis=1) - issued)
        rows[:, kernel.INTEREST_PLAN] = rows[:, kernel.INTEREST] + new
        rows[:, kernel.INTEREST_PLAN] += noise * 0.01 * debt[:, None] * rng.normal(size=shape)
        rows[:, kernel.REVENUE_A], rows[:, kernel.REVENUE_B] = a, b
        rows[:, kernel.SPENDING] = a + b + rows[:, kernel.PLAN]
        rows[:, kernel.RIGID] = rows[:, kernel.SPENDING] * rng.uniform(0.5, 1, (units, 1))
        once[:, kernel.ROOM[ledger]] = money[:, 0] * rng.choice([0, 0.2, 2, np.inf], units)
        once[:, kernel.DEBT[ledger]] = debt
        once[:, kernel.FOLLOW[ledger]] = rng.choice([0.0, 0.7, 1.0], units)
    quarterly[:, kernel.CAPACITY_QUARTER] = money * 3.3
    quarterly[:, kernel.FUND_TARGET] = 0.2 * money
    once[:, kernel.STABILISATION] = money[:, 0] * rng.choice([0, 0.1, 1], units)
    once[:, kernel.CUT_SHARE] = rng.choice([0.0, 0.5], units)
    return Books(
        keys=np.arange(1, units + 1).astype(np.uint64), province=np.arange(units) % 2,
        kind=np.zeros(units, dtype=np.intp), steps=np.arange(QUARTERS), quarterly=quarterly,
        once=once, past=np.ones((units, 2, 3, 3)), flows=tuple(FLOWS),
        flow_driver=np.array(list(FLOWS.values())), flow_base=base,
        tenor=np.full((units, 1), 28), tenor_share=np.ones((units, 1)),
        spread=np.tile([0.03, 0.03, 0.1, 0.004, 0.006], (units, 1)),
        drift_error=np.tile([0.005, 0.005, 0.01, 0.001, 0.001], (units, 1)),
    )  # fmt: skip


def basis_of(books, worst=(-0.15, -0.05, -0.4, 0.02, 0.03)):
    units = len(books.keys)
    land = books.flow_base[:, 6].sum(axis=1) / books.flow_base[:, 5].sum(axis=1)
    return StressBasis(
        growth_sd=np.linspace(0.02, 0.1, units), spending_sd=np.full(units, 0.05),
        land_share=land, lgfv_debt=np.linspace(0, 300, units),
        primary_balance=np.linspace(-20, 20, 2 * units).reshape(units, 2),
        worst_year=np.tile(np.array(worst), (units, 1)), labels=("2022Q4",) * units,
    )  # fmt: skip


@cache
def followed():
    tiers = next(book for book in load_rulebooks() if book.id == "cn-debt-tiers")
    program = compile_program(tiers.indicator, (*kernel.SLOTS, *FLOWS), TOTALS)
    lines = tuple((i.id, line) for i in tiers.indicator for line in lines_of(tiers, i))
    return Watch((program,), tuple(i.id for i in tiers.indicator), lines)


@cache
def shocks(paths=256, yields=0.0015):
    rng = np.random.default_rng(3)
    factors = Factors(
        np.eye(5) * 0.3, rng.standard_normal((40, 5)) * 0.5, rng.standard_normal((2, 40, 5)) * 0.3,
        rng.standard_normal((1000, 5)) * 0.8, 40.0, 4.0,
    )  # fmt: skip
    return draw(
        factors, paths=paths, steps=QUARTERS, quarters=QUARTERS, seed=1, yield_spread=yields
    )


def evaluate(books):
    names = ("debt_ratio", "unfunded_gap", "general_debt_balance", "special_debt_balance")
    found = simulate(
        books, shocks(), followed(), still=True, keep=names, precision="double", workers=1
    )
    return {name: found.kept[:, k, :, 0] for k, name in enumerate(names)}


def close(a, b, **options):
    np.testing.assert_allclose(a, b, **{"rtol": 1e-12, "atol": 1e-9, **options})


def not_lower(higher, lower, slack=1e-9):
    assert np.isfinite(lower).all()
    assert np.isfinite(higher).all()
    assert (higher >= lower - slack).all(), float((lower - higher).max())


def general(row):
    return row


def special(row):
    return kernel.LEDGER_ROWS + row


# ---- files


def test_the_catalogues_are_complete():
    methods = {s.id.split("-")[0] for s in SCENARIOS if s.set == "methods"}
    assert methods == {f"s{k}" for k in range(1, 10)}
    reference = {s.id.split("-")[0] for s in SCENARIOS if s.set == "reference"}
    assert reference == {"b1", "b2", "b3", "b6", "c1", "c2", "c3", "c4", "n1", "n2"}
    not_ordered = {s.id for s in SCENARIOS if s.shocks and not s.only_worse}
    assert not_ordered == {"s7-history", "s9-no-policy-change", *ROLLING}
    for scenario in SCENARIOS:
        assert scenario.set != "direction" or "{size}" in scenario.sentence.zh
        assert bool(scenario.shocks) != bool(scenario.unavailable)


OWN = """
[[scenario]]
id = "own-land"
label = { zh = "土地", en = "Land" }
text = { zh = "土地", en = "Land" }
source = { zh = "自定", en = "Ours" }
part = [{ id = "s1-growth" }]
[[scenario.shock]]
driver = "land"
size = 0.4
quarters = 4
recovery = "none"
"""


def written(tmp_path, text, name="own.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_the_users_own_may_use_shipped_scenarios(tmp_path):
    own = load_scenarios([written(tmp_path, "\ufeff" + OWN)])[-1]
    assert (own.id, own.set) == ("own-land", "own")
    assert [(s.driver, s.amount) for s in own.shocks] == [("own_revenue", 0.5), ("land", 0.4)]
    assert own.parts == (BY_ID["s1-growth"],)


FAULTS = [
    ("size = 0.4", "size = 1.2", "scenario own-land, shock 1: size 1.2 of land is beyond"),
    ("size = 0.4", "size = -0.2", "-0.2 is negative"),
    ("size = 0.4", "size = nan", "scenario own-land, shock 1, size: "),
    ("size = 0.4", "size = true", "scenario own-land, shock 1, size: "),
    ("size = 0.4", "", "land needs one of: size"),
    ("size = 0.4", "sd = 1.0", "land has no option sd"),
    ('driver = "land"', 'driver = "lnad"', "scenario own-land, shock 1, driver: "),
    ("quarters = 4", "quarter = 4", "shock 1, quarter: Extra inputs"),
    ("quarters = 4", "quarters = 0", "shock 1, quarters: "),
    ('recovery = "none"', "", "quarters and recovery"),
    ('recovery = "none"', 'recovery = "linear"', "recovery_quarters"),
    ("s1-growth", "s1-grwth", "there is no scenario s1-grwth"),
    ("s1-growth", "s6-combined", "s6-combined has no shocks of its own"),
    ("s1-growth", "s9-no-policy-change", "stands alone"),
    ("own-land", "s1-growth", "the id is taken"),
    ('zh = "自定"', 'zh = " "', "a text is empty"),
    ("[[scenario]]", 'set = "methods"\n[[scenario]]', "leave out set"),
    ("[[scenario]]", "[[scenario", "own.toml: "),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS, ids=[fault[1] for fault in FAULTS])
def test_a_fault_is_named_with_its_place(tmp_path, old, new, said):
    with pytest.raises(ModelProblem) as caught:
        load_scenarios([written(tmp_path, OWN.replace(old, new, 1))])
    assert said in str(caught.value)
    assert (
        "own.toml" in str(caught.value) or "there is no" in said or "own-land" in str(caught.value)
    )


def test_all_faults_of_all_files_come_at_once(tmp_path):
    first = written(tmp_path, OWN.replace("0.4", "1.4").replace("quarters = 4", "lenght = 4"))
    second = written(tmp_path, OWN.replace('"land"', '"sea"'), "second.toml")
    third = tmp_path / "third.toml"
    with pytest.raises(ModelProblem) as caught:
        load_scenarios([first, second, third])
    for word in ("lenght", "sea", "third.toml"):
        assert word in str(caught.value)


HOSTILE = {
    "a number for a table": "scenario = 3",
    "numbers for scenarios": "scenario = [1, 2]",
    "nothing": "",
    "a placeholder": OWN.replace("source", 'sentence = { zh = "{x.y}", en = "{" }\nsource', 1),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_odd_files_are_refused_with_a_message(tmp_path, text):
    with pytest.raises(ModelProblem, match=r"own\.toml"):
        load_scenarios([written(tmp_path, text)])


def test_scaling_is_bounded():
    assert scaled(BY_ID["s6-combined"], 0.5).parts[0].shocks[0].sd == 0.5
    for factor in (-0.1, 3.4, np.nan):
        with pytest.raises(ModelProblem, match="s2-land-30"):
            scaled(BY_ID["s2-land-30"], factor)


def test_courses():
    def path(**options):
        return course(Shock(driver="own_revenue", size=0.1, **options), 6).tolist()

    assert path() == [1] * 6
    assert path(first=3) == [0, 0, 1, 1, 1, 1]
    assert path(quarters=2, recovery="at_once") == [1, 1, 0, 0, 0, 0]
    assert path(quarters=4, build_up="gradual", recovery="none") == [0.25, 0.5, 0.75, 1, 1, 1]
    linear = path(quarters=2, build_up="gradual", recovery="linear", recovery_quarters=4)
    assert linear == [0.5, 1, 0.75, 0.5, 0.25, 0]


# ---- the mark on the books


def test_growth_falls_a_quarter_of_a_deviation_each_quarter():
    books = random_books(1)
    basis = basis_of(books)
    stressed, _ = apply(books, BY_ID["s1-growth"], basis)
    level = stressed.flow_base[:, 0, 3:] / books.flow_base[:, 0, 3:]
    expected = np.exp(-basis.growth_sd[:, None] * np.minimum(np.arange(1, 13), 4) / 4)
    close(level, expected)
    close(stressed.flow_base[:, 1], 0.8 * stressed.flow_base[:, 0])
    close(stressed.flow_base[:, :, :3], books.flow_base[:, :, :3])
    gap = stressed.quarterly[:, general(kernel.GAP_A)]
    close(gap, books.flow_base[:, 0, 3:] * (1 - expected))
    floored, _ = apply(books, BY_ID["b1-growth"], basis)
    close(floored.flow_base[0, 0, -1] / books.flow_base[0, 0, -1], np.exp(-0.03))


def test_land_falls_with_its_share_of_the_fund():
    books = random_books(2)
    stressed, _ = apply(books, BY_ID["s2-land-50"], basis_of(books))
    lost = books.flow_base[:, 6, 3:] - stressed.flow_base[:, 6, 3:]
    close(lost[:, :8], 0.5 * books.flow_base[:, 6, 3:11])
    close(lost[:, 8:], 0.5 * books.flow_base[:, 6, 11:] * np.array([7, 6, 5, 4]) / 8)
    close(books.flow_base[:, 5, 3:] - stressed.flow_base[:, 5, 3:], lost)
    close(stressed.quarterly[:, special(kernel.GAP_A)], lost)
    close(stressed.flow_base[:, [0, 2, 3, 7]], books.flow_base[:, [0, 2, 3, 7]])


def test_transfers_received_fall_and_remittances_stay():
    books = random_books(3)
    net = books.flow_base.copy()
    net[0, 2:4], net[0, 4] = 0.0, 30.0
    net[1, 2:4], net[1, 4] = 0.0, -5.0
    net[2, 2:5] = 0.0
    books = replace(books, flow_base=net)
    stressed, missing = apply(books, BY_ID["s4-transfers-10"], basis_of(books))
    assert missing == (None, "transfers_received", "transfers_received", None, None, None)
    close(stressed.flow_base[3:, 2, 3:7], 0.9 * net[3:, 2, 3:7])
    close(stressed.flow_base[3:, 3], net[3:, 3])
    close(stressed.flow_base[0, 4, 3:7], 27.0)
    close(stressed.quarterly[3:, general(kernel.GAP_B), :4], 0.1 * net[3:, 2, 3:7])
    close(stressed.quarterly[0, general(kernel.GAP_B), :4], 3.0)
    close(stressed.quarterly[3:, general(kernel.GAP_B), 4:], 0.0)


def test_rates_refinancing_recognition_and_spending():
    books, rows = random_books(4), [general(kernel.RATE), special(kernel.RATE)]
    basis = basis_of(books)
    close(apply(books, BY_ID["s3-rate-200"], basis)[0].quarterly[:, rows], 0.048)
    drop = apply(books, BY_ID["s8-rollover"], basis)[0].quarterly[:, special(kernel.ROLL_DROP)]
    close(drop, np.tile([0.3, 0.3] + [0.0] * 10, (6, 1)))
    recognised = apply(books, BY_ID["s5-contingent-20"], basis)[0].quarterly
    recognised = recognised[:, general(kernel.RECOGNISED)]
    close(recognised[:, 1], 0.2 * basis.lgfv_debt)
    assert np.count_nonzero(recognised) == np.count_nonzero(basis.lgfv_debt)
    disaster = apply(books, BY_ID["c2-disaster"], basis)[0].quarterly
    capacity = books.quarterly[:, kernel.CAPACITY_QUARTER, 0]
    close(disaster[:, general(kernel.RECOGNISED), 0], 0.05 * 4 * capacity)
    both = apply(books, BY_ID["s6-combined"], basis)[0].quarterly - books.quarterly
    more = 0.025 * books.quarterly[:, general(kernel.SPENDING), :4]
    for row in (kernel.SPENDING, kernel.RIGID, kernel.PLAN):
        close(both[:, row, :4], more)
        close(both[:, row, 4:], 0.0)


def test_losses_of_one_driver_multiply():
    books = random_books(5)
    basis = replace(basis_of(books), growth_sd=np.full(6, 0.1))
    stressed, _ = apply(books, BY_ID["b6-combined"], basis)
    level = stressed.flow_base[:, 0, 3:] / books.flow_base[:, 0, 3:]
    close(level[:, 7], 0.95 * np.exp(-0.05))
    close(level[:, 8:], np.exp(-0.05))


def test_figures_that_are_not_known_give_no_result_and_harm_nobody_else():
    books = random_books(6)
    basis = basis_of(books)
    holes = replace(
        basis,
        lgfv_debt=np.where(np.arange(6) == 2, np.nan, basis.lgfv_debt),
        land_share=np.where(np.arange(6) == 3, np.nan, basis.land_share),
    )
    central, runs = run_scenarios(books, holes, SCENARIOS, evaluate)
    assert np.isfinite(central["debt_ratio"]).all()
    _, whole = run_scenarios(books, basis, SCENARIOS, evaluate)
    for run, full in zip(runs, whole, strict=True):
        out = np.array([reason is not None for reason in run.missing])
        assert set(filter(None, run.missing)) <= set(REASONS)
        assert np.isnan(run.paths["debt_ratio"][out]).all()
        assert (run.worst_quarter[out] == -1).all()
        close(run.paths["debt_ratio"][~out], full.paths["debt_ratio"][~out])
    named = {run.scenario.id: run.missing for run in runs}
    assert named["s5-contingent-10"] == (None, None, "lgfv_debt", None, None, None)
    assert named["s6-combined"] == (None, None, None, "land_share", None, None)
    assert set(named["c3-resource-tax"]) == {"unavailable"}
    # A report of no vehicle debt is a report: nothing falls on the budget.
    close(whole[6].change[0], 0.0)
    assert whole[6].scenario.id == "s5-contingent-10"


def test_governments_without_figures_stay_without():
    books = random_books(7)
    books.flow_base[1], books.quarterly[1] = np.nan, np.nan
    basis = basis_of(books)
    known = np.arange(6) != 1
    _, runs = run_scenarios(books, basis, SCENARIOS, evaluate)
    _, others = run_scenarios(
        books.take(np.flatnonzero(known)), taken(basis, known), SCENARIOS, evaluate
    )
    for run, other in zip(runs, others, strict=True):
        assert np.isnan(run.paths["debt_ratio"][1]).all()
        np.testing.assert_array_equal(run.paths["debt_ratio"][known], other.paths["debt_ratio"])


def taken(basis, rows):
    arrays = {name: value[rows] for name, value in vars(basis).items() if name != "labels"}
    return replace(basis, **arrays, labels=tuple(np.array(basis.labels)[rows]))


def test_no_governments_at_all():
    books = random_books(8).take(np.arange(0))
    basis = taken(basis_of(random_books(8)), np.arange(0))

    def empty(_):
        return {"debt_ratio": np.empty((0, QUARTERS))}

    _, runs = run_scenarios(books, basis, SCENARIOS, empty)
    assert all(run.missing == () for run in runs)
    found = reverse_stress(books, basis, BY_ID["r-land"], empty, threshold=1.0)
    assert found.outcome == ()


def test_an_unknown_headline_is_refused():
    books = random_books(9)
    with pytest.raises(ModelProblem, match="general_debt_balance"):
        run_scenarios(books, basis_of(books), ADVERSE[:1], evaluate, headline="nothing")


def test_scaling_money_changes_no_ratio():
    books, thousand = random_books(10), 1000.0
    quarterly = books.quarterly * thousand
    for row in (kernel.RATE, kernel.ROLL_DROP):
        for ledger in (general, special):
            quarterly[:, ledger(row)] = books.quarterly[:, ledger(row)]
    once = books.once.copy()
    once[:, [*kernel.ROOM, *kernel.DEBT, kernel.STABILISATION]] *= thousand
    larger = replace(
        books, quarterly=quarterly, once=once, past=books.past * thousand,
        flow_base=books.flow_base * thousand,
    )  # fmt: skip
    basis = basis_of(books)
    more = replace(
        basis,
        lgfv_debt=basis.lgfv_debt * thousand,
        primary_balance=basis.primary_balance * thousand,
    )
    _, small = run_scenarios(books, basis, SCENARIOS, evaluate)
    _, large = run_scenarios(larger, more, SCENARIOS, evaluate)
    for a, b in zip(small, large, strict=True):
        close(b.paths["debt_ratio"], a.paths["debt_ratio"], rtol=1e-9)


def test_a_year_of_the_past_moves_every_driver():
    books = random_books(23)
    basis = basis_of(books)
    stressed, _ = apply(books, BY_ID["s7-history"], basis)
    ramp = np.minimum(np.arange(1, 13), 4) / 4
    for driver, name in enumerate(("gpb_revenue", "gpb_transfer_out", "gfb_revenue")):
        place = books.flows.index(name)
        level = np.exp(basis.worst_year[0, driver] * ramp)
        close(stressed.flow_base[:, place, 3:], books.flow_base[:, place, 3:] * level)
    net = (books.flow_base[:, 2] - books.flow_base[:, 3])[:, 3:]
    close(stressed.quarterly[:, general(kernel.GAP_B)], net * (1 - np.exp(-0.05 * ramp)))
    capacity = books.quarterly[:, kernel.CAPACITY_QUARTER]
    for ledger, share in ((general, 0.02), (special, 0.03)):
        for row in (kernel.PLAN, kernel.SPENDING):
            more = stressed.quarterly[:, ledger(row)] - books.quarterly[:, ledger(row)]
            close(more, share * capacity * (np.arange(12) < 4))


def test_a_second_blow_falls_on_what_the_first_has_left():
    books = random_books(24)
    basis, half = basis_of(books), Shock(driver="own_revenue", size=0.5)
    once = replace(BY_ID["r-own-revenue"], shocks=(half,))
    twice = replace(once, shocks=(half, half))
    one_by_one, _ = apply(apply(books, once, basis)[0], once, basis)
    together, _ = apply(books, twice, basis)
    close(one_by_one.quarterly, together.quarterly)
    close(one_by_one.flow_base, together.flow_base)
    close(together.quarterly[:, general(kernel.GAP_A)], 0.75 * books.flow_base[:, 0, 3:])
    stop = Shock(driver="roll_over", size=0.7)
    stopped, _ = apply(books, replace(once, shocks=(stop, stop)), basis)
    close(stopped.quarterly[:, general(kernel.ROLL_DROP)], 1.0)


def test_a_ratio_that_cannot_be_computed_is_not_the_better_one():
    books = random_books(25)

    def gone(stressed):
        lost = stressed.quarterly[:, general(kernel.GAP_A)] > 0
        land = stressed.quarterly[:, special(kernel.GAP_A)] > 0
        return {"debt_ratio": np.where(lost & ~land, np.nan, 1.0)}

    _, (run,) = run_scenarios(books, basis_of(books), [BY_ID["s6-combined"]], gone)
    assert np.isnan(run.paths["debt_ratio"]).all()
    assert (run.decided_by == 1).all()
    assert (run.worst_quarter == -1).all()


# ---- order


@given(SEEDS)
@settings(max_examples=12)
def test_every_adverse_scenario_raises_the_ratio_and_a_larger_one_no_less(seed):
    books = random_books(seed)
    basis = basis_of(books)
    central = evaluate(books)["debt_ratio"]
    for scenario in ADVERSE:
        before = central
        for factor in (0.3, 1.0, scenario.largest_scale):
            stressed, missing = apply(books, scenario, basis, factor)
            assert not any(missing)
            ratio = evaluate(stressed)["debt_ratio"]
            not_lower(np.nan_to_num(ratio, nan=np.inf, posinf=1e300), before)
            before = np.minimum(np.nan_to_num(ratio, nan=1e300), 1e300)


@given(SEEDS)
@settings(max_examples=12)
def test_a_bad_year_of_the_past_raises_the_ratio(seed):
    books = random_books(seed)
    central = evaluate(books)["debt_ratio"]
    not_lower(
        evaluate(apply(books, BY_ID["s7-history"], basis_of(books))[0])["debt_ratio"], central
    )


@given(SEEDS)
@settings(max_examples=12)
def test_the_combined_stress_is_as_bad_as_each_part(seed):
    books = random_books(seed)
    basis = basis_of(books)
    combined = [BY_ID["s6-combined"], BY_ID["b6-combined"]]
    _, runs = run_scenarios(books, basis, combined, evaluate)
    for run in runs:
        parts = run.scenario.parts
        found = [evaluate(apply(books, part, basis)[0]) for part in parts]
        found.insert(0, evaluate(apply(books, run.scenario, basis)[0]))
        for part in found:
            not_lower(run.paths["debt_ratio"], part["debt_ratio"])
        gaps = np.array([part["unfunded_gap"] for part in found])
        chosen = np.take_along_axis(gaps, run.decided_by[None], 0)[0]
        np.testing.assert_array_equal(run.paths["unfunded_gap"], chosen)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.id)
def test_scale_nothing_is_the_central_path_exactly(scenario):
    books = random_books(11)
    basis = basis_of(books)
    if scenario.unavailable:
        assert lacking(books, scenario, basis) == ("unavailable",) * 6
        return
    for stressed in (
        apply(books, scenario, basis, 0.0)[0],
        apply(books, scaled(scenario, 0.0), basis)[0],
    ):
        np.testing.assert_array_equal(stressed.quarterly, books.quarterly)
        np.testing.assert_array_equal(stressed.flow_base, books.flow_base)


@pytest.mark.parametrize("scenario", [*ADVERSE, BY_ID["s7-history"]], ids=lambda s: s.id)
@pytest.mark.parametrize("seed", [12, 13])
def test_no_breach_becomes_less_likely_with_the_same_draws(scenario, seed):
    books = random_books(seed, units=8)
    # Yields stand still: where they move, a county that borrows early and repays late may
    # have hit the cheaper dates, and its ratio may end lower by some hundred-thousandths.
    draws = shocks(512, 0.0)
    options = {"precision": "double", "workers": 1}
    central = simulate(books, draws, followed(), **options)
    stressed = simulate(apply(books, scenario, basis_of(books))[0], draws, followed(), **options)
    assert (stressed.beyond >= central.beyond).all()
    assert (stressed.ever >= central.ever).all()


def test_spending_that_could_be_cut_would_still_not_pay_off():
    books = random_books(14)
    shock = Shock(driver="spending", size=0.05, quarters=4, recovery="at_once")
    scenario = replace(BY_ID["s4-transfers-10"], shocks=(shock, *BY_ID["s4-transfers-10"].shocks))
    both = evaluate(apply(books, scenario, basis_of(books))[0])["debt_ratio"]
    alone = evaluate(apply(books, BY_ID["s4-transfers-10"], basis_of(books))[0])["debt_ratio"]
    not_lower(both, alone)


@pytest.mark.parametrize("name", sorted(ROLLING))
def test_a_failed_roll_over_adds_to_gross_debt_unless_a_surplus_repays_it(name):
    lower = 0.0
    for seed in range(12):
        calm = random_books(seed, noise=0.0)
        # Without surpluses in the ledgers no arrears are repaid, and the ratio does not fall.
        calm.quarterly[:, [general(kernel.INTEREST_PLAN), special(kernel.INTEREST_PLAN)]] -= 1.0
        stressed, _ = apply(calm, BY_ID[name], basis_of(calm))
        not_lower(evaluate(stressed)["debt_ratio"], evaluate(calm)["debt_ratio"])
        rough = random_books(seed, noise=1.0)
        stressed, _ = apply(rough, BY_ID[name], basis_of(rough))
        fall = evaluate(rough)["debt_ratio"] - evaluate(stressed)["debt_ratio"]
        lower = max(lower, float(fall.max()))
    # What the fall amounts to: part of the reserve that is not refilled.
    assert lower < 0.05


# ---- no policy change


def test_the_primary_balance_stays_as_it_was():
    books = random_books(15, noise=0.0)
    books = replace(books, tenor=np.full((6, 1), 60))
    for ledger in (general, special):
        # Rates and interest as planned: the closing rule has nothing to do.
        books.quarterly[:, ledger(kernel.PLAN)] = 0.5
        issued = books.quarterly[:, ledger(kernel.PRINCIPAL)] + 0.5
        new = 0.007 * (np.cumsum(issued, axis=1) - issued)
        books.quarterly[:, ledger(kernel.INTEREST_PLAN)] = (
            books.quarterly[:, ledger(kernel.INTEREST)] + new
        )
    basis = replace(basis_of(books), primary_balance=np.full((6, 2), -2.0))
    stressed, _ = apply(books, BY_ID["s9-no-policy-change"], basis)
    found = simulate(
        stressed, shocks(), followed(), still=True, trace=True, precision="double", workers=1
    )
    flow = dict(zip(kernel.TRACE, np.moveaxis(found.traced[..., 0], 2, 0), strict=True))
    balance = flow["revenue"] + flow["other_sources"] - (flow["spending"] - flow["interest"])
    close(balance, -0.5, atol=1e-6)
    close(flow["net_borrowing"], flow["interest"] + 0.5, atol=1e-6)


# ---- reverse stress


def whole_path(books, basis, direction, scale):
    return evaluate(apply(books, direction, basis, scale)[0])["debt_ratio"]


@pytest.mark.parametrize(
    "direction", [s for s in SCENARIOS if s.set == "direction"], ids=lambda s: s.id
)
def test_the_scale_found_is_the_smallest_that_crosses_the_line(direction):
    books = random_books(16, units=8)
    basis = basis_of(books)
    top = direction.largest_scale
    low = whole_path(books, basis, direction, 0.0).max(axis=1)
    high = whole_path(books, basis, direction, top).max(axis=1)
    line = low + np.linspace(-0.1, 1.1, 8) * np.nan_to_num(high - low, nan=1.0, posinf=1.0)
    found = reverse_stress(books, basis, direction, evaluate, threshold=line)
    assert set(found.outcome) <= {"found", "already beyond", "not reachable"}
    assert found.outcome[0] in {"already beyond", "not reachable"}
    assert found.outcome[-1] == "not reachable" or direction.id != "r-land"
    crossing = np.array([word == "found" for word in found.outcome])
    assert crossing.sum() >= 3
    scale = np.where(crossing, found.scale, 0.0)
    at = whole_path(books, basis, direction, scale)
    below = whole_path(books, basis, direction, np.maximum(scale - 1.01e-4, 0.0))
    assert (at.max(axis=1) >= line - 1e-8)[crossing].all()
    assert (below.max(axis=1) < line)[crossing].all()
    for unit in np.flatnonzero(crossing):
        quarter = found.quarter[unit]
        assert at[unit, quarter] >= line[unit] - 1e-8
        assert quarter == 0 or (at[unit, :quarter] < line[unit]).all()
    close(found.size, found.scale * direction.shocks[0].size)


def linear(books, slope=2.0):
    """Ratio rising linearly with the loss of own revenue."""
    lost = books.quarterly[:, general(kernel.GAP_A)] / books.quarterly[:, general(kernel.REVENUE_A)]
    return {"debt_ratio": 1.0 + slope * lost}


def test_the_edge_of_a_line_counts_as_the_line_says():
    books = random_books(17)
    basis = basis_of(books)
    direction = BY_ID["r-own-revenue"]

    def outcome(threshold, inclusive):
        found = reverse_stress(
            books, basis, direction, linear, threshold=threshold, inclusive=inclusive
        )
        return found.outcome[0], found.scale[0]

    assert outcome(1.0, True) == ("already beyond", 0.0)
    word, scale = outcome(1.0, False)
    assert word == "found"
    assert 0 < scale <= 1e-4
    assert outcome(3.0, True)[0] == "found"
    assert outcome(3.0, False)[0] == "not reachable"
    word, scale = outcome(1.5, True)
    assert scale + 1e-9 >= 0.25
    assert scale <= 0.2501
    assert outcome(np.nan, True)[0] == "na"


def test_a_ratio_that_falls_with_the_blow_is_said_to():
    books = random_books(18)
    found = reverse_stress(
        books,
        basis_of(books),
        BY_ID["r-own-revenue"],
        lambda b: linear(b, -1.0),
        threshold=1.2,
        horizon=8,
    )
    assert set(found.outcome) == {"not monotone"}
    assert np.isnan(found.scale).all()


def test_what_lies_behind_the_line_is_of_no_concern():
    books = random_books(26)

    def peaked(stressed):
        ratio = linear(stressed)["debt_ratio"]
        return {"debt_ratio": np.where(ratio > 2.0, 4.0 - ratio, ratio)}

    options = {"threshold": 1.5, "horizon": 8}
    found = reverse_stress(books, basis_of(books), BY_ID["r-own-revenue"], peaked, **options)
    assert set(found.outcome) == {"found"}
    options["threshold"] = 2.5
    found = reverse_stress(books, basis_of(books), BY_ID["r-own-revenue"], peaked, **options)
    assert set(found.outcome) == {"not monotone"}


def test_rounding_at_the_line_does_not_decide():
    books = random_books(27)
    basis, hair = basis_of(books), 4e-10
    for threshold, inclusive, said in (
        (1 + hair, True, "already beyond"),
        (1 - hair, False, "found"),
    ):
        found = reverse_stress(
            books, basis, BY_ID["r-own-revenue"], linear, threshold=threshold, inclusive=inclusive
        )
        assert set(found.outcome) == {said}


def test_horizon_reason_and_vanished_capacity():
    books = random_books(19)
    basis = basis_of(books)
    late = replace(BY_ID["r-own-revenue"], shocks=(Shock(driver="own_revenue", size=1.0, first=6),))
    soon = reverse_stress(books, basis, late, linear, threshold=1.5, horizon=5)
    assert set(soon.outcome) == {"not reachable"}
    later = reverse_stress(books, basis, late, linear, threshold=1.5, horizon=6)
    assert (later.quarter == 5).all()
    hole = replace(basis, lgfv_debt=np.full(6, np.nan))
    none = reverse_stress(books, hole, BY_ID["r-contingent"], evaluate, threshold=99.0)
    assert set(none.outcome) == {"na"}
    assert set(none.missing) == {"lgfv_debt"}

    def vanishing(stressed):
        ratio = linear(stressed)["debt_ratio"]
        return {"debt_ratio": np.where(ratio > 1.7, np.nan, ratio)}

    gone = reverse_stress(books, basis, BY_ID["r-own-revenue"], vanishing, threshold=2.9)
    assert set(gone.outcome) == {"found"}
    close(gone.scale, 0.35, atol=2e-4)
    with pytest.raises(ModelProblem, match="r-land"):
        reverse_stress(books, basis, BY_ID["r-land"], evaluate, threshold=2.0, largest=8.0)


def test_the_joint_reverse_stress_of_the_worked_case():
    books = random_books(20, units=2)
    covariance = np.zeros((2, 5, 5))
    covariance[:, :2, :2] = [[0.04, 0.01], [0.01, 0.09]]
    covariance[1, 0, 0] = np.nan

    def ratio(stressed):
        z = np.log(stressed.flow_base[:, [0, 2], 3:] / books.flow_base[:, [0, 2], 3:])
        return {"debt_ratio": 1.3 - 0.8 * z[:, 0] - 0.3 * z[:, 1]}

    found, none = joint_reverse_stress(books, ratio, covariance, threshold=1.6, quarter=11)
    close(found.beta, 1.5289415743, atol=1e-8)
    close(found.shocks, [-0.2727272727, -0.2727272727, 0, 0, 0], atol=1e-8)
    assert none is None
    still = joint_reverse_stress(
        books, ratio, 0 * np.nan_to_num(covariance), threshold=1.6, quarter=3
    )
    assert still == (None, None)


def test_the_joint_movement_reaches_the_line_where_the_books_are_straight():
    books = random_books(21, noise=0.0)
    # No limit, no reserve: what is not collected is borrowed.
    books.once[:, list(kernel.ROOM)] = np.inf
    books.once[:, kernel.STABILISATION] = 0.0
    deviation = np.array([0.02, 0.02, 0.05, 0.002, 0.002])
    covariance = np.tile(np.outer(deviation, deviation) * (0.3 + 0.7 * np.eye(5)), (6, 1, 1))
    line = evaluate(books)["debt_ratio"][:, 7] * 1.03
    found = joint_reverse_stress(books, evaluate, covariance, threshold=line, quarter=7)
    moved = along_drivers(books, np.array([one.shocks for one in found]))
    close(evaluate(moved)["debt_ratio"][:, 7], line, rtol=0.01)


def test_lines_of_rulebooks_are_what_reverse_stress_takes():
    line = next(line for _, line in followed().lines if line.value == 2.0)
    assert isinstance(line, Line)
    books = random_books(22)
    found = reverse_stress(
        books, basis_of(books), BY_ID["r-land"], evaluate,
        threshold=line.value, inclusive=line.inclusive, horizon=8,
    )  # fmt: skip
    assert len(found.outcome) == 6

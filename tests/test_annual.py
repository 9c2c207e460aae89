"""The plain annual form of debt sustainability: worked cases, laws, and two reference models."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem
from debtwatch.sustainability.annual import decompose_annual, project_ratio
from debtwatch.sustainability.annual_fan import ShockRule, annual_shocks, debt_fan
from debtwatch.sustainability.annual_financing import financing, gross_need_ratio
from debtwatch.sustainability.annual_limits import (
    breach_probability,
    breach_time,
    constant_path,
    debt_stabilising_balance,
    first_breach,
    fiscal_gap_s1,
    fiscal_gap_s2,
    required_balance,
)
from debtwatch.sustainability.annual_stress import (
    STRESSES,
    StressSizes,
    covariance_factor,
    estimate_shocks,
    most_likely_path,
    stress_paths,
)
from tests.conftest import SHARED, needs_shared

SEED = 20260930  # fixed before the first comparison with a reference
DRIVERS = ("growth", "interest_rate", "primary_balance")


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(SHARED / "reference" / f"{name}.csv")


# ---------------------------------------------------------------------------------- worked cases


def test_two_years_by_hand():
    # 0.80 x 1.05 / 1.02 + 0.01 = 1417/1700, then x 1.1 (currency) x 1.05 / 1.02 = x 77/68, - 0.01
    path = project_ratio(0.80, 0.02, 0.05, 0.01, stock_flow=[0.02, 0.0], fx_factor=[1.0, 1.1])
    assert path == pytest.approx([1417 / 1700, 109109 / 115600 - 0.01], abs=1e-14)


def test_the_start_is_not_in_the_result():
    assert project_ratio(0.7, 0.0, 0.0, 0.0, years=3).tolist() == [0.7, 0.7, 0.7]
    assert project_ratio(0.7, [0.0], 0.0, 0.1).shape == (1,)


def test_oracle_path_balance_and_breach():
    path = constant_path(1.20, 0.010, 0.0125, -0.004, 20)
    assert path[[3, 19]] == pytest.approx([1.2041328099, 1.2202613621], abs=1e-10)
    assert debt_stabilising_balance(1.20, 0.010, 0.0125) == pytest.approx(-0.0029629630, abs=1e-10)
    assert breach_time(1.20, 1.21, 0.010, 0.0125, -0.004) == pytest.approx(9.7475, abs=5e-5)
    assert first_breach(1.20, 1.21, 0.010, 0.0125, -0.004) == 10
    # The path tends to 1.62, so it never gets to 1.63 and does get to 1.61.
    assert constant_path(1.20, 0.010, 0.0125, -0.004, 9000)[-1] == pytest.approx(1.62, abs=1e-8)
    assert np.isinf(first_breach(1.20, 1.63, 0.010, 0.0125, -0.004))
    assert np.isfinite(first_breach(1.20, 1.61, 0.010, 0.0125, -0.004))


def test_equal_rate_and_growth_have_their_own_form():
    assert constant_path(0.5, 0.03, 0.03, -0.01, 3) == pytest.approx([0.51, 0.52, 0.53])
    # The limit is met exactly in year 4: rounding must not make it 5.
    assert first_breach(0.5, 0.54, 0.03, 0.03, -0.01) == 4
    assert required_balance(0.9, 0.6, 0.03, 0.03, 10) == pytest.approx(0.03)
    assert first_breach([0.6, 0.5, 0.5], 0.6, 0.03, 0.03, [0.0, 0.01, 0.0]).tolist() == [
        0.0, np.inf, np.inf,
    ]  # fmt: skip


def test_oracle_decomposition_with_sources_of_growth():
    ratio = [120 / 100, (120 * 1.01 + 1.5 + 0.5) / 99]
    sources = {"own": 0.01, "land": -0.03, "transfers": 0.01}
    one = decompose_annual(ratio, -0.01, 0.01, -1.5 / 99, growth_by_source=sources)
    assert ratio[1] == pytest.approx(1.2444444444, abs=1e-10)
    assert one.interest == pytest.approx([0.0121212121], abs=1e-10)
    assert one.primary_balance == pytest.approx([0.0151515152], abs=1e-10)
    assert one.stock_flow == pytest.approx([0.0050505051], abs=1e-10)
    assert {k: round(float(v[0]), 10) for k, v in one.growth_by_source.items()} == {
        "own": -0.0121212121, "land": 0.0363636364, "transfers": -0.0121212121,
    }  # fmt: skip
    assert debt_stabilising_balance(1.2, 0.01, -0.01) == pytest.approx(0.0242424242, abs=1e-10)


def test_oracle_breach_probability():
    found = breach_probability([120.0, 130.0], 100.0, 0.10, 1.4)
    assert found == pytest.approx([0.0615967448, 0.2293225521], abs=1e-10)
    assert breach_probability([139.0, 140.0, 141.0], 100.0, 0.0, 1.4).tolist() == [0.0, 1.0, 1.0]


def test_oracle_reverse_stress():
    s, b = np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([-0.8, -0.3])
    found = most_likely_path(s, b, 1.3, 1.6)
    assert found.beta == pytest.approx(1.5289415743, abs=1e-8)
    assert found.shocks == pytest.approx([-0.2727272727, -0.2727272727], abs=1e-8)
    assert found.probability == pytest.approx(math.erfc(1.5289415743 / math.sqrt(2)) / 2, abs=1e-10)
    assert 1.3 + b @ found.shocks == pytest.approx(1.6, abs=1e-12)


def test_most_likely_shocks_are_the_closest_on_the_threshold():
    s, b = np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([-0.8, -0.3])
    best = most_likely_path(s, b, 1.3, 1.6).shocks
    along = np.array([0.3, -0.8])  # keeps b'z
    length = [z @ np.linalg.solve(s, z) for z in (best, best + 0.02 * along, best - 0.02 * along)]
    assert length[0] == min(length)


def test_financing_by_hand():
    f = financing(
        10.0, 90.0, [1.0, 1.0], short_rate=0.02, market_long_rate=0.04, long_rate=0.03,
        new_long_share=0.1, maturing_share=0.1, stock_flow=[0.0, 2.0], other_repayment=[0.0, 5.0],
    )  # fmt: skip
    # Year 1: long rate .1 x .04 + .9 x .03 = .031; interest .2 + 2.79; due 10 + 9; need 20.99.
    assert f.interest_long[0] == pytest.approx(2.79)
    assert f.gross_need[0] == pytest.approx(20.99)
    assert f.debt[0] == pytest.approx(101.99)
    assert f.implicit_rate[0] == pytest.approx((0.2 + 2.79) / 100)
    # Year 2: 10.791 of 91.791 was new, so the long rate is .0320580; see the flows add up.
    assert f.long_rate[1] == pytest.approx(0.031 + 0.009 * 10.791 / 91.791)
    assert f.repayment[1] == pytest.approx(10.199 + 9.1791 + 5.0)
    assert f.debt[1] == pytest.approx(101.99 + f.interest[1] - 1.0 + 2.0)
    assert f.gross_need[1] == pytest.approx(f.interest[1] + 24.3781 - 1.0 + 2.0)


def test_the_financing_need_is_not_floored():
    f = financing(
        0.0, 100.0, [30.0], short_rate=0.0, market_long_rate=0.0, long_rate=0.0,
        new_long_share=0.0, maturing_share=0.1,
    )  # fmt: skip
    assert f.gross_need.tolist() == [-20.0]
    assert f.debt.tolist() == [70.0]
    assert f.new_long_share.tolist() == [0.0]


def test_bills_can_pay_the_rate_of_their_issue():
    shared = dict(market_long_rate=0.04, long_rate=0.03, new_long_share=0.0, maturing_share=0.1)
    f = financing(50.0, 50.0, 0.0, short_rate=[0.02, 0.05], short_rate_paid=[0.01, 0.02], **shared)
    assert f.interest_short[0] == pytest.approx(0.5)
    assert f.implicit_rate[0] == pytest.approx(0.5 * 0.02 + 0.5 * 0.03)


def test_gap_with_a_path_of_costs_is_the_needed_adjustment():
    cost = np.linspace(0.001, 0.02, 20)
    shared = dict(target=0.60, years=20, ageing_cost=cost)
    s1 = fiscal_gap_s1(0.90, -0.01, 0.025, 0.015, **shared)
    path = project_ratio(0.90, 0.015, 0.025, -0.01 + s1 - cost)
    assert path[-1] == pytest.approx(0.60, abs=1e-12)


def test_gap_without_end_keeps_the_ratio_bounded():
    cost = np.array([0.001, 0.004, 0.01])
    s2 = fiscal_gap_s2(0.90, -0.01, 0.035, 0.015, ageing_cost=cost)
    costs = np.concatenate([cost, np.full(397, 0.01)])
    path = project_ratio(0.90, 0.015, 0.035, -0.01 + s2 - costs)
    # From the year the costs are steady the ratio stands still; any other balance explodes.
    assert path[100] == pytest.approx(path[3], abs=1e-10)
    assert project_ratio(0.90, 0.015, 0.035, -0.011 + s2 - costs)[-1] > 50


def test_a_long_rate_reaches_only_what_is_refinanced():
    rule = ShockRule(("long_rate",), periods=4, short_share=0.0, maturity=2.0)
    e = np.arange(1.0, 13.0).reshape(1, 12, 1)
    # Year 1: 1/2 x (1+..+4); year 2: 1+..+8; year 3: the last eight, 5+..+12.
    assert annual_shocks(rule, e)["interest_rate"].tolist() == [[5.0, 36.0, 68.0]]
    sum_of_both = ShockRule(("short_rate", "long_rate"), periods=1, short_share=0.25, maturity=1.0)
    got = annual_shocks(sum_of_both, [[[0.04, 0.08]]])["interest_rate"]
    assert got == pytest.approx(0.25 * 0.04 + 0.75 * 0.08)


# ------------------------------------------------------------------------------------------ laws

rate = st.floats(-0.2, 0.3)
share = st.floats(-0.2, 0.2)
ratio_value = st.floats(0.0, 3.0)


def path_of(values):
    return st.lists(values, min_size=5, max_size=5).map(np.array)


paths_of_drivers = st.tuples(path_of(rate), path_of(rate), path_of(share))


@given(ratio_value, paths_of_drivers, path_of(share), st.floats(-4, 4))
def test_linear_in_debt_balance_and_adjustment(d, drivers, sf, k):
    g, i, pb = drivers
    one = project_ratio(d, g, i, pb, stock_flow=sf)
    assert project_ratio(k * d, g, i, k * pb, stock_flow=k * sf) == pytest.approx(
        k * one, rel=1e-10, abs=1e-12
    )


@given(st.lists(ratio_value, min_size=2, max_size=4), path_of(rate), path_of(rate), path_of(share))
def test_units_together_equal_units_one_by_one(ratios, g, i, pb):
    shift = np.linspace(0.0, 0.05, len(ratios))[:, None]
    together = project_ratio(ratios, g + shift, i, pb)
    single = [project_ratio(d, g + s, i, pb) for d, s in zip(ratios, shift[:, 0], strict=True)]
    assert np.array_equal(together, np.stack(single))
    order = np.random.default_rng(1).permutation(len(ratios))
    shuffled = project_ratio(np.array(ratios)[order], (g + shift)[order], i, pb)
    assert np.array_equal(shuffled, together[order])


@given(st.floats(0.01, 3.0), paths_of_drivers, st.floats(0.0, 0.1), st.sampled_from(DRIVERS))
def test_adverse_changes_never_lower_debt(d, drivers, size, driver):
    worse = dict(zip(DRIVERS, drivers, strict=True))
    worse["primary_balance"] = np.minimum(worse["primary_balance"], 0.0)  # keeps debt positive
    base = project_ratio(d, **worse)
    worse[driver] = worse[driver] + (size if driver == "interest_rate" else -size)
    changed = project_ratio(d, **worse)
    assert np.all(changed >= base - 1e-12)
    assert size < 1e-9 or np.all(changed > base)


@given(ratio_value, path_of(rate), path_of(rate), path_of(share), path_of(share))
def test_the_parts_sum_to_the_change_and_give_back_the_adjustment(d, g, i, pb, sf):
    path = np.concatenate([[d], project_ratio(d, g, i, pb, stock_flow=sf)])
    one = decompose_annual(path, g, i, pb)
    assert sum(one.parts().values()) == pytest.approx(np.diff(path), abs=1e-12)
    assert one.stock_flow == pytest.approx(sf, abs=1e-12)
    assert one.snowball == pytest.approx((i - g) / (1 + g) * path[:-1], abs=1e-12)


@given(ratio_value, rate, rate | st.just(0.03), share, st.integers(1, 40))
def test_closed_form_is_the_recursion(d, i, g, pb, years):
    assert constant_path(d, i, g, pb, years) == pytest.approx(
        project_ratio(d, g, i, pb, years=years), rel=1e-8, abs=1e-9
    )
    needed = required_balance(d, 0.6, i, g, years)
    reached = project_ratio(d, g, i, needed, years=years)[-1]
    assert reached == pytest.approx(0.6, abs=1e-9 + 1e-12 * ((1.0 + i) / (1.0 + g)) ** years)


@given(st.floats(0.2, 1.0), rate, rate, share, st.floats(0.2, 2.0))
def test_first_breach_is_the_first_year_of_the_path_at_the_limit(d, i, g, pb, limit):
    years = 60
    path = np.concatenate([[d], constant_path(d, i, g, pb, years)])
    hit = np.flatnonzero(path >= limit)
    found = float(first_breach(d, limit, i, g, pb))
    if hit.size and np.all(np.abs(path - limit) > 1e-6):
        assert found == hit[0]
    elif not hit.size:
        assert found > years


def test_rates_that_almost_equal_growth_lose_no_accuracy():
    near = constant_path(0.9, 0.03 + 1e-15, 0.03, -0.01, 30)
    assert near == pytest.approx(0.9 + 0.01 * np.arange(1, 31), abs=1e-12)


@given(path_of(rate), path_of(rate), path_of(share), st.integers(0, 5))
def test_no_shocks_collapse_the_fan(g, i, pb, seed):
    rule = ShockRule(
        (*DRIVERS, "USD"), 4, currency_shares={"USD": 0.3},
        currency_levels={"USD": [1.0, 1.1, 1.2, 1.1, 1.0, 1.0]},
    )  # fmt: skip
    fan = debt_fan(0.8, g, i, pb, np.zeros((4, 4)), rule=rule, paths=50, seed=seed)
    sure = project_ratio(0.8, g, i, pb, fx_factor=rule.fx_factor(5))
    assert np.array_equal(fan.debt_ratio.quantiles, np.tile(sure, (7, 1)))
    assert np.array_equal(fan.debt_ratio.mean, sure)
    assert not fan.debt_ratio.sd.any()
    assert fan.above_start == float(sure[-1] > 0.8)


def test_the_shocks_have_the_covariance_asked_for():
    s = np.array([[4.0, 2.0, 0.0], [2.0, 3.0, 0.0], [0.0, 0.0, 0.0]]) * 1e-4
    for distribution in ("normal", "student"):
        fan = debt_fan(
            0.0, 0.0, 0.0, 0.0, s, years=1, paths=200_000, seed=SEED, distribution=distribution,
            keep_paths=True,
        )  # fmt: skip
        drawn = np.cov([fan.draws[name][:, 0] for name in DRIVERS])
        assert drawn == pytest.approx(s, abs=2e-5), distribution
        assert not fan.draws["primary_balance"].any()


def test_student_shocks_have_fat_tails_and_the_same_spread():
    options = dict(years=1, paths=100_000, seed=SEED, keep_paths=True)
    s = np.diag([0.0, 0.0, 1e-4])
    plain, fat = (
        debt_fan(0.5, 0.0, 0.0, 0.0, s, distribution=d, **options) for d in ("normal", "student")
    )
    beyond = [np.mean(np.abs(f.draws["primary_balance"]) > 0.04) for f in (plain, fat)]
    # Four standard deviations: 6e-5 of a normal; a t with 5 d.f. beyond 4 sqrt(5/3): 3.6e-3.
    assert beyond[0] < 2e-4
    assert beyond[1] == pytest.approx(3.6e-3, abs=6e-4)


def test_persistent_shocks_widen_the_fan_as_theory_says():
    s, persistence, n = np.diag([0.0, 0.0, 1e-4]), np.diag([0.0, 0.0, 0.6]), 100_000
    fan = debt_fan(0.5, 0.0, 0.0, 0.0, s, persistence=persistence, years=3, paths=n, seed=SEED)
    # Debt cumulates e_1 + e_2 + e_3 with e an AR(1): weights 1 + .6 + .36, 1 + .6 and 1.
    sd = 0.01 * np.sqrt(np.cumsum([1.0, 1.6**2, 1.96**2]))
    assert fan.debt_ratio.sd == pytest.approx(sd, rel=4.0 / np.sqrt(2.0 * n))


def test_persistence_runs_from_the_column_to_the_row():
    persistence = np.zeros((3, 3))
    persistence[2, 0] = 0.5  # half of last year's shock to growth comes to the balance
    fan = debt_fan(
        0.5, 0.0, 0.0, 0.0, np.diag([1e-4, 0.0, 0.0]), persistence=persistence, years=2,
        paths=50, seed=SEED, keep_paths=True,
    )  # fmt: skip
    growth, balance = fan.draws["growth"], fan.draws["primary_balance"]
    assert balance[:, 1] == pytest.approx(0.5 * growth[:, 0], abs=1e-15)
    assert not balance[:, 0].any()
    assert growth[:, 0].any()


def test_the_same_seed_gives_the_same_fan_and_more_paths_extend_it():
    s = np.diag([4e-4, 1e-4, 4e-4])
    options = dict(years=4, seed=SEED, keep_paths=True)
    for distribution in ("normal", "student"):
        few, again, many = (
            debt_fan(0.9, 0.03, 0.04, 0.0, s, paths=n, distribution=distribution, **options)
            for n in (500, 500, 20_500)
        )
        assert np.array_equal(few.draws["debt_ratio"], again.draws["debt_ratio"])
        assert many.draws["debt_ratio"][:500] == pytest.approx(few.draws["debt_ratio"], abs=1e-14)
        other = debt_fan(0.9, 0.03, 0.04, 0.0, s, paths=500, **{**options, "seed": SEED + 1})
        assert not np.array_equal(other.draws["debt_ratio"], few.draws["debt_ratio"])


def test_probabilities_follow_from_the_paths():
    s = np.diag([4e-4, 1e-4, 4e-4])
    fan = debt_fan(
        0.9, 0.03, 0.04, 0.0, s, years=4, paths=400, seed=SEED, keep_paths=True, thresholds=[0.95]
    )
    debt = fan.draws["debt_ratio"]
    assert fan.above_start == np.mean(debt[:, -1] > 0.9)
    rises = [path[0] > 0.9 or any(b > a for a, b in pairwise(path))
             for path in debt.tolist()]  # fmt: skip
    assert fan.any_rise == np.mean(rises)
    assert 0.0 < fan.any_rise < 1.0
    assert np.array_equal(fan.above[0.95], np.mean(debt > 0.95, axis=0))
    ever = [np.mean(debt[:, : t + 1].max(axis=1) > 0.95) for t in range(4)]
    assert fan.ever_above[0.95] == pytest.approx(ever)
    assert np.any(fan.ever_above[0.95] > fan.above[0.95])


def test_a_covariance_of_very_different_units_is_factored():
    sd = np.array([1e-6, 1.0, 0.0, 1e3])
    r = np.array([[1.0, 0.9, 0.0, 1.0], [0.9, 1.0, 0.0, 0.9], [0.0] * 4, [1.0, 0.9, 0.0, 1.0]])
    s = r * np.outer(sd, sd)
    f = covariance_factor(s)
    assert (f @ f.T) == pytest.approx(s, rel=1e-9, abs=1e-15)


@given(ratio_value, path_of(rate), path_of(rate), path_of(share), st.floats(0.0, 1.0))
def test_every_stress_is_adverse_and_the_combined_is_no_milder_than_its_parts(d, g, i, pb, fx):
    # Where debt stays positive: with net assets a higher rate is good news.
    paths = stress_paths(d, g, i, np.minimum(pb, 0.0), foreign_share=fx)
    for name in (*STRESSES, "combined"):
        assert np.all(paths[name] >= paths["baseline"] - 1e-12), name
    for name in ("growth", "interest_rate"):
        assert np.all(paths["combined"] >= paths[name])


# ----------------------------------------------------------------------- reference: the recursion


@needs_shared
@pytest.mark.parametrize("country", ["DEU", "FRA", "AUT", "HUN"])
def test_reference_recursion_step_by_step_and_as_a_path(country):
    rows = table("bruegel_recursion_table")
    for scenario, one in rows[rows.country == country].groupby("scenario"):
        first, ahead = one.iloc[0], one.iloc[1:]
        inputs = [
            ahead[c].to_numpy() / 100
            for c in ("nominal_growth_pct", "implicit_rate_pct", "primary_balance_pct", "sfa_pct")
        ]
        *paths, flow = inputs
        fx, ratio = ahead.fx_factor.to_numpy(), one.debt_ratio_pct.to_numpy()
        # Each year on its own: the years are units, one year ahead each.
        step = project_ratio(
            ratio[:-1] / 100, *(p[:, None] for p in paths), stock_flow=flow[:, None],
            fx_factor=fx[:, None],
        )  # fmt: skip
        assert np.abs(100 * step[:, 0] - ratio[1:]).max() < 2e-9, scenario
        whole = project_ratio(first.debt_ratio_pct / 100, *paths, stock_flow=flow, fx_factor=fx)
        # Rounding of the published inputs adds up over 47 years.
        assert np.abs(100 * whole - ratio[1:]).max() < 2e-8, scenario


# ----------------------------------------------------------------------- reference: the financing


def market_rates(country):
    """Short and long market rates, decimals by year: what the reference's own rates imply."""
    rows = table("bruegel_deterministic_paths")
    base = rows[(rows.country == country) & (rows.scenario == "no_policy_change")].set_index("year")
    new, before = base.share_new_lt_prev.shift(), base.implicit_rate_lt_pct.shift()
    long = before + (base.implicit_rate_lt_pct - before) / new
    short_share = (base.debt_st_bn / base.debt_stock_bn).shift()
    short = (base.implicit_rate_pct - (1 - short_share) * base.implicit_rate_lt_pct) / short_share
    # Bills pay the rate of the year before, so 2026 pays the rate of 2025 as it is in the stocks.
    short[2025] = 100 * base.interest_st_bn[2026] / base.debt_st_bn[2025]
    return short.loc[2025:] / 100, long.loc[2026:] / 100, base


def shifted(rates, scenario, debt_2028):
    """Market rates under a scenario, as the reference's notes describe it."""
    rates = rates.copy()
    if scenario == "adverse_r_g":
        rates.loc[2029:] += 0.005
    if scenario == "financial_stress":
        rates.loc[2029] += 0.01 + 0.0006 * max(0.0, debt_2028 - 90.0)
    return rates


@needs_shared
@pytest.mark.parametrize("country", ["DEU", "FRA", "AUT", "HUN"])
def test_reference_financing_from_2025_to_2070(country):
    # The market rates come from one scenario; the other three are then predicted with them.
    short, long, base = market_rates(country)
    rows = table("bruegel_deterministic_paths")
    for scenario, one in rows[rows.country == country].groupby("scenario"):
        at = one.set_index("year")
        ahead = at.loc[2026:]
        bills = shifted(short, scenario, base.debt_ratio_pct[2028])
        f = financing(
            at.debt_st_bn[2025], at.debt_lt_bn[2025], ahead.primary_balance_bn.to_numpy(),
            short_rate=bills.loc[2026:].to_numpy(), short_rate_paid=bills.to_numpy()[:-1],
            market_long_rate=shifted(long, scenario, base.debt_ratio_pct[2028]).to_numpy(),
            long_rate=at.implicit_rate_lt_pct[2025] / 100,
            new_long_share=at.new_lt_issuance_bn[2025] / at.debt_lt_bn[2025],
            maturing_share=ahead.share_lt_maturing.to_numpy(),
            stock_flow=ahead.sfa_bn.to_numpy(), other_repayment=ahead.repayment_esm_bn.to_numpy(),
        )  # fmt: skip
        # The market rates are known to the rounding of four published rates, 5e-10 each.
        assert np.abs(100 * f.long_rate - ahead.implicit_rate_lt_pct).max() < 2e-9, scenario
        assert np.abs(100 * f.implicit_rate - ahead.implicit_rate_pct).max() < 2e-9, scenario
        # 45 years without a correction; stocks of 10^6 bn are published to 1e-3.
        for own, column in [
            (f.debt, "debt_stock_bn"), (f.debt_short, "debt_st_bn"), (f.debt_long, "debt_lt_bn"),
            (f.repayment, "repayment_bn"), (f.gross_need, "gross_financing_need_bn"),
            (f.interest, "interest_bn"), (f.new_long, "new_lt_issuance_bn"),
        ]:  # fmt: skip
            off = np.abs(own - ahead[column])
            assert off.max() < 1e-3, (scenario, column, off.max())


@needs_shared
def test_reference_financing_year_by_year():
    # Every year from 2024 as a unit of one year: also the two whose rates the source overwrote.
    rows = table("bruegel_deterministic_paths")
    now = rows[rows.year > 2023].reset_index(drop=True)
    before = rows[rows.year < 2070].reset_index(drop=True)
    assert (now.country == before.country).all()
    assert (now.year == before.year + 1).all()
    column = {name: now[name].to_numpy()[:, None] for name in now.select_dtypes("number")}
    start = {name: before[name].to_numpy() for name in before.select_dtypes("number")}
    f = financing(
        start["debt_st_bn"], start["debt_lt_bn"], column["primary_balance_bn"],
        short_rate=column["interest_st_bn"] / start["debt_st_bn"][:, None],
        market_long_rate=column["implicit_rate_lt_pct"] / 100, long_rate=0.0, new_long_share=1.0,
        maturing_share=column["share_lt_maturing"], stock_flow=column["sfa_bn"],
        other_repayment=column["repayment_esm_bn"],
    )  # fmt: skip
    for own, name in [
        (f.repayment, "repayment_bn"), (f.repayment_short, "repayment_st_bn"),
        (f.repayment_long, "repayment_lt_bn"), (f.gross_need, "gross_financing_need_bn"),
        (f.debt, "debt_stock_bn"), (f.interest_long, "interest_lt_bn"),
        (f.new_long, "new_lt_issuance_bn"), (f.debt_short, "debt_st_bn"),
    ]:  # fmt: skip
        # A thousandth of a billion: stocks of 10^6 bn are published with ten digits.
        off = np.abs(own - column[name])
        assert off.max() < 1e-3, (name, off.max())


@needs_shared
def test_reference_long_rate_rule_is_met_from_one_scenario_to_the_next():
    rows = table("bruegel_deterministic_paths")
    for (country, scenario), one in rows.groupby(["country", "scenario"]):
        _, long, base = market_rates(country)
        at, market = one.set_index("year"), shifted(long, scenario, base.debt_ratio_pct[2028])
        before, now = at.loc[2025:2069], at.loc[2026:]
        f = financing(
            before.debt_st_bn.to_numpy(), before.debt_lt_bn.to_numpy(), 0.0,
            short_rate=0.0, market_long_rate=market.to_numpy()[:, None],
            long_rate=before.implicit_rate_lt_pct.to_numpy() / 100,
            new_long_share=(before.new_lt_issuance_bn / before.debt_lt_bn).to_numpy(),
            maturing_share=0.0,
        )  # fmt: skip
        off = np.abs(100 * f.long_rate[:, 0] - now.implicit_rate_lt_pct)
        # Four published rates enter, each rounded at 5e-10.
        assert off.max() < 2e-9, (country, scenario, off.max())


# ----------------------------------------------------------------------------- reference: the fan

BRUEGEL = {
    "EXR_EUR": "EUR", "EXR_USD": "USD", "INTEREST_RATE_ST": "short_rate",
    "INTEREST_RATE_LT": "long_rate", "NOMINAL_GDP_GROWTH": "growth",
    "PRIMARY_BALANCE": "primary_balance",
}  # fmt: skip
FAN_VARIABLES = {"d": "debt_ratio", "iir": "interest_rate", "ng": "growth", "pb": "primary_balance"}


def bruegel_covariance(country):
    """Covariance in decimals; exchange rates are levels already."""
    rows = table("bruegel_shock_covariance")
    wide = rows[rows.country == country].pivot(index="var_i", columns="var_j", values="cov")
    names = list(BRUEGEL)
    scale = np.array([1.0 if name.startswith("EXR") else 0.01 for name in names])
    return wide.loc[names, names].to_numpy() * np.outer(scale, scale)


@cache
def bruegel_fan(country, paths):
    rows = table("bruegel_deterministic_paths")
    kept = (rows.country == country) & (rows.scenario == "no_policy_change")
    at = rows[kept].set_index("year").loc[2028:2033]
    parameters = table("bruegel_country_parameters").set_index("country").loc[country]
    rule = ShockRule(
        tuple(BRUEGEL.values()), periods=4, short_share=parameters.D_share_st,
        maturity=parameters.avg_res_mat,
        currency_shares={"EUR": parameters.D_share_eur, "USD": parameters.D_share_usd},
        currency_levels={"EUR": at.fx_eur.to_numpy(), "USD": at.fx_usd.to_numpy()},
    )  # fmt: skip
    percent = at[["nominal_growth_pct", "implicit_rate_pct", "primary_balance_pct", "sfa_pct"]].loc[
        2029:
    ]
    g, i, pb, flow = percent.to_numpy().T / 100
    return debt_fan(
        at.debt_ratio_pct[2028] / 100, g, i, pb, bruegel_covariance(country), rule=rule,
        stock_flow=flow, paths=paths, seed=SEED, thresholds=(0.60, 0.90), keep_paths=True,
    )  # fmt: skip


def distance_in_errors(x, level, reference, n):
    """Distance to quantiles of a reference with n draws, in standard errors of both."""
    level, reference = np.asarray(level), np.asarray(reference)
    step = np.minimum(0.02, np.minimum(level, 1 - level) / 2)
    low, own, high = np.quantile(x, [level - step, level, level + step])
    density = 2 * step / (high - low)
    error = np.sqrt(level * (1 - level) * (1 / len(x) + 1 / n)) / density
    return np.abs(own - reference) / error


def moment_in_errors(x, name, reference, n):
    both = 1 / len(x) + 1 / n
    if name == "mean":
        return abs(x.mean() - reference) / (x.std() * np.sqrt(both))
    off = x - x.mean()
    fourth = np.mean(off**4) / x.var() ** 2
    return abs(x.std() - reference) / (x.std() * np.sqrt((fourth - 1) / 4 * both))


@needs_shared
@pytest.mark.parametrize("paths", [10_000, 100_000])
def test_reference_quantiles_of_four_countries(paths):
    rows = table("bruegel_fan_quantiles")
    rows = rows[(rows.estimation == "normal") & (rows.year > 2028)]
    off = []
    for (country, variable, year), one in rows.groupby(["country", "variable", "year"]):
        x = bruegel_fan(country, paths).draws[FAN_VARIABLES[variable]][:, year - 2029] * 100
        value, n = one.set_index("pct").value, one.N.iloc[0]
        moments = value.loc[["mean", "sd"]]
        value = value.drop(index=moments.index)
        off.extend(distance_in_errors(x, value.index.astype(float) / 100, value, n))
        off.extend(moment_in_errors(x, name, moments[name], n) for name in moments.index)
    assert len(off) == 4 * 4 * 5 * 17
    assert np.mean(np.array(off) <= 3) >= 0.99
    assert max(off) <= 5


@needs_shared
@pytest.mark.parametrize("paths", [10_000, 100_000])
def test_reference_probabilities_of_four_countries(paths):
    rows = table("bruegel_probabilities")
    rows = rows[rows.estimation == "normal"]
    assert len(rows) == 8
    for row in rows.itertuples():
        fan = bruegel_fan(row.country, paths)
        pairs = [
            (fan.above_start, row.prob_end_gt_start), (fan.any_rise, row.prob_any_year_rise),
            (fan.above[0.60][-1], row.prob_end_gt_60), (fan.above[0.90][-1], row.prob_end_gt_90),
        ]  # fmt: skip
        for own, reference in pairs:
            error = np.sqrt(reference * (1 - reference) * (1 / paths + 1 / row.N))
            assert abs(own - reference) <= 3 * error + 1e-9, (row.country, own, reference)
        assert 100 * fan.debt_ratio.baseline[-1] == pytest.approx(row.baseline_end, abs=1e-6)
        assert 100 * fan.start == pytest.approx(row.start_debt, abs=1e-5)


def debtkit_covariance(method):
    rows = table("debtkit_shock_estimates")
    rows = rows[(rows.method == method) & (rows.item == "vcov")]
    wide = rows.pivot(index="i", columns="j", values="value")
    return wide.loc[list(DRIVERS), list(DRIVERS)].to_numpy()


@needs_shared
@pytest.mark.parametrize(
    ("method", "above_start", "above_120"),
    [("normal", 0.8907, 0.1211), ("var", 0.8734, 0.1377)],
)
def test_reference_annual_fan(method, above_start, above_120):
    n, reference_n = 100_000, 1_000_000
    fan = debt_fan(
        0.90, 0.03, 0.035, -0.01, debtkit_covariance(method), years=10, paths=n, seed=SEED,
        thresholds=[1.2], keep_paths=True,
    )  # fmt: skip
    rows = table("debtkit_fan_quantiles")
    rows = rows[(rows.method == method) & (rows.t > 0)]
    off = np.concatenate([
        distance_in_errors(
            fan.draws["debt_ratio"][:, year - 1], one["quantile"].str[1:].astype(float) / 100,
            one.value, reference_n,
        )
        for year, one in rows.groupby("t")
    ])  # fmt: skip
    assert len(off) == 70
    assert np.mean(np.array(off) <= 3) >= 0.99
    assert max(off) <= 5
    for own, published in [(fan.above_start, above_start), (fan.above[1.2][-1], above_120)]:
        error = np.sqrt(published * (1 - published) * (1 / n + 1 / reference_n))
        assert abs(own - published) <= 3 * error + 5e-5  # published with four digits


# ------------------------------------------------------------------------- reference: the R package


def debtkit(function, series):
    rows = table("debtkit_outputs")
    return rows[(rows.function == function) & (rows.series == series)].value.to_numpy()


@needs_shared
def test_reference_projection_and_its_decomposition():
    i = [0.04, 0.041, 0.042, 0.043, 0.044] + [0.045] * 5
    g = [0.03, 0.028, 0.03, 0.032, 0.03, 0.03, 0.025, 0.03, 0.03, 0.03]
    pb = [0.01, 0.005, 0.0, -0.005, -0.01, 0.0, 0.005, 0.01, 0.01, 0.01]
    sf = [0.0, 0.01, 0.0, 0.0, 0.02] + [0.0] * 5
    path = project_ratio(0.90, g, i, pb, stock_flow=sf)
    one = decompose_annual(np.concatenate([[0.90], path]), g, i, pb)
    for own, series in [
        (path, "debt"), (one.change, "change"), (one.interest, "interest_effect"),
        (one.growth, "growth_effect"), (one.snowball, "snowball_effect"),
        (one.primary_balance, "primary_balance_effect"), (one.stock_flow, "sfa_effect"),
    ]:  # fmt: skip
        # Twelve digits are published.
        assert own == pytest.approx(debtkit("project", series), abs=1e-10), series


@needs_shared
def test_reference_decomposition_of_the_sample():
    sample = table("debtkit_sample_input")
    ahead = sample.iloc[1:]
    one = decompose_annual(
        sample.debt, ahead.gdp_growth, ahead.interest_rate, ahead.primary_balance
    )
    for own, series in [
        (one.change, "change"), (one.interest, "interest_effect"), (one.growth, "growth_effect"),
        (one.snowball, "snowball_effect"), (one.primary_balance, "primary_balance_effect"),
        (one.stock_flow, "sfa"),
    ]:  # fmt: skip
        assert own == pytest.approx(debtkit("decompose", series), abs=1e-10), series


def sample_series():
    sample = table("debtkit_sample_input")
    return dict(zip(DRIVERS, sample[["gdp_growth", *DRIVERS[1:]]].to_numpy().T, strict=True))


@needs_shared
@pytest.mark.parametrize("method", ["normal", "var"])
def test_reference_shocks_estimated_from_the_sample(method):
    own = estimate_shocks(sample_series(), method)
    rows = table("debtkit_shock_estimates")
    rows = rows[rows.method == method]
    assert len(rows) == {"normal": 9, "var": 21}[method]
    arrays = {"vcov": own.covariance, "A": own.persistence, "intercept": own.intercept}
    for row in rows.itertuples():
        where = [DRIVERS.index(name) for name in (row.i, row.j) if isinstance(name, str)]
        assert arrays[row.item][tuple(where)] == pytest.approx(row.value, abs=1e-10), row


@needs_shared
@pytest.mark.parametrize("function", ["stress", "stress_calibrated"])
def test_reference_stress_tests(function):
    sizes = None
    if function == "stress_calibrated":
        sizes = StressSizes.calibrated(estimate_shocks(sample_series()))
    options = dict(foreign_share=0.20, sizes=sizes, years=10)
    half = stress_paths(0.90, 0.03, 0.04, 0.01, combined="half", **options)
    assert set(half) == {"baseline", *STRESSES, "combined"}
    published = {name: debtkit(function, name) for name in half}
    for name, path in half.items():
        assert published[name][0] == 0.90
        assert path == pytest.approx(published[name][1:], abs=1e-10), name
    # The default takes the worst in each year; here that is not the half-size sum.
    worst = stress_paths(0.90, 0.03, 0.04, 0.01, **options)
    parts = [published[name][1:] for name in ("combined", "growth", "interest_rate")]
    assert worst["combined"] == pytest.approx(np.maximum.reduce(parts), abs=1e-10)
    assert worst["combined"][-1] > half["combined"][-1] + 0.02
    assert all(np.array_equal(worst[k], half[k]) for k in half if k != "combined")


@needs_shared
def test_reference_financing_need_forgets_growth():
    maturing = [0.12, 0.10, 0.08, 0.07, 0.06]
    published = debtkit("gfn", "gfn")
    without = gross_need_ratio(0.90, 0.0, 0.04, 0.01, maturing)
    assert without == pytest.approx(published, abs=1e-10)
    # With the growth of the same projection interest weighs less, more so every year.
    excess = published - gross_need_ratio(0.90, 0.03, 0.04, 0.01, maturing)
    assert excess[0] == pytest.approx(0.036 - 0.036 / 1.03, abs=1e-10)
    assert np.all(np.diff(excess) > 0)


def test_published_gap_and_where_it_departs_from_the_definition():
    # The source takes half of the cost of ageing at the horizon, as if it came in linearly.
    gap = fiscal_gap_s1(0.90, -0.01, 0.025, 0.015, target=0.60, years=20, ageing_cost=0.02 / 2)
    assert gap == pytest.approx(0.0425111980965, abs=1e-10)
    assert required_balance(0.90, 0.60, 0.025, 0.015, 20) == pytest.approx(
        0.0225111980965, abs=1e-10
    )
    # Its S2, 2.0489, adds the present value of the costs, not the annuity that pays them.
    s2, r = fiscal_gap_s2(0.90, -0.01, 0.025, 0.015, ageing_cost=0.02), 0.01 / 1.015
    assert s2 == pytest.approx(0.9 * r + 0.01 + 0.02, abs=1e-14)
    assert s2 - 0.02 + 0.02 / r == pytest.approx(2.0489, abs=5e-5)


# ------------------------------------------------------------------------------------- bad inputs


def says(part):
    return pytest.raises(ModelProblem, match=part)


def test_growth_that_wipes_out_the_denominator_names_the_year():
    with says("year 3"):
        project_ratio(0.9, [0.02, 0.02, -1.0, 0.02], 0.03, 0.0)
    with says("year 2"):
        decompose_annual([0.9, 0.9, 0.9], [0.0, -1.2], 0.03, 0.0)
    with says("-100 %"):
        constant_path(0.9, 0.03, -1.0, 0.0, 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, None, "three"])
@pytest.mark.parametrize("place", range(4))
def test_what_is_not_a_number_never_spreads(bad, place):
    inputs = [0.9, [0.02, 0.02], [0.03, 0.03], [0.0, 0.0]]
    inputs[place] = bad if place == 0 else [0.01, bad]
    with says(["debt_ratio", *DRIVERS][place]):
        project_ratio(*inputs)


def test_a_path_that_overflows_is_refused():
    with says("projected ratio"):
        project_ratio(1.0, 0.0, 1e200, 0.0, years=3)


@pytest.mark.parametrize(
    ("problem", "call"),
    [
        ("how many years", lambda: project_ratio(0.9, 0.02, 0.03, 0.0)),
        ("one value a year", lambda: project_ratio(0.9, [0.02] * 3, [0.03] * 2, 0.0)),
        ("1 or more", lambda: project_ratio(0.9, 0.02, 0.03, 0.0, years=0)),
        ("do not match", lambda: project_ratio([0.9, 0.8], np.zeros((3, 2)), 0.0, 0.0)),
        ("two ratios", lambda: decompose_annual([0.9], 0.0, 0.0, 0.0)),
        ("do not sum", lambda: decompose_annual([1, 1], 0.02, 0, 0, growth_by_source={"a": 0.01})),
        ("interest rate is at or below", lambda: constant_path(0.9, -1.0, 0.02, 0.0, 5)),
        ("1 or more", lambda: required_balance(0.9, 0.6, 0.03, 0.02, 0)),
        ("must exceed growth", lambda: fiscal_gap_s2(0.9, 0.0, 0.02, 0.03)),
        ("must be positive", lambda: breach_probability(-1.0, 100.0, 0.1, 1.4)),
    ],
)
def test_paths_and_limits_refuse_what_they_cannot_use(problem, call):
    with says(problem):
        call()


LADDER = dict(
    short_rate=0.02, market_long_rate=0.03, long_rate=0.03, new_long_share=0.1, maturing_share=0.1
)


@pytest.mark.parametrize(
    ("problem", "changes"),
    [
        ("maturing_share must lie", {"maturing_share": 1.2}),
        ("new_long_share must lie", {"new_long_share": -0.1}),
        ("short_share must lie", {"short_share": 2.0}),
        ("how many years", {"primary_balance": 0.0}),
        ("short_share", {"debt_short": 0.0, "debt_long": 0.0}),
        ("do not match", {"debt_short": [1.0, 2.0], "debt_long": [1.0, 2.0, 3.0]}),
        ("market_long_rate has 1 missing", {"market_long_rate": np.nan}),
    ],
)
def test_financing_refuses_what_it_cannot_use(problem, changes):
    inputs = {"debt_short": 10.0, "debt_long": 90.0, "primary_balance": [0.0, 0.0], **LADDER}
    with says(problem):
        financing(**{**inputs, **changes})


FLAT = [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("problem", "covariance", "options"),
    [
        ("not symmetric", [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]], {}),
        ("positive semidefinite", [[1, 2, 0], [2, 1, 0], [0, 0, 1]], {}),
        ("positive semidefinite", [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], {}),
        ("positive semidefinite", [[0, 0.1, 0], [0.1, 1, 0], [0, 0, 1]], {}),
        # As small as rounding, and yet no covariance of anything.
        ("positive semidefinite", [[0, 1e-9, 0], [1e-9, 1e-4, 0], [0, 0, 1]], {}),
        ("positive semidefinite", [[-1e-9, 0, 0], [0, 1, 0], [0, 0, 1]], {}),
        ("must be square", [[1, 0, 0]], {}),
        ("2 rows", np.eye(2), {}),
        ("1 missing", [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]], {}),
        ("1 path or more", np.eye(3), {"paths": 0}),
        ("normal or student", np.eye(3), {"distribution": "cauchy"}),
        ("between 0 and 1", np.eye(3), {"quantiles": [5, 50]}),
        ("unit circle", np.eye(3), {"persistence": np.eye(3)}),
        ("-100 %", np.diag([100.0, 0, 0]), {}),
        ("one unit", np.eye(3), {"stock_flow": np.zeros((2, 2))}),
    ],
)
def test_a_fan_refuses_what_it_cannot_use(problem, covariance, options):
    with says(problem):
        debt_fan(0.9, [0.02, 0.02], 0.03, 0.0, covariance, **{"paths": 100, **options})


@pytest.mark.parametrize(
    ("problem", "call"),
    [
        ("not distinct names", lambda: ShockRule(("growth", "weather"))),
        ("not distinct names", lambda: ShockRule(("growth", "growth"))),
        ("baseline levels", lambda: ShockRule(currency_shares={"USD": 0.1})),
        ("short share", lambda: ShockRule(short_share=1.5)),
        ("maturity above 0", lambda: ShockRule(maturity=0.0)),
        (
            "needs 3 levels",
            lambda: ShockRule(
                currency_shares={"USD": 0.1}, currency_levels={"USD": [1.0]}
            ).fx_factor(2),
        ),
        (
            "falls to 0",
            lambda: debt_fan(
                0.9, [0.0, 0.0], 0.0, 0.0, [[100.0]], seed=SEED, paths=100,
                rule=ShockRule(("USD",), currency_shares={"USD": 0.1},
                               currency_levels={"USD": FLAT}),
            ),
        ),
        ("must be paths, periods", lambda: annual_shocks(ShockRule(periods=4), np.ones((2, 6, 3)))),
    ],
)  # fmt: skip
def test_a_shock_rule_refuses_what_it_cannot_use(problem, call):
    with says(problem):
        call()


@pytest.mark.parametrize(
    ("problem", "call"),
    [
        ("differ in length", lambda: estimate_shocks({"a": [1, 2, 3], "b": [1, 2]})),
        ("Use normal or var", lambda: estimate_shocks({"a": [1, 2, 3]}, "garch")),
        ("5 are needed", lambda: estimate_shocks({"a": [1, 2, 3, 4], "b": [2, 1, 0, 4]}, "var")),
        ("2 are needed", lambda: estimate_shocks({"a": [1]})),
        (
            "has no primary_balance",
            lambda: StressSizes.calibrated(
                estimate_shocks({"growth": [1, 2, 4], "interest_rate": [2, 1, 2]})
            ),
        ),
        ("worst or half", lambda: stress_paths(0.9, 0, 0, 0, years=2, combined="sum")),
        ("worst or half", lambda: stress_paths(0.9, 0, 0, 0, years=2, combined_of=["flood"])),
        ("3 sensitivities for 2", lambda: most_likely_path(np.eye(2), [1, 1, 1], 1.0, 2.0)),
        ("No shock moves", lambda: most_likely_path(np.eye(2), [0, 0], 1.0, 2.0)),
    ],
)
def test_shocks_refuse_what_they_cannot_use(problem, call):
    with says(problem):
        call()

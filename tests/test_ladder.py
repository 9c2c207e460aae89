"""Maturity ladders: loan profiles, bond lists to the cent, refinancing, the wall, the defaults."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem
from debtwatch.panel.defaults import Defaults, defaults
from debtwatch.panel.read import read_file
from debtwatch.sustainability.ladder import (
    LISTED_REPAYMENTS,
    Finding,
    bond_flows,
    bond_ladder,
    capitalised_balance,
    check_sum,
    listed_ladder,
    service_profile,
    synthetic_ladder,
)
from debtwatch.sustainability.refinancing import (
    coupon_frequency,
    mix_of_tenor,
    refinance,
    refinancing_wall,
)
from tests.conftest import SHARED, needs_shared

EVEN = (0.25, 0.25, 0.25, 0.25)
START = 4 * 2026
COLUMNS = ["principal", "coupon", "frequency", "maturity", "repayment"]
THREE = [
    (100.0, 0.03, 1, 8, "bullet"),
    (200.0, 0.032, 2, 40, "bullet"),
    (50.0, 0.04, 1, 2, "bullet"),
]


def bond_list(*rows, **more):
    return pd.DataFrame(list(rows), columns=COLUMNS).assign(**more)


def same(found, expected, tolerance=1e-8):
    assert np.asarray(found) == pytest.approx(np.asarray(expected), rel=0, abs=tolerance)


# -- the profile of one loan ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grace", "repayment", "first", "last", "interest"),
    [
        (0, "annuity", 3.0455597977, 3.0455597977, 21.82239191),
        (0, "equal_principal", 3.5, 2.525, 20.5),
        (8, "annuity", 3.6670885750, 3.6670885750, 25.34683440),
        (8, "equal_principal", 100 / 32 + 1.0, 100 / 32 * 1.01, 24.5),
        (0, "bullet", 1.0, 101.0, 40.0),
        (8, "bullet", 1.0, 101.0, 40.0),
    ],
)
def test_a_loan_of_100_at_1_percent_a_quarter_over_40_quarters(
    grace, repayment, first, last, interest
):
    loan = service_profile(100.0, 0.01, 40, grace, repayment)
    paying = loan.total[grace if repayment != "bullet" else 0 :]
    same([paying[0], paying[-1], loan.interest.sum()], [first, last, interest])
    same([loan.principal.sum(), loan.opening[0]], [100.0, 100.0])
    if repayment != "bullet":
        same(loan.total[:grace], [1.0] * grace)
    if repayment == "annuity":
        same(loan.total[grace:], [first] * (40 - grace))


def test_coupon_bonds_and_interest_during_construction():
    same(service_profile(100.0, 0.03 / 2, 20).total.sum(), 130.0)
    same(service_profile(100.0, 0.03, 7).total.sum(), 121.0)
    same(capitalised_balance([25.0] * 4, 0.01), 102.5251252500)
    assert capitalised_balance([], 0.01) == 0.0


@given(
    st.floats(0, 1e12),
    st.floats(0, 0.5),
    st.integers(1, 120),
    st.data(),
    st.sampled_from(["bullet", "equal_principal", "annuity"]),
)
def test_a_profile_repays_all_and_pays_interest_on_what_is_owed(amount, rate, n, data, repayment):
    grace = data.draw(st.integers(0, n - 1))
    loan = service_profile(amount, rate, n, grace, repayment)
    scale = max(amount, 1.0)
    assert loan.principal.sum() == pytest.approx(amount, rel=1e-12, abs=1e-9)
    assert (loan.principal >= 0).all()
    assert loan.interest == pytest.approx(loan.opening * rate)
    same(loan.opening[1:], loan.opening[:-1] - loan.principal[:-1], 1e-9 * scale)
    if repayment != "bullet":
        assert (loan.principal[:grace] == 0).all()
        equal = loan.total if repayment == "annuity" else loan.principal
        assert equal[grace:] == pytest.approx(equal[grace], rel=1e-6, abs=1e-9 * scale)


def test_an_annuity_without_interest_repays_in_equal_parts():
    same(service_profile(100.0, 0.0, 4, repayment="annuity").principal, [25.0] * 4)
    same(service_profile(100.0, 1e-300, 4, 0, "annuity").principal, [25.0] * 4)


@pytest.mark.parametrize(
    "terms",
    [
        (100.0, 0.01, 0),
        (100.0, 0.01, 4, 4, "annuity"),
        (100.0, 0.01, 4, -1, "annuity"),
        (-1.0, 0.01, 4),
        (float("nan"), 0.01, 4),
        (100.0, -0.01, 4),
        (100.0, float("inf"), 4),
        (100.0, 0.01, 4, 0, "balloon"),
    ],
)
def test_terms_that_describe_no_loan_are_refused(terms):
    with pytest.raises(ModelProblem):
        service_profile(*terms)


# -- bonds one by one -----------------------------------------------------------------------------


def by_hand(bond, first, quarters):
    """Service of one bond, quarter after quarter, in decimals: the definition itself."""
    amount, coupon, frequency, maturity, repayment = bond
    cent, step = Decimal("0.01"), 4 // frequency
    rate = Decimal(str(coupon)) / frequency
    start = Decimal(str(amount)).quantize(cent, ROUND_HALF_EVEN)
    gap = {"bullet": 10**6, "equal_principal": 4}.get(repayment, step)
    dates = [t for t in range(first, maturity + 1) if (maturity - t) % gap == 0]
    exact, owed, principal, interest = start, start, [], []
    level = start * rate / (1 - (1 + rate) ** -len(dates)) if repayment == "annuity" else None
    for t in range(first, first + quarters):
        on_coupon = t <= maturity and (maturity - t) % step == 0
        interest.append(float((owed * rate).quantize(cent)) if on_coupon else 0.0)
        if t in dates:
            exact -= level - exact * rate if level else start / len(dates)
        left = exact.quantize(cent, ROUND_HALF_EVEN)
        principal.append(float(owed - left))
        owed = left
    return principal, interest


@pytest.mark.parametrize("frequency", [1, 2, 4])
@pytest.mark.parametrize("repayment", LISTED_REPAYMENTS)
@pytest.mark.parametrize(("coupon", "ahead"), [(0.0313, 0), (0.0313, 13), (0.027, 39), (0.04, 80)])
def test_a_bond_agrees_with_its_definition(frequency, repayment, coupon, ahead):
    bond = (1_234_567.89, coupon, frequency, START + ahead, repayment)
    found = bond_flows(bond_list(bond), START, 48)
    principal, interest = by_hand(bond, START, 48)
    same(found.principal[0], principal, 1e-6)
    same(found.interest[0], interest, 0.0100001)  # an exact half cent may go either way
    assert found.interest[0].sum() == pytest.approx(sum(interest), abs=0.03)
    assert found.findings == ()


def test_equal_principal_on_every_coupon_date():
    bond = (80.0, 0.04, 2, START + 7, "equal_principal_coupon")
    principal, interest = bond_ladder(bond_list(bond), START, 8)
    assert principal.tolist() == [0, 20, 0, 20, 0, 20, 0, 20]
    same(interest, [0, 1.6, 0, 1.2, 0, 0.8, 0, 0.4])


def test_interest_that_accrues_over_a_bonds_life_is_what_it_pays():
    bonds = bond_list(
        (100.0, 0.03, 1, START + 27, "bullet"),
        (100.0, 0.03, 2, START + 39, "annuity"),
        (100.0, 0.03, 4, START + 39, "equal_principal_coupon"),
        (100.0, 0.03, 2, START + 39, "equal_principal"),
    )
    found = bond_flows(bonds, START, 48)
    # Coupons of the annuity are rounded to the cent, accruals are not.
    same(found.accrued.sum(axis=1), found.interest.sum(axis=1), 0.05)
    same(found.accrued[0], [0.75] * 28 + [0.0] * 20)
    same(found.interest[0, :8], [0, 0, 0, 3.0, 0, 0, 0, 3.0])


def test_a_new_bond_pays_nothing_before_its_first_coupon():
    bonds = bond_list((100.0, 0.04, 2, START + 11, "bullet"), first_coupon=[START + 5])
    found = bond_flows(bonds, START, 12)
    same(found.interest[0], [0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 2])
    same(found.accrued[0], [0] * 4 + [1.0] * 8)
    assert found.principal[0].tolist() == [0.0] * 11 + [100.0]
    yearly = bond_list((100.0, 0.04, 1, START + 11, "bullet"), first_coupon=[START + 7])
    same(bond_flows(yearly, START, 12).interest[0], [0] * 7 + [4, 0, 0, 0, 4])
    assert found.findings == bond_flows(yearly, START, 12).findings == ()


def test_grace_holds_principal_back_and_not_interest():
    rows = [(90.0, 0.04, 1, START + 19, kind) for kind in ("equal_principal", "annuity")]
    found = bond_flows(bond_list(*rows, first_principal=START + 9), START, 20)
    assert found.principal[0, [3, 7, 11, 15, 19]].tolist() == [0, 0, 30, 30, 30]
    loan = service_profile(90.0, 0.04, 5, 2, "annuity")
    same(found.principal[1, 3::4], loan.principal, 0.0100001)
    same(found.interest[1, 3::4], loan.interest, 0.0100001)
    assert found.principal[1].sum() == pytest.approx(90.0, abs=1e-9)
    assert found.findings == ()


def test_a_first_date_on_the_day_of_maturity_is_in_order():
    row = (90.0, 0.04, 2, START + 5, "equal_principal")
    found = bond_flows(
        bond_list(row, first_coupon=[START + 5], first_principal=[START + 5]), START, 8
    )
    assert found.findings == ()
    assert found.principal.tolist() == [[0, 0, 0, 0, 0, 90, 0, 0]]
    same(found.interest[0], [0, 0, 0, 0, 0, 1.8, 0, 0])


def test_a_repaid_bond_left_on_the_list_is_no_fault():
    found = bond_flows(bond_list((0.0, 0.03, 1, START + 3, "bullet")), START, 4)
    assert found.findings == ()
    assert not found.interest.any()


def test_rounding_makes_no_instalment_negative_and_loses_nothing():
    found = bond_flows(bond_list((0.05, 0.0, 1, START + 39, "equal_principal")), START, 40)
    assert (found.principal >= 0).all()
    assert found.principal.sum() == pytest.approx(0.05, abs=1e-9)
    assert set(np.round(found.principal[0], 6)) <= {0.0, 0.01}


bond = st.tuples(
    st.integers(0, 10**14).map(lambda cents: cents / 100),
    st.integers(0, 900).map(lambda points: points / 10_000),
    st.sampled_from([1, 2, 4]),
    st.integers(START, START + 60),
    st.sampled_from(LISTED_REPAYMENTS),
)
bond_rows = st.lists(bond, min_size=1, max_size=8)


@given(bond_rows)
def test_the_ladder_of_any_list_closes_to_the_cent(rows):
    total = round(sum(row[0] for row in rows), 2)
    ladder = listed_ladder(bond_list(*rows), START, 64)
    assert ladder.opening[0, 0] == pytest.approx(total, abs=0.001)
    assert round(float(ladder.principal.sum()), 2) == pytest.approx(total, abs=0.001)
    assert np.abs(np.diff(ladder.opening) + ladder.principal[:, :-1]).max() < 0.005
    cents = np.concatenate([ladder.principal, ladder.interest, ladder.opening]) * 100
    assert np.abs(cents - np.round(cents)).max() <= 1e-12 * max(cents.max(), 1.0)
    assert (ladder.principal >= 0).all()
    assert (ladder.interest >= 0).all()


@given(bond_rows, st.randoms(use_true_random=False))
def test_the_order_of_bonds_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one = listed_ladder(bond_list(*rows), START, 20)
    other = listed_ladder(bond_list(*shuffled), START, 20)
    same(one.principal, other.principal, 0.001)
    same(one.interest, other.interest, 0.001)


@given(bond_rows)
def test_twice_the_money_is_twice_the_service_but_for_the_rounding(rows):
    one = listed_ladder(bond_list(*rows), START, 20)
    other = listed_ladder(bond_list(*[(2 * row[0], *row[1:]) for row in rows]), START, 20)
    cents = 0.021 * len(rows)
    same(2 * one.principal, other.principal, cents)
    # A balance a cent off moves a coupon by nothing worth naming; the coupon itself is rounded too.
    same(2 * one.interest, other.interest, cents)
    assert (other.opening[:, :1] == 2 * one.opening[:, :1]).all()


@given(bond_rows)
def test_bonds_without_a_coupon_cost_nothing(rows):
    ladder = listed_ladder(bond_list(*[(r[0], 0.0, *r[2:]) for r in rows]), START, 20)
    assert not ladder.interest.any()
    assert not ladder.accrued.any()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"principal": -5.0}, "principal"),
        ({"principal": float("nan")}, "principal"),
        ({"principal": "many"}, "principal"),
        ({"principal": float("inf")}, "principal"),
        ({"coupon": float("nan")}, "coupon"),
        ({"coupon": 1.0}, "coupon"),
        ({"coupon": -0.01}, "coupon"),
        ({"frequency": 3}, "frequency"),
        ({"frequency": 0}, "frequency"),
        ({"maturity": float("nan")}, "maturity"),
        ({"maturity": 1e30}, "maturity"),
        ({"maturity": START - 1}, "matured"),
        ({"repayment": "balloon"}, "repayment"),
    ],
)
def test_a_bond_that_cannot_be_used_is_left_out_and_named(change, reason):
    good = dict(zip(COLUMNS, (100.0, 0.03, 1, START + 3, "bullet"), strict=True))
    ladder = listed_ladder(pd.DataFrame([good, {**good, **change}]), START, 4)
    assert ladder.findings == (Finding(1, reason),)
    assert ladder.principal.tolist() == [[0.0, 0.0, 0.0, 100.0]]
    assert ladder.interest.tolist() == [[0.0, 0.0, 0.0, 3.0]]
    assert ladder.opening.tolist() == [[100.0] * 4]


def test_dates_that_contradict_each_other_are_named_and_not_used():
    row = (100.0, 0.04, 2, START + 7, "equal_principal")
    plain = bond_flows(bond_list(row), START, 8)
    for column, value in (("first_coupon", START + 2), ("first_coupon", START + 99)):
        found = bond_flows(bond_list(row, **{column: [value]}), START, 8)
        assert found.findings == (Finding(0, column),)
        assert found.interest.tolist() == plain.interest.tolist()
    late = bond_flows(bond_list(row, first_principal=[START + 99]), START, 8)
    assert late.findings == (Finding(0, "first_principal"),)
    assert late.principal.tolist() == [[0.0] * 7 + [100.0]]
    blank = bond_flows(bond_list(row, first_coupon=[np.inf], first_principal=[None]), START, 8)
    assert blank.findings == ()
    assert blank.principal.tolist() == plain.principal.tolist()


def test_ladders_of_several_units_are_those_of_each():
    bonds = bond_list(*THREE).assign(unit=["a", "b", "a"])
    both = listed_ladder(bonds, 1, 8, units=["b", "none", "a"])
    for row, unit in enumerate(["b", "none", "a"]):
        one = listed_ladder(bonds[bonds["unit"] == unit], 1, 8)
        for name in ("principal", "interest", "accrued", "opening"):
            assert getattr(both, name)[row].tolist() == getattr(one, name)[0].tolist()
    assert listed_ladder(bond_list(), 1, 4).principal.tolist() == [[0.0] * 4]


# -- synthetic ladders ----------------------------------------------------------------------------


def synthetic(balance, rate, tenor, quarters=8):
    arrays = [np.atleast_1d(np.array(v, dtype=float)) for v in (balance, rate, tenor)]
    return synthetic_ladder(*arrays, shares=EVEN, first_quarter=START, quarters=quarters)


@given(st.floats(0, 1e13), st.floats(0, 0.1), st.floats(0.1, 30))
def test_a_synthetic_ladder_closes(balance, rate, tenor):
    one = synthetic(balance, rate, tenor, 128)
    assert one.principal.sum() == pytest.approx(balance, rel=1e-12)
    assert (one.principal >= 0).all()
    same(np.diff(one.opening), -one.principal[:, :-1], 1e-12 * max(balance, 1))
    same(one.interest, rate / 4 * one.opening, 1e-12 * max(balance, 1))
    assert (one.accrued == one.interest).all()


def test_a_synthetic_ladder_follows_the_seasons_from_its_own_first_quarter():
    one = synthetic_ladder(
        np.array([100.0]), np.array([0.04]), np.array([2.0]),
        shares=(0.1, 0.3, 0.4, 0.2), first_quarter=START + 2, quarters=10,
    )  # fmt: skip
    same(one.principal[0], [20, 10, 5, 15, 20, 10, 5, 15, 0, 0])
    same(one.interest[0, :3], [1.0, 0.8, 0.7])


def test_an_unknown_balance_stays_unknown_and_spoils_no_other():
    good = synthetic(100.0, 0.04, 10.0)
    many = synthetic(
        [np.nan, -1.0, np.inf, 100.0, 100.0, 100.0, 100.0, 0.0],
        [0.04, 0.04, 0.04, 0.04, 0.04, 0.04, np.nan, np.nan],
        [10, 10, 10, 10, 0, np.nan, 10, 10],
    )
    assert np.isnan(many.principal[[0, 1, 2, 4, 5]]).all()
    assert many.principal[3].tolist() == good.principal[0].tolist()
    assert many.principal[6].tolist() == good.principal[0].tolist()
    assert np.isnan(many.interest[6]).all()
    assert not many.principal[7].any()
    assert not many.interest[7].any()


# -- refinancing ----------------------------------------------------------------------------------

SEVEN = [(7, 1.0)]


def test_the_published_ladder_with_its_refinancing():
    ahead = refinance(
        bond_list(*THREE), share=1.0, tenor_mix=SEVEN, yields=0.028, first_quarter=1, quarters=8
    )
    same(ahead.interest[0], [0, 5.2, 0, 6.2, 0, 4.6, 0, 6.2])
    same(ahead.principal[0], [0, 50, 0, 0, 0, 0, 0, 100])
    same(ahead.closing[0], [350.0] * 8)
    same(ahead.opening[0], [350.0] * 8)
    same(ahead.repaid[0], [0.0] * 8)
    before = 3.0 / 4 + 6.4 / 4
    same(ahead.accrued[0], [before + 0.5] * 2 + [before + 0.35] * 6)
    same(ahead.effective_rate[0, 2], 2.7 / 350)


def test_the_gross_financing_need_is_not_floored():
    ahead = refinance(
        bond_list(*THREE), share=1.0, tenor_mix=SEVEN, yields=0.028, first_quarter=1, quarters=8
    )
    same(ahead.gross_financing_need()[0, 1], 55.2)
    same(ahead.gross_financing_need(np.arange(8.0))[0, 3], 9.2)
    same(ahead.gross_financing_need(-60.0)[0, 1], -4.8)


def test_a_buckets_coupons_follow_its_tenor_and_the_yield_of_its_quarter():
    bonds = bond_list((300.0, 0.0, 1, START, "bullet"))
    yields = np.array([0.02] + [0.9] * 6)
    ahead = refinance(
        bonds, share=1.0, tenor_mix=[(1, 1), (3, 1), (10, 1)], yields=yields[:4],
        spread=[0.0, 0.01, 0.02], first_quarter=START, quarters=4,
    )  # fmt: skip
    same(ahead.accrued[0], [0.0] + [0.5 + 0.75 + 1.0] * 3)
    ahead = refinance(
        bonds, share=1.0, tenor_mix=[(1, 1), (3, 1), (10, 1)], yields=yields[:7],
        spread=[0.0, 0.01, 0.02], first_quarter=START, quarters=7,
    )  # fmt: skip
    # The ten-year bucket pays half-yearly, the one-year bucket falls due after four quarters and
    # 90 % is its successors' yield.
    same(ahead.interest[0], [0, 0, 2.0, 0, 2.0 + 3.0 + 2.0, 0, 2.0 + 15.33])
    same(ahead.principal[0], [300, 0, 0, 0, 100, 0, 0])


def test_a_spread_for_all_tenors_is_part_of_the_coupon():
    bonds = bond_list((100.0, 0.0, 1, START, "bullet"))
    ahead = refinance(
        bonds, share=0.5, tenor_mix=SEVEN, yields=0.02, spread=0.01, first_quarter=START, quarters=6
    )
    same(ahead.interest[0], [0, 0, 0, 0, 1.5, 0])
    same(ahead.repaid[0], [50, 0, 0, 0, 0, 0])


mixes = st.lists(
    st.tuples(st.integers(1, 30), st.floats(0.01, 5)), min_size=1, max_size=5
)  # fmt: skip


@given(bond_rows, mixes, st.floats(0, 1))
@settings(max_examples=60)
def test_refinancing_closes_to_the_cent_for_any_mix(rows, mix, share):
    ahead = refinance(
        bond_list(*rows), share=share, tenor_mix=mix, yields=0.025, first_quarter=START, quarters=40
    )
    change = ahead.closing - (ahead.opening - ahead.principal + ahead.refinanced)
    assert np.abs(change).max() < 0.005
    assert np.abs(ahead.principal - ahead.refinanced - ahead.repaid).max() < 0.005
    assert (ahead.opening[:, 1:] == ahead.closing[:, :-1]).all()
    assert (ahead.closing > -0.005).all()
    for flow in (ahead.principal, ahead.refinanced, ahead.interest, ahead.closing):
        cents = flow * 100
        assert np.abs(cents - np.round(cents)).max() <= 1e-12 * max(cents.max(), 1.0)


@given(bond_rows, mixes)
@settings(max_examples=60)
def test_all_refinanced_keeps_the_debt_and_none_repays_it(rows, mix):
    bonds = bond_list(*rows)
    terms = {"tenor_mix": mix, "yields": 0.025, "first_quarter": START, "quarters": 64}
    owed = sum(row[0] for row in rows)
    kept, gone = refinance(bonds, share=1.0, **terms), refinance(bonds, share=0.0, **terms)
    same(kept.closing, np.full((1, 64), owed), 0.004)
    assert not kept.repaid.any()
    same(gone.closing[0, -1], 0.0, 0.004)
    same(gone.principal, listed_ladder(bonds, START, 64).principal, 0.001)
    assert gone.interest.tolist() == listed_ladder(bonds, START, 64).interest.tolist()


@given(st.floats(1, 1e13), st.floats(0.5, 30), mixes, st.floats(0, 1), st.floats(0, 0.08))
@settings(max_examples=60)
def test_twice_the_money_of_a_synthetic_ladder_is_twice_everything(balance, tenor, mix, share, y):
    terms = {"share": share, "tenor_mix": mix, "yields": y, "first_quarter": START, "quarters": 40}
    one = refinance(synthetic(balance, 0.03, tenor, 40), **terms)
    other = refinance(synthetic(2 * balance, 0.03, tenor, 40), **terms)
    for name in ("opening", "principal", "refinanced", "interest", "accrued", "closing"):
        same(2 * getattr(one, name), getattr(other, name), 1e-12 * balance)


def test_rows_are_independent_and_may_differ_in_share_and_yield():
    balance = np.array([100.0, np.nan, 0.0, 250.0])
    ladder = synthetic_ladder(
        balance, np.full(4, 0.03), np.full(4, 2.0), shares=EVEN, first_quarter=START, quarters=12
    )
    share = np.array([[0.5], [0.5], [0.5], [0.9]])
    yields = np.tile(np.linspace(0.01, 0.03, 12), (4, 1))
    yields[2] = np.nan
    many = refinance(
        ladder, share=share, tenor_mix=SEVEN, yields=yields, first_quarter=START, quarters=12
    )
    alone = refinance(
        synthetic(250.0, 0.03, 2.0, 12), share=0.9, tenor_mix=SEVEN, yields=yields[3],
        first_quarter=START, quarters=12,
    )  # fmt: skip
    for name in ("principal", "refinanced", "interest", "accrued", "closing"):
        assert getattr(many, name)[3].tolist() == getattr(alone, name)[0].tolist()
        assert np.isnan(getattr(many, name)[1]).all() or name == "refinanced"
        assert not getattr(many, name)[2].any(), name  # no debt: nothing, not unknown
    assert np.isnan(many.effective_rate[2]).all()
    assert many.closing[0, -1] < many.closing[0, 0] < 100


def test_five_years_of_refinancing_one_year_bonds():
    """Each year's principal is share times the last: a geometric series by hand."""
    bonds = bond_list((1000.0, 0.0, 1, START + 3, "bullet"))
    ahead = refinance(
        bonds, share=0.5, tenor_mix=[(1, 1.0)], yields=0.02, first_quarter=START, quarters=20
    )
    assert ahead.principal[0, 3::4].tolist() == [1000, 500, 250, 125, 62.5]
    assert ahead.interest[0, 3::4].tolist() == [0, 10, 5, 2.5, 1.25]
    yearly = np.repeat([2.5, 1.25, 0.625, 0.3125], 4)
    same(ahead.accrued[0], np.concatenate([np.zeros(4), yearly]))
    one = refinance(
        bonds, share=0.5, tenor_mix=[(1, 1.0), (5, 0.0)], yields=0.02, first_quarter=START,
        quarters=1,
    )  # fmt: skip
    assert one.closing.tolist() == [[1000.0]]


@pytest.mark.parametrize(
    "change",
    [
        {"share": 1.01},
        {"share": -0.01},
        {"share": float("nan")},
        {"share": [0.5, 0.5]},
        {"yields": [0.02, 0.02, 0.02]},
        {"tenor_mix": []},
        {"tenor_mix": [(0, 1.0)]},
        {"tenor_mix": [(2.5, 1.0)]},
        {"tenor_mix": [(float("nan"), 1.0)]},
        {"tenor_mix": [(7, 0.0)]},
        {"tenor_mix": [(7, -1.0), (5, 2.0)]},
        {"tenor_mix": [(7, float("nan"))]},
        {"quarters": 9},
        {"quarters": 0},
    ],
)
def test_refinancing_terms_that_cannot_be_used_are_refused(change):
    terms = {"share": 0.9, "tenor_mix": SEVEN, "yields": 0.02, "first_quarter": 1, "quarters": 8}
    ladder = listed_ladder(bond_list(*THREE), 1, 8)
    refinance(ladder, **terms)
    with pytest.raises(ModelProblem) as error:
        refinance(ladder, **{**terms, **change})
    assert "{" not in str(error.value)


@given(st.floats(0.01, 60))
def test_a_mix_has_the_average_tenor_asked_for(years):
    mix = mix_of_tenor(years)
    assert sum(w for _, w in mix) == pytest.approx(1.0)
    assert sum(n * w for n, w in mix) == pytest.approx(min(max(years, 1), 30))


def test_tenors_and_coupons():
    assert [mix_of_tenor(n) for n in (1, 2, 3, 5, 7, 10, 15, 20, 30)] == [
        ((n, 1.0),) for n in (1, 2, 3, 5, 7, 10, 15, 20, 30)
    ]
    assert [n for n, _ in mix_of_tenor(14.94)] == [10, 15]
    assert [coupon_frequency(n) for n in (1, 7, 9, 10, 30)] == [1, 1, 1, 2, 2]
    for years in (0.0, -1.0, float("nan")):
        with pytest.raises(ModelProblem):
            mix_of_tenor(years)


# -- the wall -------------------------------------------------------------------------------------


def test_the_wall_of_the_published_ladder():
    principal, _ = bond_ladder(bond_list(*THREE), 1, 40)
    wall = refinancing_wall(principal, 350.0, first_quarter=1)
    assert wall.due[0].tolist() == [0, 50, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0]
    assert wall.peak.tolist() == [8]
    same(wall.peak_share, [100 / 350])
    same([wall.within[h][0] for h in (4, 8, 12)], [50 / 350, 150 / 350, 150 / 350])


def test_the_wall_without_debt_or_with_gaps_in_the_figures():
    due = np.zeros((4, 12))
    due[1, 3], due[2, 5] = 10.0, 20.0
    due[3, :2] = np.nan, 5.0
    wall = refinancing_wall(due, np.array([0.0, 0.0, 100.0, 100.0]), first_quarter=START)
    assert wall.peak.tolist() == [-1, START + 3, START + 5, START + 1]
    assert wall.within[12][0] == 0
    assert np.isnan(wall.within[12][1])
    assert wall.within[8][2] == pytest.approx(0.2)
    assert np.isnan(wall.within[4][3])
    short = refinancing_wall(np.ones(5), 10.0)
    assert short.within[4][0] == pytest.approx(0.4)
    assert np.isnan(short.within[8]).all()
    assert refinancing_wall([0.2, 0.2], 10.0).peak.tolist() == [0]


# -- a list against its balance -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "balance", "verdict"),
    [
        (99.5, 100.0, "agrees"),
        (99.49, 100.0, "short"),
        (100.5, 100.0, "agrees"),
        (100.51, 100.0, "over"),
        (0.0, 0.0, "agrees"),
        (1.0, 0.0, "over"),
        (0.0, 100.0, "short"),
        (float("nan"), 100.0, "unknown"),
        (100.0, float("nan"), "unknown"),
        (-1.0, 100.0, "unknown"),
        (100.0, -1.0, "unknown"),
        (float("inf"), 100.0, "unknown"),
    ],
)
def test_a_list_agrees_with_its_balance_within_half_a_percent(listed, balance, verdict):
    found = check_sum(listed, balance)
    assert found.verdict == verdict
    if verdict != "unknown":
        assert found.difference == pytest.approx(listed - balance)
    if verdict != "unknown" and balance > 0:
        assert found.share == pytest.approx((listed - balance) / balance)
    assert np.isnan(found.share) == (verdict == "unknown" or balance == 0)
    assert check_sum(listed, balance, tolerance=10.0).verdict == (
        verdict if verdict == "unknown" or balance == 0 else "agrees"
    )


# -- reading how often and how a bond pays --------------------------------------------------------


def test_frequency_and_repayment_are_read(workbook):
    cases = [
        (None, "", 1, "bullet"),
        (1, "到期一次还本", 1, "bullet"),
        ("2", "等额本金", 2, "equal_principal"),
        (4, "等额本息", 4, "annuity"),
        ("按半年付息", "bullet", 2, "bullet"),
        ("按季付息", "annuity", 4, "annuity"),
        ("每年一次", "equal_principal_coupon", 1, "equal_principal_coupon"),
    ]
    heading = ["地区编码", "债券类型", "本金（万元）", "票面利率", "到期日", "付息频率", "还本方式"]
    rows = [["900001", "一般债券", 5, 3.0, "2030-06-30", often, how] for often, how, _, _ in cases]
    wrong = [
        ["900001", "一般债券", 5, 3.0, "2030-06-30", often, ""] for often in (3, 12, "sometimes")
    ]
    result = read_file(workbook([heading, *rows, *wrong]))
    assert result.bonds["frequency"].tolist() == [case[2] for case in cases]
    assert result.bonds["repayment"].tolist() == [case[3] for case in cases]
    assert [p.rule for p in result.problems].count("number-unreadable") == 3
    assert listed_ladder(result.bonds, START, 20).principal.sum() == pytest.approx(7 * 5e4)


# -- the defaults ---------------------------------------------------------------------------------


@needs_shared
def test_refinanced_share_and_season_are_those_of_the_national_figures():
    frame = pd.read_csv(SHARED / "data/cn-national/repayment_ytd.csv")
    last = frame.groupby("year").last()
    share = (last["repay_refinanced_ytd"] / last["repay_ytd"]).dropna()
    own = defaults().maturity
    assert own.refinanced_by_year == {str(year): round(s, 3) for year, s in share.items()}
    full = share[share.index <= 2025]
    assert list(full.index) == [2022, 2023, 2024, 2025]
    assert own.refinanced_share == pytest.approx(full.mean(), abs=5e-5)
    assert (own.refinanced_low, own.refinanced_high) == (
        round(full.min(), 3), round(full.max(), 3)
    )  # fmt: skip
    table = frame[frame["year"].between(2022, 2025)].pivot(
        index="year", columns="month", values="repay_ytd"
    )
    table = table.diff(axis=1).fillna(table[[3]]).div(table[12], axis=0)
    same(table.mean(), own.quarter_shares, 6e-5)
    same(table.min(), own.quarter_shares_low, 5.1e-5)
    same(table.max(), own.quarter_shares_high, 5.1e-5)


@needs_shared
def test_terms_by_month_are_the_last_24_of_the_national_figures():
    frame = pd.read_csv(SHARED / "data/cn-national/lgb_rate_maturity.csv").tail(24)
    expected = {period: (rate, tenor) for period, rate, tenor in frame.itertuples(index=False)}
    assert defaults().issue_months == expected
    assert len(expected) == 24
    latest = defaults().issue_terms[-1]
    year = [terms for name, terms in expected.items() if name > "2025-06"]
    assert np.mean([rate for rate, _ in year]) == pytest.approx(latest.rate, abs=0.006)
    assert np.mean([tenor for _, tenor in year]) == pytest.approx(latest.tenor, abs=0.006)


def test_only_months_known_on_the_day_are_used():
    known = defaults().issue_months_on
    assert max(known(dt.date(2026, 7, 30))) == "2026-05"
    assert max(known(dt.date(2026, 7, 31))) == "2026-06"
    assert max(known(dt.date(2026, 1, 31))) == "2025-12"
    assert known(dt.date(2020, 1, 1)) == {}


@needs_shared
def test_spreads_of_issuance_are_those_of_the_issuers():
    frame = pd.read_csv(SHARED / "data/cn-issuers/issuance_2025.csv")
    general = frame["new_general_yi"] + frame["refi_general_yi"]
    special = frame["new_special_yi"] + frame["refi_special_yi"]
    old = frame["refi_general_yi"] + frame["refi_special_yi"]
    expected = {
        "rate": frame["avg_rate_pct"],
        "tenor": frame["avg_tenor_yr"],
        "general_share": general / frame["total_yi"],
        "refinancing_share": old / frame["total_yi"],
        "refinancing_share_general": frame["refi_general_yi"] / general,
        "refinancing_share_special": frame["refi_special_yi"] / special,
    }
    for name, figures in expected.items():
        spread = list(getattr(defaults().issuance, name).model_dump().values())
        tolerance = 0.0051 if name == "tenor" else 0.00051
        same(spread, figures.quantile([0, 0.25, 0.5, 0.75, 1]), tolerance)


@needs_shared
def test_the_even_ladder_explains_the_principal_that_fell_due_nationally():
    """Debt / average tenor of new bonds against the principal repaid in the following year."""
    paid = pd.read_csv(SHARED / "data/cn-national/repayment_ytd.csv")
    paid = paid[paid["month"] == 12].set_index("year")["repay_ytd"]
    issuers = pd.read_csv(SHARED / "data/cn-issuers/issuers_2015_2025.csv")
    debt = issuers.groupby("year")["bal_total"].sum()
    terms = {t.to[:4]: t.tenor for t in defaults().issue_terms}
    for year in (2022, 2023, 2024, 2025):
        ladder = synthetic_ladder(
            np.array([debt[year - 1]]), np.array([0.03]), np.array([terms[str(year - 1)]]),
            shares=defaults().maturity.quarter_shares, first_quarter=4 * year, quarters=4,
        )  # fmt: skip
        assert ladder.principal.sum() == pytest.approx(paid[year], rel=0.25), year


def test_assumed_shares_by_ledger_lie_in_the_observed_range_and_round_its_ends():
    own = defaults().maturity
    assert own.refinanced_by_ledger == {"general": 0.90, "special": 0.86}
    assert round(own.refinanced_low, 2) == 0.86
    assert round(own.refinanced_high, 2) == 0.90


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("maturity", {"refinanced_low": 0.9}),
        ("maturity", {"refinanced_by_ledger": {"general": 0.95, "special": 0.86}}),
        ("maturity", {"refinanced_by_ledger": {"general": 0.9}}),
        ("maturity", {"refinanced_by_year": {"2022": 0.5}}),
        ("maturity", {"quarter_shares_low": (0.2, 0.2, 0.2, 0.1)}),
        ("refinancing", {"tenor_mix": ((0, 1.0),)}),
    ],
)
def test_damaged_defaults_are_refused(table, change):
    whole = defaults().model_dump()
    assert Defaults.model_validate(whole) == defaults()
    whole[table] |= change
    with pytest.raises(ValueError, match=r"must|needs"):
        Defaults.model_validate(whole)


def test_spreads_and_months_out_of_order_are_refused():
    whole = defaults().model_dump()
    whole["issuance"]["rate"]["median"] = 9.0
    with pytest.raises(ValueError, match="rise"):
        Defaults.model_validate(whole)
    whole = defaults().model_dump()
    whole["issue_months"] = {"2025-02": (2.0, 15.0), "2025-01": (2.0, 15.0)}
    with pytest.raises(ValueError, match="order"):
        Defaults.model_validate(whole)


def test_the_default_mix_can_be_used():
    ahead = refinance(
        synthetic([100.0, 200.0], [0.03, 0.03], [10.0, 10.0]),
        share=defaults().maturity.refinanced_by_ledger["general"],
        tenor_mix=defaults().refinancing.tenor_mix, yields=0.02,
        first_quarter=START, quarters=8,
    )  # fmt: skip
    same(ahead.closing[:, -1], [98.0, 196.0])

"""The central outlook: budget identity, ladder, pooled growth, decomposition, no invention."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.panel.panel import build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.rules.capacity import CAPACITY, choose_basis, history_inputs
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.decompose import decompose_ratio
from debtwatch.sustainability.ladder import bond_ladder, synthetic_ladder
from tests.conftest import county_rows

Q = 4 * 2024 + 3
EVEN = (0.25, 0.25, 0.25, 0.25)


@pytest.fixture(scope="module")
def outlook(issuers):
    return central_outlook(issuers, choose_basis(issuers), Q)


def test_debt_ratios_of_2024_agree_with_the_description_of_the_data(issuers):
    inputs = history_inputs(issuers, choose_basis(issuers))
    ratio = (inputs["debt_balance"] / inputs[CAPACITY])[:, issuers.column(Q)]
    high = {
        str(n): round(float(r), 2)
        for n, r in zip(issuers.units["name"], ratio, strict=True)
        if r >= 2
    }
    assert high == {
        "大连市": 2.61,
        "青岛市": 2.25,
        "云南省": 2.19,
        "天津市": 2.14,
        "福建省": 2.14,
        "贵州省": 2.09,
        "吉林省": 2.01,
        "重庆市": 2.00,
    }
    assert round(float(np.nanmin(ratio)), 2) == 0.67


def test_change_in_debt_is_what_is_issued_less_what_is_repaid(outlook):
    for ledger in outlook.ledgers.values():
        change = np.diff(ledger.debt, axis=1)
        flows = (ledger.issued - ledger.principal)[:, 1:]
        known = ~np.isnan(change)
        assert change[known] == pytest.approx(flows[known], rel=1e-9, abs=1.0)
        assert not (
            ledger.refinanced[known.any(axis=1)] > ledger.issued[known.any(axis=1)] + 1
        ).any()


def test_uses_equal_sources_over_every_year_of_both_ledgers(issuers, outlook):
    """Expenditure + other uses = revenue + transfers + net borrowing, other uses held."""
    sources = {
        "general": ("gpb_expenditure", ("gpb_revenue", "implied_net_transfers")),
        "special": ("gfb_expenditure", ("gfb_revenue",)),
    }
    column = issuers.column(Q)
    for ledger, (spending, revenue) in sources.items():
        net = outlook.ledgers[ledger].net_borrowing
        for k in (3, 7, 11):
            borrowed = net[:, k - 3 : k + 1].sum(axis=1)
            ahead = (
                outlook.figures[spending][:, k]
                - borrowed
                - sum(outlook.figures[r][:, k] for r in revenue)
            )
            balance = issuers.value(f"{ledger}_debt_balance")
            now = (
                issuers.yearly[spending][:, column]
                - (balance[:, column] - balance[:, column - 4])
                - sum(issuers.yearly[r][:, column] for r in revenue)
            )
            known = ~np.isnan(ahead)
            assert known.sum() >= 35
            assert ahead[known] == pytest.approx(now[known], rel=1e-9, abs=10.0)


def test_a_government_without_figures_gets_no_outlook(issuers, outlook):
    rows = [list(issuers.units.index).index(code) for code in ("54", "66")]
    assert np.isnan(outlook.inputs[CAPACITY][rows]).all()


def test_nothing_after_the_quarter_is_used(issuers):
    basis = choose_basis(issuers)
    early = central_outlook(issuers, basis, 4 * 2021 + 3)
    values = {n: v.copy() for n, v in issuers.values.items()}
    column = issuers.column(4 * 2021 + 3)
    for name, array in values.items():
        if name not in {"issue_rate", "issue_tenor"}:
            array[:, column + 1 :] *= 7.0
    yearly = {n: v.copy() for n, v in issuers.yearly.items()}
    for array in yearly.values():
        array[:, column + 1 :] *= 7.0
    from dataclasses import replace

    again = central_outlook(replace(issuers, values=values, yearly=yearly), basis, 4 * 2021 + 3)
    for name, array in early.inputs.items():
        assert np.array_equal(array, again.inputs[name], equal_nan=True), name


def test_means_are_drawn_to_the_pool_and_land_has_no_trend(outlook):
    drivers = outlook.drivers
    known = drivers.years >= 4
    assert known.sum() >= 35
    own, pool = drivers.mean[known, 0], drivers.pool[known, 0]
    assert np.abs(own - pool).max() < 0.05  # a record of nine years moves nobody far
    assert 0.0 < pool[0] < 0.10
    assert not drivers.mean[:, 2].any()
    assert (drivers.spread[:, 0] >= 0.03).all()
    assert np.abs(np.linalg.eigvals(drivers.factors.dynamics)).max() <= 0.98


def test_the_central_path_is_that_of_the_recursion_without_shocks(issuers, outlook):
    from debtwatch.rules.assess import assess
    from debtwatch.rules.rulebook import load_rulebooks
    from debtwatch.sustainability.outlook import central_indicators

    basis = choose_basis(issuers)
    for book in load_rulebooks():
        if book.id not in {"cn-debt-tiers", "cn-fiscal-restructuring"}:
            continue
        paths = central_indicators(outlook, basis, book.indicator)
        for name, values in assess(book, outlook.inputs).values.items():
            assert paths[name] == pytest.approx(values, rel=1e-10, nan_ok=True), name


def test_scaling_money_scales_debt_and_leaves_ratios(issuers):
    from dataclasses import replace

    money = [n for n in issuers.values if not n.startswith("issue_")]
    big = replace(
        issuers,
        values={n: v * (1000 if n in money else 1) for n, v in issuers.values.items()},
        yearly={n: v * (1000 if n in money else 1) for n, v in issuers.yearly.items()},
    )
    basis = choose_basis(issuers)
    one, other = central_outlook(issuers, basis, Q), central_outlook(big, basis, Q)
    a = one.inputs["debt_balance"] / one.inputs[CAPACITY]
    b = other.inputs["debt_balance"] / other.inputs[CAPACITY]
    assert np.nanmax(np.abs(a / b - 1)) < 1e-12


def test_ladder_of_three_bonds_by_hand():
    """100 @3 % yearly due q8; 200 @3.2 % half-yearly due q40; 50 @4 % yearly due q2."""
    bonds = pd.DataFrame(
        [
            (100.0, 0.03, 1, 8, "bullet"),
            (200.0, 0.032, 2, 40, "bullet"),
            (50.0, 0.04, 1, 2, "bullet"),
        ],
        columns=["principal", "coupon", "frequency", "maturity", "repayment"],
    )
    principal, interest = bond_ladder(bonds, 1, 8)
    assert principal.tolist() == [0, 50, 0, 0, 0, 0, 0, 100]
    assert interest == pytest.approx([0, 3.2 + 2.0, 0, 3.2 + 3.0, 0, 3.2, 0, 3.2 + 3.0])


@given(st.floats(1.0, 1e13), st.floats(0, 0.1), st.integers(1, 30))
@settings(deadline=None)
def test_a_synthetic_ladder_repays_the_balance_and_no_more(balance, rate, tenor):
    one = synthetic_ladder(
        np.array([balance]),
        np.array([rate]),
        np.array([float(tenor)]),
        shares=EVEN,
        first_quarter=8100,
        quarters=4 * tenor + 8,
    )
    assert one.principal.sum() == pytest.approx(balance, rel=1e-9)
    assert (one.principal >= -1e-9).all()
    assert one.interest[0, 0] == pytest.approx(balance * rate / 4)


def test_decomposition_of_a_published_case():
    """D 120 -> 123.2; capacity 100 -> 99: own +1, land -3, transfers +1."""
    one = decompose_ratio(
        {"general": np.array([120.0])},
        {"general": np.array([123.2])},
        {"own": np.array([40.0]), "land": np.array([25.0]), "transfers": np.array([35.0])},
        {"own": np.array([41.0]), "land": np.array([22.0]), "transfers": np.array([36.0])},
    )
    assert one.change[0] == pytest.approx(0.0444444444, abs=1e-9)
    assert one.capacity["own"][0] == pytest.approx(-0.0121212121, abs=1e-9)
    assert one.capacity["land"][0] == pytest.approx(0.0363636364, abs=1e-9)
    assert sum(p[0] for p in one.parts().values()) == pytest.approx(one.change[0], abs=1e-12)


@given(st.lists(st.floats(1, 1e12), min_size=8, max_size=8), st.floats(0, 1e10))
def test_decomposition_sums_exactly(x, swap):
    one = decompose_ratio(
        {"general": np.array([x[0]]), "special": np.array([x[1]])},
        {"general": np.array([x[2]]), "special": np.array([x[3]])},
        {"own": np.array([x[4]]), "fund": np.array([x[5]])},
        {"own": np.array([x[6]]), "fund": np.array([x[7]])},
        np.array([swap]),
    )
    parts = [float(p[0]) for p in one.parts().values()]
    # Each term is rounded on its own, so the yardstick is the largest of them and of the ratios.
    scale = max(1.0, *map(abs, parts), (x[0] + x[1]) / (x[4] + x[5]))
    assert sum(parts) == pytest.approx(float(one.change[0]), abs=1e-12 * scale)


def test_a_listed_ladder_is_used_only_when_it_sums(workbook, tmp_path):
    day = dt.date(2026, 1, 20)
    rows = county_rows()
    balance = rows[-1][14]

    def bonds(amount):
        return [
            ["地区编码", "债券名称", "债券类型", "本金（万元）", "票面利率", "到期日", "付息频率"],
            ["900001", "26一般01", "一般债券", amount, 3.0, "2027-06-30", 1],
        ]

    for name, amount, synthetic in (("a", balance, False), ("b", balance * 0.5, True)):
        with open_store(tmp_path / f"{name}.duckdb", create=True) as store:
            store.add(read_file(workbook(rows)), known_from=day)
            store.add(read_file(workbook(bonds(amount), name=f"{name}.xlsx")), known_from=day)
            panel = build_panel(store.known_on(day))
        one = central_outlook(panel, choose_basis(panel), 4 * 2025 + 3)
        assert bool(one.synthetic["general"][0]) is synthetic
        assert [p.rule for p in one.problems] == (["bonds-do-not-sum"] if synthetic else [])
        if not synthetic:
            due = one.ledgers["general"].principal[0]
            assert due[5] == pytest.approx(balance * 1e4)
            assert due.sum() == pytest.approx(balance * 1e4)

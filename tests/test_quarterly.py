"""Quarters from years and from cumulative figures: published oracle, identities, gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.interp import dentonm

from debtwatch.panel.quarterly import (
    denton_matrix,
    quarters_from_to_date,
    quarters_from_years,
    rolling_year,
    year_from_to_date,
)

SHARES = (0.1954, 0.2150, 0.2304, 0.3592)
IMF_INDICATOR = [98.2, 100.8, 102.2, 100.8, 99.0, 101.6, 102.7, 101.5, 100.5, 103.0, 103.5, 101.5]
IMF_RESULT = [969.8, 998.4, 1018.3, 1013.4, 1007.2, 1042.8, 1060.3, 1051.0]


def test_denton_reproduces_the_manual_of_quarterly_national_accounts():
    got = dentonm(np.array(IMF_INDICATOR[:8]), np.array([4000.0, 4161.4]), freq="aq")
    assert np.ravel(got) == pytest.approx(IMF_RESULT, abs=0.06)


def test_the_matrix_is_the_library_call():
    totals = np.array([3.0, 5.0, 4.0, 8.0])
    direct = np.ravel(dentonm(np.tile(SHARES, 4), totals, freq="aq"))
    assert denton_matrix(SHARES, 4) @ totals == pytest.approx(direct, rel=1e-12)


totals = st.lists(st.one_of(st.just(float("nan")), st.floats(1.0, 1e12)), min_size=1, max_size=9)


@given(totals)
@settings(max_examples=60, deadline=None)
def test_quarters_sum_to_their_year_and_gaps_stay(years):
    annual = np.array([years])
    quarters = quarters_from_years(annual, SHARES)
    summed = quarters.reshape(1, -1, 4).sum(axis=2)
    assert np.array_equal(np.isnan(summed), np.isnan(annual))
    known = ~np.isnan(annual)
    assert summed[known] == pytest.approx(annual[known], rel=1e-9)
    assert not (quarters[~np.isnan(quarters)] < 0).any()


@given(st.lists(st.floats(0, 1e9), min_size=8, max_size=8))
def test_cumulative_figures_give_back_their_quarters(flows):
    quarters = np.array([flows])
    to_date = quarters.reshape(1, 2, 4).cumsum(axis=2).reshape(1, 8)
    assert quarters_from_to_date(to_date, 8096) == pytest.approx(quarters, abs=1e-3)
    both = year_from_to_date(to_date, 8096)[0, 4:]
    assert both == pytest.approx(rolling_year(quarters)[0, 4:], abs=1e-3)


def test_a_missing_cumulative_figure_is_not_bridged():
    to_date = np.array([[10.0, np.nan, 40.0, 60.0]])
    got = quarters_from_to_date(to_date, 8096)
    assert np.isnan(got[0, 1:3]).all()
    assert got[0, [0, 3]].tolist() == [10.0, 20.0]


def test_estimated_quarters_inherit_the_publication_day_of_their_year(issuers):
    column = issuers.column(4 * 2024)  # 2024Q1, split from the annual figure
    known = issuers.known_from["gpb_revenue"][0, column]
    assert str(known) == "2025-06-30"
    assert issuers.marks["gpb_revenue"][0, column] == 1


def test_balances_stay_at_the_dates_reported(issuers):
    balance = issuers.values["general_debt_balance"]
    for year in range(2019, 2025):
        assert np.isnan(balance[:, issuers.column(4 * year)]).all()
        assert not np.isnan(balance[0, issuers.column(4 * year + 3)])

"""Quarters from years: the published Denton case, Chow-Lin and its relatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.regression.linear_model import GLS
from statsmodels.tsa.interp import dentonm

from debtwatch.errors import ModelProblem
from debtwatch.panel.quarterly import denton_matrix
from debtwatch.sustainability.disaggregate import RHO_GRID, chow_lin, draw_disaggregation

METHODS = ["chow-lin", "litterman", "fernandez"]
LEVELS = (98.2, 100.8, 102.2, 100.8, 99.0, 101.6, 102.7, 101.5, 100.5, 103.0, 103.5, 101.5)
QUARTERS = (969.8, 998.4, 1018.3, 1013.4, 1007.2, 1042.8, 1060.3, 1051.0, 1040.6, 1066.5, 1071.7,
            1051.0)  # fmt: skip


def close(a, b, **options):
    np.testing.assert_allclose(a, b, **{"rtol": 1e-9, "atol": 1e-12, **options})


def years(quarters):
    return quarters.reshape(*quarters.shape[:-1], -1, 4).sum(axis=-1)


def series(seed, count=40, rho=0.8):
    rng = np.random.default_rng(seed)
    indicator = 10 + np.cumsum(rng.normal(size=count))
    error = np.zeros(count)
    error[0] = rng.normal() / np.sqrt(1 - rho**2)
    for k in range(1, count):
        error[k] = rho * error[k - 1] + rng.normal()
    return 5 + 1.5 * indicator + error, indicator


def test_the_published_denton_case():
    totals = np.array([4000.0, 4161.4])
    found = np.ravel(dentonm(np.array(LEVELS), totals, freq="aq"))
    close(found, QUARTERS, rtol=0, atol=0.06)
    # With one seasonal pattern in all years, the matrix is the same method.
    shares = (0.2, 0.25, 0.25, 0.3)
    matrix = denton_matrix(shares, 2)
    close(matrix @ totals, np.ravel(dentonm(np.tile(shares, 2), totals, freq="aq")))
    close(years(matrix @ totals), totals)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rho", [0.0, 0.35, 0.95, None])
def test_an_exact_relation_is_recovered(method, rho):
    indicator = np.array(LEVELS * 2)[:20]
    true = 3 + 2 * indicator
    found = chow_lin(years(true), indicator, rho, method)
    close(found.coefficients, [3.0, 2.0], rtol=0, atol=1e-8)
    close(found.quarters, true, rtol=1e-10)
    close(draw_disaggregation(found, 3, np.random.default_rng(0)), [true] * 3, rtol=1e-7)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_coefficients_are_those_of_generalised_least_squares(rho):
    true, indicator = series(1)
    step = np.arange(40)
    sums = np.kron(np.eye(10), np.ones(4))
    errors = rho ** np.abs(step[:, None] - step) / (1 - rho**2)
    design = np.column_stack([np.ones(40), indicator])
    fit = GLS(years(true), sums @ design, sigma=sums @ errors @ sums.T).fit()
    found = chow_lin(years(true), indicator, rho)
    close(found.coefficients, fit.params)
    close(found.sigma2, fit.scale)
    gain = errors @ sums.T @ np.linalg.inv(sums @ errors @ sums.T)
    close(found.quarters, design @ fit.params + gain @ fit.resid)
    close(found.covariance, fit.scale * (errors - gain @ sums @ errors), atol=1e-9)


def test_the_likeliest_autocorrelation_is_taken():
    true, indicator = series(2, 240, 0.9)
    found = chow_lin(years(true), indicator)
    step, sums = np.arange(240), np.kron(np.eye(60), np.ones(4))
    design = sums @ np.column_stack([np.ones(240), indicator])
    likelihood = [
        GLS(
            years(true), design,
            sigma=sums @ (rho ** np.abs(step[:, None] - step) / (1 - rho**2)) @ sums.T,
        ).fit().llf
        for rho in RHO_GRID
    ]  # fmt: skip
    assert found.rho == RHO_GRID[np.argmax(likelihood)]
    assert 0.7 <= found.rho <= 0.95
    assert (RHO_GRID[0], RHO_GRID[-1], len(RHO_GRID)) == (0.0, 0.95, 20)


def test_relatives_are_random_walks():
    true, indicator = series(3)
    totals, walk = years(true), np.tril(np.ones((40, 40)))
    fernandez = chow_lin(totals, indicator, method="fernandez")
    assert fernandez.rho == 1.0
    sums = np.kron(np.eye(10), np.ones(4))
    errors = walk @ walk.T
    design = np.column_stack([np.ones(40), indicator])
    fit = GLS(totals, sums @ design, sigma=sums @ errors @ sums.T).fit()
    close(fernandez.coefficients, fit.params)
    plain = chow_lin(totals, indicator, 0.0, "litterman")
    close(plain.quarters, fernandez.quarters)
    # Litterman: the steps of the walk follow an autoregression started from rest.
    steps = np.eye(40) - 0.6 * np.eye(40, k=-1)
    inverse = np.linalg.inv(steps @ (np.eye(40) - np.eye(40, k=-1)))
    errors = inverse @ inverse.T
    fit = GLS(totals, sums @ design, sigma=sums @ errors @ sums.T).fit()
    close(chow_lin(totals, indicator, 0.6, "litterman").coefficients, fit.params)


def test_an_indicator_beats_equal_quarters():
    errors, equal = [], []
    for seed in range(60):
        true, indicator = series(seed)
        found = chow_lin(years(true), indicator)
        close(years(found.quarters), years(true))
        errors.append(found.quarters - true)
        equal.append(np.repeat(years(true) / 4, 4) - true)
    assert np.square(errors).mean() < 0.55 * np.square(equal).mean()


def test_draws_keep_the_totals_and_cover_the_truth():
    inside = []
    for seed in range(60):
        true, indicator = series(seed)
        found = chow_lin(years(true), indicator)
        drawn = draw_disaggregation(found, 400, np.random.default_rng(seed))
        close(years(drawn), np.tile(years(true), (400, 1)), rtol=1e-9)
        low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
        inside.append(((true >= low) & (true <= high)).mean())
    assert 0.72 < np.mean(inside) < 0.92
    close(np.cov(drawn.T), found.covariance, rtol=0, atol=0.25 * found.covariance.max())
    close(drawn.mean(axis=0), found.quarters, rtol=0, atol=0.4)


@pytest.mark.parametrize("method", METHODS)
def test_missing_years_and_quarters_beyond_are_extrapolated(method):
    true, indicator = series(4, 48)
    annual = years(true)[:10].copy()
    annual[3] = np.nan
    found = chow_lin(annual, indicator, 0.5, method)
    assert found.quarters.shape == (48,)
    reported = np.isfinite(annual)
    close(years(found.quarters)[:10][reported], annual[reported])
    assert np.isfinite(found.quarters).all()
    # Doubt grows where no total holds the quarters.
    deviation = np.sqrt(np.diag(found.covariance))
    assert deviation[12:16].mean() > deviation[20:24].mean()
    assert deviation[47] > deviation[36]
    if method == "chow-lin":
        line = found.coefficients[0] + found.coefficients[1] * indicator
        assert abs(found.quarters[47] - line[47]) < abs(found.quarters[40] - line[40]) + 1e-12


def test_several_indicators():
    true, indicator = series(5)
    other = np.random.default_rng(5).normal(size=40)
    found = chow_lin(years(true + 4 * other), np.column_stack([indicator, other]), 0.8)
    assert found.coefficients.shape == (3,)
    assert abs(found.coefficients[2] - 4) < 1.5


@given(st.integers(0, 200), st.sampled_from([1e-3, 7.0, 1e9]), st.sampled_from(METHODS))
def test_quarters_follow_units_of_money_and_of_the_indicator(seed, factor, method):
    true, indicator = series(seed, 24)
    one = chow_lin(years(true), indicator, 0.5, method)
    other = chow_lin(years(true) * factor, indicator * 10 + 4, 0.5, method)
    close(other.quarters, one.quarters * factor, rtol=1e-6, atol=1e-7 * factor)
    close(other.covariance, one.covariance * factor**2, rtol=1e-5, atol=1e-7 * factor**2)


def test_what_cannot_be_estimated_is_refused():
    true, indicator = series(6, 16)
    annual = years(true)
    with pytest.raises(ModelProblem, match="2 annual totals"):
        chow_lin(annual[:2], indicator)
    with pytest.raises(ModelProblem, match="all quarters of 4 years"):
        chow_lin(annual, indicator[:15])
    with pytest.raises(ModelProblem, match="without gaps"):
        chow_lin(annual, np.where(np.arange(16) == 5, np.nan, indicator))
    for rho in (1.0, -0.1, float("nan")):
        with pytest.raises(ModelProblem, match="autocorrelation"):
            chow_lin(annual, indicator, rho)
    with pytest.raises(ModelProblem, match="0 annual totals"):
        chow_lin(np.full(4, np.nan), indicator)

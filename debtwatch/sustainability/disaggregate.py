"""Quarters of an annual series from related quarterly series, with the doubt that remains.

``x = X b + u``, ``y = C x``: annual totals y, quarterly indicators X, and C sums four quarters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.bootstrap import gaussian_rows

Array = NDArray[np.float64]
Method = Literal["chow-lin", "litterman", "fernandez"]

RHO_GRID = np.round(np.arange(0.0, 0.951, 0.05), 2)


@dataclass(frozen=True)
class Disaggregation:
    """Quarterly series of annual totals.

    Attributes
    ----------
    quarters : ndarray, shape (quarters,)
        Sum to the total in each year reported; the years without one are extrapolated.
    coefficients : ndarray, shape (1 + indicators,)
        Constant first.
    rho : float
        Autocorrelation of the error, of its changes for Litterman; 1 for Fernandez.
    sigma2 : float
        Variance of the error's shocks.
    covariance : ndarray, shape (quarters, quarters)
        Of the quarters given the annual totals and the coefficients.
    """

    quarters: Array
    coefficients: Array
    rho: float
    sigma2: float
    covariance: Array


def chow_lin(
    annual: Array, indicators: Array, rho: float | None = None, method: Method = "chow-lin"
) -> Disaggregation:
    """Distribute annual totals over quarters by generalised least squares on indicators.

    ``x = X b + V C' (C V C')^-1 (y - C X b)``. The error's covariance V is
    ``rho^|i-j| / (1 - rho^2)`` for Chow and Lin (1971); for Litterman (1983) the error is a random
    walk whose steps have autocorrelation rho, for Fernandez (1981) a plain random walk, both from 0
    before the first quarter. ``b`` is the GLS estimate and rho the one of greatest likelihood on
    the grid 0, .05, ..., .95. The covariance given the totals is
    ``sigma2 (V - V C' (C V C')^-1 C V)``, with sigma2 over years less coefficients.

    Parameters
    ----------
    annual : ndarray, shape (years,)
        NaN for a year not reported: its quarters follow the indicators.
    indicators : ndarray, shape (quarters,) or (quarters, indicators)
        From the first quarter of the first year; quarters beyond the last year are extrapolated.
        A constant is added.
    rho : float, optional
        0 to below 1; not used by "fernandez".
    method : "chow-lin", "litterman" or "fernandez"

    Returns
    -------
    Disaggregation

    Raises
    ------
    ModelProblem
        When indicators have gaps or are shorter than the years, there are not more years than
        coefficients, or rho is out of range.

    Examples
    --------
    >>> quarterly = np.arange(16.0) ** 2
    >>> annual = (3 + 2 * quarterly).reshape(4, 4).sum(axis=1)
    >>> chow_lin(annual, quarterly, rho=0.5).coefficients.round(6)
    array([3., 2.])
    """
    table = np.atleast_2d(indicators.T).T
    design = np.column_stack([np.ones(len(table)), table])
    reported = np.flatnonzero(np.isfinite(annual))
    _check(annual, design, len(reported), rho)
    sums = np.zeros((len(reported), len(design)))
    for row, year in enumerate(reported):
        sums[row, 4 * year : 4 * year + 4] = 1.0
    grid = [1.0] if method == "fernandez" else RHO_GRID if rho is None else [rho]
    fits = [_fit(annual[reported], design, sums, float(value), method) for value in grid]
    return max(fits, key=lambda fit: fit[0])[1]


def _check(annual: Array, design: Array, reported: int, rho: float | None) -> None:
    """Refuse what cannot be estimated."""
    if not np.isfinite(design).all() or len(design) < 4 * len(annual):
        raise ModelProblem(
            N_("Indicators must cover all quarters of {years} years without gaps."),
            years=len(annual),
        )
    if reported <= design.shape[1]:
        raise ModelProblem(
            N_("{years} annual totals are too few for {count} coefficients."),
            years=reported,
            count=design.shape[1],
        )
    if rho is not None and not 0 <= rho < 1:
        raise ModelProblem(
            N_("The autocorrelation must lie from 0 to below 1, not {rho}."), rho=rho
        )


def _fit(
    totals: Array, design: Array, sums: Array, rho: float, method: Method
) -> tuple[float, Disaggregation]:
    """Likelihood, constants apart, and result for one autocorrelation."""
    errors = _error_covariance(len(design), rho, method)
    spread = errors @ sums.T
    annual_errors = sums @ spread
    aggregated = sums @ design
    # Least squares on whitened rows keeps an exact fit exact.
    whiten = np.linalg.inv(np.linalg.cholesky(annual_errors))
    coefficients = np.asarray(
        np.linalg.lstsq(whiten @ aggregated, whiten @ totals, rcond=None)[0], dtype=np.float64
    )
    left = totals - aggregated @ coefficients
    squares = float(((whiten @ left) ** 2).sum())
    sigma2 = squares / (len(totals) - design.shape[1])
    gain = spread @ np.linalg.inv(annual_errors)
    likelihood = -len(totals) / 2 * np.log(max(squares, 1e-300)) - _half_log_det(annual_errors)
    return likelihood, Disaggregation(
        quarters=design @ coefficients + gain @ left,
        coefficients=coefficients,
        rho=rho,
        sigma2=sigma2,
        covariance=sigma2 * (errors - gain @ spread.T),
    )


def _half_log_det(matrix: Array) -> float:
    """Half the logarithm of a determinant."""
    return float(np.linalg.slogdet(matrix)[1]) / 2


def _error_covariance(quarters: int, rho: float, method: Method) -> Array:
    """Covariance of the quarterly error for shocks of variance 1."""
    step = np.arange(quarters)
    if method == "chow-lin":
        return np.asarray(rho ** np.abs(step[:, None] - step) / (1 - rho**2))
    walk = np.tril(np.ones((quarters, quarters)))
    if method == "litterman":
        lag = step[:, None] - step
        walk = walk @ np.where(lag >= 0, rho ** np.maximum(lag, 0), 0.0)
    return walk @ walk.T


def draw_disaggregation(result: Disaggregation, paths: int, rng: np.random.Generator) -> Array:
    """Draw quarterly series that could lie behind the annual totals.

    The quarters plus normal errors of the covariance given the totals: each draw keeps the totals.
    Doubt about the coefficients is left out; with a few years it is small beside the errors.

    Parameters
    ----------
    result : Disaggregation
    paths : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (paths, quarters)

    Examples
    --------
    >>> one = chow_lin(np.array([4.0, 9.0, 8.0, 12.0]), np.arange(16.0), rho=0.5)
    >>> drawn = draw_disaggregation(one, 5, np.random.default_rng(0))
    >>> drawn.reshape(5, 4, 4).sum(axis=2).round(9)[0]
    array([ 4.,  9.,  8., 12.])
    """
    covariance = (result.covariance + result.covariance.T) / 2
    return result.quarters + gaussian_rows(covariance, paths, rng)

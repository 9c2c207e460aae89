"""How shocks carry on: one vector autoregression for all units, and the spread of an AR(1) path.

With a dozen dates the slope of one unit is hardly known, and demeaning by unit biases the pooled
slope downwards (Nickell 1981). Both are dealt with here: pooled slopes, corrected for that bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_

Array = NDArray[np.float64]
Correction = Literal["jackknife", "nickell", "none"]

DATES_OF_A_HALF = 4
ROWS_PER_VARIABLE = 20


@dataclass(frozen=True)
class PooledVar:
    """A vector autoregression of order 1 with unit effects.

    Attributes
    ----------
    coefficients : ndarray, shape (variables, variables)
        A of ``y(t) = c + A y(t-1) + e(t)``: row = what moves, column = what it follows.
    uncorrected : ndarray, shape (variables, variables)
        A before the correction for short panels.
    residuals : ndarray, shape (units, dates, variables)
        Around unit effects, so they sum to 0 over each unit; NaN where the pair is incomplete or
        is the unit's only one.
    intercepts : ndarray, shape (units, variables)
        Unit effects c; NaN for a unit without pairs.
    radius : float
        Spectral radius of A as returned.
    scaled : bool
        Whether A was scaled down to the largest radius allowed.
    pairs : int
        Complete consecutive pairs of units that have at least two of them.
    correction : "jackknife", "nickell" or "none"
        "none" when there is nothing to estimate from: A is then 0.
    """

    coefficients: Array
    uncorrected: Array
    residuals: Array
    intercepts: Array
    radius: float
    scaled: bool
    pairs: int
    correction: Correction


def pooled_var(panel: Array, *, ridge: float = 0.0, max_radius: float = 0.98) -> PooledVar:
    """Estimate one VAR(1) with unit effects for all units.

    ``y(c,t) = c_c + A y(c,t-1) + e(c,t)`` by least squares within units. The bias of short panels
    is taken off by the half-panel jackknife ``2 A - (A_a + A_b) / 2`` (Dhaene and Jochmans 2015),
    each unit's dates cut in the middle (both cuts averaged when their number is odd). It is
    measured on units with at least 8 dates and needs these to hold half of the pairs and 20 rows a
    variable in each half. Otherwise the diagonal is corrected by Nickell's formula, bias
    ``-(1 + phi) / (T - 1)``, solved for phi, with T the mean number of dates.

    Parameters
    ----------
    panel : ndarray, shape (units, dates, variables)
        NaN where missing; a pair counts when both dates are complete. Winsorise first: least
        squares follows an absurd figure.
    ridge : float
        Penalty on A as a share of the variance of each regressor.
    max_radius : float
        Largest spectral radius; A is scaled down to it.

    Returns
    -------
    PooledVar

    Raises
    ------
    ModelProblem
        When the panel has not three dimensions.

    Examples
    --------
    >>> level = np.array([[8.0, 4.0, 2.0, 1.0, 0.5], [0.0, 3.0, 4.5, 5.25, 5.625]])
    >>> fit = pooled_var(level[..., None])
    >>> fit.uncorrected.round(6), fit.coefficients.round(6), fit.correction, fit.pairs
    (array([[0.5]]), array([[0.98]]), 'nickell', 8)
    """
    if panel.ndim != 3:
        raise ModelProblem(
            N_("A panel needs units, dates and variables; this one has {count} dimensions."),
            count=panel.ndim,
        )
    complete = np.asarray(np.isfinite(panel).all(axis=2))
    clean = np.where(complete[..., None], panel, np.nan)
    before, after, paired = _pairs(clean)
    uncorrected = _within_slopes(before, after, paired, ridge)
    corrected, correction = _corrected(clean, uncorrected, paired, ridge)
    radius = float(np.abs(np.linalg.eigvals(corrected)).max())
    scaled = radius > max_radius
    if scaled:
        corrected, radius = corrected * (max_radius / radius), max_radius
    level = np.where(paired[..., None], after - before @ corrected.T, np.nan)
    intercepts = _unit_means(level, paired)
    residuals = np.full(panel.shape, np.nan)
    several = (paired.sum(axis=1) > 1)[:, None, None]
    residuals[:, 1:] = np.where(several, level - intercepts[:, None], np.nan)
    count = int(paired[paired.sum(axis=1) > 1].sum())
    return PooledVar(
        corrected, uncorrected, residuals, intercepts, radius, scaled, count, correction
    )


def _pairs(panel: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Values before and after, and whether both are there."""
    before, after = panel[:, :-1], panel[:, 1:]
    return before, after, np.isfinite(before[..., 0] + after[..., 0])


def _unit_means(values: Array, there: NDArray[np.bool_]) -> Array:
    """Mean over a unit's own rows, NaN without any."""
    count = there.sum(axis=1)[:, None]
    sums = np.where(there[..., None], values, 0.0).sum(axis=1)
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)


def _within_slopes(before: Array, after: Array, paired: NDArray[np.bool_], ridge: float) -> Array:
    """Least squares within units; 0 for what the data do not tell."""
    there = paired[..., None]
    x = np.where(there, before - _unit_means(before, paired)[:, None], 0.0)
    y = np.where(there, after - _unit_means(after, paired)[:, None], 0.0)
    x, y = x.reshape(-1, x.shape[2]), y.reshape(-1, y.shape[2])
    squares = x.T @ x
    # Regressors are brought to one size first: money and ratios may stand side by side.
    size = np.sqrt(np.diag(squares))
    size = np.where(size > 0, size, 1.0)
    scaled = squares / np.outer(size, size) + ridge * np.eye(len(size))
    cross = x.T @ y / size[:, None]
    slopes, *_ = np.linalg.lstsq(scaled, cross, rcond=1e-14)
    return np.asarray((slopes / size[:, None]).T)


def _corrected(
    panel: Array, uncorrected: Array, paired: NDArray[np.bool_], ridge: float
) -> tuple[Array, Correction]:
    """Slopes without the bias of short panels, and how it was taken off."""
    number = paired.sum(axis=1)
    usable = number > 1
    if not usable.any():
        return uncorrected, "none"
    dates = np.isfinite(panel[..., 0]).sum(axis=1)
    long = usable & (dates >= 2 * DATES_OF_A_HALF)
    if number[long].sum() * 2 >= number[usable].sum():
        halves = _half_slopes(panel[long], ridge)
        if halves is not None:
            full = _within_slopes(*_pairs(panel[long]), ridge)
            return uncorrected + full - halves, "jackknife"
    mean_dates = 1 + number[usable].mean()
    bias = 1 / (mean_dates - 1)
    slope = np.diag(uncorrected)
    solved = (slope + bias) / (1 - bias) if bias < 1 else slope
    return uncorrected + np.diag(solved - slope), "nickell"


def _half_slopes(panel: Array, ridge: float) -> Array | None:
    """Mean slope of the half panels; None when a half has too few rows."""
    there = np.isfinite(panel[..., 0])
    rank, dates = there.cumsum(axis=1), there.sum(axis=1)[:, None]
    slopes = []
    for cut in (dates // 2, dates - dates // 2):
        for half in (rank <= cut, rank > cut):
            before, after, paired = _pairs(np.where(half[..., None], panel, np.nan))
            rows = np.maximum(paired.sum(axis=1) - 1, 0).sum()
            if rows < ROWS_PER_VARIABLE * panel.shape[2]:
                return None
            slopes.append(_within_slopes(before, after, paired, ridge))
    return np.asarray(np.mean(slopes, axis=0))


def ar1_spread(sigma: float, phi: float, horizon: int) -> tuple[Array, Array]:
    """Give the standard deviation of an AR(1) path around its forecast, level and sum.

    ``sd_h = sigma sqrt(sum_j phi^(2 j))`` for j = 0..h-1, and for the sum of the first h steps
    ``sigma sqrt(sum_j ((1 - phi^j) / (1 - phi))^2)`` for j = 1..h.

    Parameters
    ----------
    sigma : float
        Standard deviation of the shocks.
    phi : float
        Slope, 1 for a random walk.
    horizon : int

    Returns
    -------
    level, cumulated : ndarray, shape (horizon,)

    Examples
    --------
    >>> level, cumulated = ar1_spread(0.05, 0.8, 4)
    >>> level[-1].round(8), cumulated[-1].round(8)
    (np.float64(0.0760221), np.float64(0.2174161))
    """
    response = float(phi) ** np.arange(horizon)
    level = sigma * np.sqrt(np.cumsum(response**2))
    return level, sigma * np.sqrt(np.cumsum(np.cumsum(response) ** 2))

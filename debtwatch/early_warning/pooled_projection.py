"""Project a ratio from the pool of all governments and read off the chance that it crosses a line.

Where no store gives a debt projection, a plain table of ratios still holds one: how far ratios
moved in the past, given where they stood and how they had been moving.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import Ridge

from debtwatch.errors import DataProblem
from debtwatch.language import N_

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Features are cut at these quantiles of the training rows.
CUT = (0.005, 0.995)
#: Interquartile ranges from the median beyond which a ratio is a sentinel.
FENCE = 10.0
#: How much stronger the penalty on the spread is than that on the move.
SPREAD_ALPHA = 10.0
#: Figure, square, product with the ratio, missing flag.
TERMS = 4
#: A figure further from the mean, in standard deviations, is squared as if it stood here.
FARTHEST = 3.0
#: Residuals are kept as so many quantiles.
KNOTS = 501
#: Share of Silverman's width; his rule is for densities, a distribution needs less smoothing.
SMOOTHING = 0.6
#: Fewer rows with a complete window are too few to learn moves from.
FEWEST_ROWS = 60
#: Rows at a time, so that rows by knots stay in the cache.
_BLOCK = 4096


@dataclass(frozen=True)
class PooledProjection:
    """A pooled projection of a ratio: its fitted numbers.

    Attributes
    ----------
    line : float
    upward : bool
        Whether crossing means rising to the line.
    low, high, median, mean, scale : ndarray, shape (features + 1,)
        Cuts, replacement of what is missing, and standardisation; last those of the ratio itself.
    move : ndarray, shape (4 * features + 4,)
        Coefficients of the standardised figures, their squares, their products with the ratio, and
        their missing flags.
    base : float
        Move at the means.
    spread : ndarray, shape (4 * features + 4,)
        The same for the logarithm of the size of what the moves left unexplained.
    spread_base : float
        That logarithm at the means.
    residuals : ndarray, shape (KNOTS,)
        Quantiles of what the moves left unexplained, over its size.
    width : float
        Scale of the logistic kernel that smooths them.
    """

    line: float
    upward: bool
    low: Array
    high: Array
    median: Array
    mean: Array
    scale: Array
    move: Array
    base: float
    spread: Array
    spread_base: float
    residuals: Array
    width: float

    def expected_move(self, x: Array, now: Array) -> Array:
        """Expect the largest move towards the line within the window, in the unit of the ratio.

        Parameters
        ----------
        x : ndarray, shape (rows, features)
        now : ndarray, shape (rows,)

        Returns
        -------
        ndarray, shape (rows,)
        """
        return np.asarray(self.base + self._standard(x, now) @ self.move)

    def expected_spread(self, x: Array, now: Array) -> Array:
        """Expect the size of what the move leaves unexplained, in the unit of the ratio.

        Parameters
        ----------
        x : ndarray, shape (rows, features)
        now : ndarray, shape (rows,)

        Returns
        -------
        ndarray, shape (rows,)
        """
        return np.asarray(np.exp(self.spread_base + self._standard(x, now) @ self.spread))

    def probability(self, x: Array, now: Array) -> Array:
        """Probability that the ratio stands beyond the line at some time in the window.

        ``p = mean_k F((e_k - (line - now - move) / spread) / w)`` with residuals ``e`` over their
        expected size, logistic ``F`` and width ``w``.

        Parameters
        ----------
        x : ndarray, shape (rows, features)
        now : ndarray, shape (rows,)
            The ratio at the origin; without it a row stands at the median of training.

        Returns
        -------
        ndarray, shape (rows,)
        """
        held = np.where(np.isnan(now), self.median[-1], now)
        gap = (self.line - held) * (1 if self.upward else -1) - self.expected_move(x, now)
        gap = gap / self.expected_spread(x, now)
        share = np.empty(len(gap))
        for start in range(0, len(gap), _BLOCK):
            part = gap[start : start + _BLOCK, None]
            share[start : start + _BLOCK] = expit((self.residuals - part) / self.width).mean(axis=1)
        return share

    def _standard(self, x: Array, now: Array) -> Array:
        figures = np.column_stack([x, now])
        missing = np.isnan(figures)
        filled = np.where(missing, self.median, np.clip(figures, self.low, self.high))
        z = (filled - self.mean) / self.scale
        # A ratio moves by more where it is high, and faster when several things go wrong at once.
        bent = np.minimum(z**2, FARTHEST**2)
        return np.column_stack([z, bent, z * z[:, -1:], missing.astype(np.float64)])


def fit_pooled_projection(
    x: Array,
    now: Array,
    extreme: Array,
    *,
    line: float,
    upward: bool = True,
    alpha: float = 10.0,
) -> PooledProjection:
    """Learn how ratios move, from every government, whichever side of the line it stands on.

    ``move = max_k r(t+k) - r(t)`` (the other way round for a ratio that falls to its line) is
    regressed on the features, the ratio, their squares and their products with the ratio, under a
    ridge penalty; the residuals of all governments give the spread.

    Parameters
    ----------
    x : ndarray, shape (rows, features)
        NaN where missing.
    now : ndarray, shape (rows,)
        Ratio at the origin.
    extreme : ndarray, shape (rows,)
        Worst ratio within the window; NaN where the window is not complete.
    line : float
    upward : bool
    alpha : float
        Ridge penalty on standardised features.

    Returns
    -------
    PooledProjection

    Raises
    ------
    DataProblem
        With fewer than :data:`FEWEST_ROWS` complete windows.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> now = rng.uniform(0, 1, 5000)
    >>> later = now + rng.normal(0, 0.1, 5000)
    >>> model = fit_pooled_projection(now[:, None], now, later, line=0.8)
    >>> model.probability(np.array([[0.2], [0.7]]), np.array([0.2, 0.7])).round(1)
    array([0. , 0.2])
    """
    side = 1 if upward else -1
    towards = (extreme - now) * side
    rows = ~np.isnan(towards)
    if rows.sum() < FEWEST_ROWS:
        raise DataProblem(
            N_("Too few complete windows to project the ratio: {rows}, and {least} are needed."),
            rows=int(rows.sum()), least=FEWEST_ROWS,
        )  # fmt: skip
    low, high, median, mean, scale = _standardise(x[rows], now[rows])
    none = np.zeros(TERMS * len(low))
    shell = PooledProjection(
        line, upward, low, high, median, mean, scale, none, 0.0, none, 0.0, np.zeros(KNOTS), 1.0
    )
    z = shell._standard(x[rows], now[rows])
    # A sentinel for "no denominator" is no move; the extremes are drawn in, not dropped.
    moves = np.clip(towards[rows], *_fences(towards[rows]))
    ridge = Ridge(alpha=alpha).fit(z, moves)
    errors = moves - ridge.predict(z)
    size = Ridge(alpha=SPREAD_ALPHA * alpha).fit(z, _log_size(errors))
    errors = errors / np.exp(size.predict(z))
    return PooledProjection(
        line, upward, low, high, median, mean, scale, ridge.coef_, float(ridge.intercept_),
        size.coef_, float(size.intercept_), np.quantile(errors, np.linspace(0, 1, KNOTS)),
        max(SMOOTHING * _silverman(errors), 1e-9),
    )  # fmt: skip


def _log_size(errors: Array) -> Array:
    """Logarithm of the size of errors; the smallest say nothing and are held at a floor."""
    size = np.abs(errors)
    floor = 0.05 * float(np.median(size)) or 1e-12
    return np.asarray(np.log(np.maximum(size, floor)))


def _standardise(x: Array, now: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Cuts, medians, means and scales of the training rows; neutral for an empty column."""
    figures = np.column_stack([x, now])
    empty = np.isnan(figures).all(axis=0)
    safe = np.where(empty, 0.0, figures)
    low, high = np.nanquantile(safe, CUT, axis=0)
    # Far from the line a ratio still moves by where it stands: only sentinels are cut off it.
    low[-1], high[-1] = _fences(now)
    median = np.nanmedian(safe, axis=0)
    filled = np.where(np.isnan(safe), median, np.clip(safe, low, high))
    scale = filled.std(axis=0)
    # A column that is almost the same everywhere says nothing; its scale must not blow it up.
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(median)), scale, 1.0)
    return low, high, median, filled.mean(axis=0), scale


def _fences(now: Array) -> tuple[float, float]:
    """Limits so far out that only a sentinel lies beyond."""
    quarter, half, three = np.nanquantile(now, [0.25, 0.5, 0.75])
    reach = FENCE * max(float(three - quarter), 1e-9)
    return max(float(np.nanmin(now)), half - reach), min(float(np.nanmax(now)), half + reach)


def _silverman(errors: Array) -> float:
    """Width of a kernel by Silverman's rule (1986), robust form."""
    quarter, three = np.quantile(errors, [0.25, 0.75])
    spread = min(float(errors.std()), float(three - quarter) / 1.34) or float(errors.std())
    return float(0.9 * spread * len(errors) ** -0.2)

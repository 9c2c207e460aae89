"""Simple forecasts that an outlook has to beat: a random walk with drift, and climatology.

Each is a law given as a sample at the middle of equal parts, so that no chance enters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]
#: Middle of 500 equal parts.
GRID = (np.arange(500) + 0.5) / 500
#: Fewer changes than this say nothing: climatology then is the last figure.
FEWEST_CHANGES = 10
#: Share of figures above zero from which changes are taken in logs.
LOG_SHARE = 0.95
#: No forecast moves further than this in logs.
LARGEST_STEP = 20.0


def walk(past: Array, rows: NDArray[np.intp], horizon: int) -> Array:
    """Forecast by a random walk with drift.

    ``x + h m + sqrt(h) s z`` with h in years, m and s the mean and the standard deviation of the
    unit's own yearly changes; in logs, or relative to the last figure where many are not above
    zero. A unit without a change takes the pool's mean, one with fewer than two its spread.

    Parameters
    ----------
    past : ndarray, shape (units, years)
        Up to the origin, oldest first.
    rows : ndarray of int
        Units to forecast.
    horizon : int
        Quarters.

    Returns
    -------
    ndarray, shape (rows, len(GRID))
    """
    years = horizon / 4
    level, logs = _levels(past)
    scale = np.ones(len(past)) if logs else np.maximum(np.abs(past[:, -1]), 1e-12)
    change = np.diff(level, axis=1) / scale[:, None]
    seen = np.isfinite(change)
    count, known = seen.sum(axis=1), np.sort(change[seen])
    pooled_mean, pooled_sd = (known.mean(), known.std()) if len(known) else (0.0, 0.1)
    mean = np.where(
        count > 0, np.where(seen, change, 0.0).sum(axis=1) / np.maximum(count, 1), pooled_mean
    )
    square = np.where(seen, change - mean[:, None], 0.0) ** 2
    own = np.sqrt(square.sum(axis=1) / np.maximum(count - 1, 1))
    sd = np.where(count > 1, own, pooled_sd)
    step = years * mean[rows, None] + np.sqrt(years) * sd[rows, None] * ndtri(GRID)
    return _moved(past[rows, -1, None], step, logs)


def climatology(past: Array, rows: NDArray[np.intp], horizon: int) -> Array:
    """Forecast by the changes that the pool has seen over the same horizon.

    Changes are seen over n whole years, ``n = ceil(h / 4)``; over a shorter horizon their mean
    counts by ``h / 4 n`` and their spread by its root.

    Parameters
    ----------
    past, rows, horizon
        As for :func:`walk`.

    Returns
    -------
    ndarray, shape (rows, len(GRID))
    """
    lag = max(-(-horizon // 4), 1)
    share = horizon / (4 * lag)
    level, logs = _levels(past)
    before, now = level[:, :-lag], level[:, lag:]
    with np.errstate(invalid="ignore", divide="ignore"):
        change = now - before if logs else (now - before) / np.abs(before)
    known = np.sort(change[np.isfinite(change)])
    if len(known) < FEWEST_CHANGES:
        known = np.zeros(1)
    step = share * known.mean() + np.sqrt(share) * (np.quantile(known, GRID) - known.mean())
    return _moved(past[rows, -1, None], step, logs)


def _levels(past: Array) -> tuple[Array, bool]:
    """Take logs where nearly all figures are above zero, the others then missing."""
    above = past > 0
    known = np.isfinite(past)
    if above.sum() < LOG_SHARE * known.sum():
        return past, False
    return np.log(np.where(above & known, past, np.nan)), True


def _moved(last: Array, step: Array, logs: bool) -> Array:
    """Last figures after a change in logs, or relative to them."""
    if logs:
        return np.asarray(last * np.exp(np.clip(step, -LARGEST_STEP, LARGEST_STEP)))
    return np.asarray(last + np.maximum(np.abs(last), 1e-12) * step)

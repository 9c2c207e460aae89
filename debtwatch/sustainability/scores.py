"""Score distributions against what happened, lower is better; intervals of a mean score.

Paths lie on the last axis. A missing outcome, or a missing path, gives a missing score; means leave
missing ones out. The tests of calibration are offered here too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from debtwatch.sustainability.calibration import (
    UniformTest,
    coverage,
    inflation_for_coverage,
    pit,
    pit_chi2,
)

__all__ = [
    "MeanInterval",
    "UniformTest",
    "brier",
    "cluster_interval",
    "coverage",
    "crps_normal",
    "crps_sample",
    "energy_score",
    "inflation_for_coverage",
    "interval_score",
    "pit",
    "pit_chi2",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MeanInterval:
    """A mean and its interval; the bounds are NaN with fewer than two clusters."""

    mean: float
    lower: float
    upper: float


def crps_sample(paths: Array, outcome: ArrayLike, fair: bool = False) -> Array:
    """Score a sample by the continuous ranked probability score.

    ``CRPS = E|X - y| - E|X - X'| / 2``, with the second term from the sorted sample,
    ``sum_i (2 i - m - 1) x_(i) / m^2`` (Gneiting and Raftery 2007). ``fair`` divides it by
    ``m (m - 1)`` instead, unbiased for the law the paths are drawn from (Ferro 2014).

    Parameters
    ----------
    paths : ndarray, shape (..., paths)
    outcome : array_like, shape (...)

    Returns
    -------
    ndarray, shape (...)
        In the unit of the outcome.

    Examples
    --------
    >>> crps_sample(np.array([0.0, 1.0]), 0.0), crps_sample(np.array([0.0, 1.0]), 0.0, fair=True)
    (array(0.25), array(0.))
    """
    count = paths.shape[-1]
    # Distances to the outcome, not raw figures, are summed: large levels then cost no digits.
    away = np.sort(paths - np.asarray(outcome, dtype=np.float64)[..., None], axis=-1)
    rank = 2.0 * np.arange(1, count + 1) - count - 1
    pairs = count * (count - 1 if fair and count > 1 else count)
    return np.asarray(np.abs(away).mean(axis=-1) - (rank * away).sum(axis=-1) / pairs)


def crps_normal(mean: ArrayLike, sd: ArrayLike, outcome: ArrayLike) -> Array:
    """Score a normal law by the continuous ranked probability score.

    ``CRPS = sd (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))``, ``z = (y - mean) / sd``; the
    absolute error when ``sd`` is 0.

    Parameters
    ----------
    mean, sd, outcome : array_like
        Of shapes that fit together.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> crps_normal(0.0, 1.0, 0.0).round(10)
    np.float64(0.2336949773)
    """
    width = np.asarray(sd, dtype=np.float64)
    away = np.asarray(outcome, dtype=np.float64) - np.asarray(mean, dtype=np.float64)
    z = away / np.where(width > 0, width, 1.0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    score = width * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi))
    return np.asarray(np.where(width == 0, np.abs(away), score))


def interval_score(lower: Array, upper: Array, outcome: Array, level: float) -> Array:
    """Score a central interval: its width and a penalty for what falls outside.

    ``(u - l) + 2 / a (l - y)+ + 2 / a (y - u)+`` with ``a = 1 - level`` (Winkler 1972).

    Parameters
    ----------
    lower, upper, outcome : ndarray
    level : float
        Share the interval means to cover, above 0 and below 1.

    Returns
    -------
    ndarray

    Examples
    --------
    >>> interval_score(np.array([0.0]), np.array([1.0]), np.array([1.5]), 0.8).round(9)
    array([6.])
    """
    outside = np.maximum(lower - outcome, 0.0) + np.maximum(outcome - upper, 0.0)
    return np.asarray(upper - lower + 2 / (1 - level) * outside)


def energy_score(paths: Array, outcome: Array, shifts: int | None = None) -> Array:
    """Score a sample of vectors: the CRPS in several dimensions.

    ``ES = E||X - y|| - E||X - X'|| / 2`` (Gneiting and Raftery 2007). Variables should be brought
    to one size first. Pairs are a path and the one k places on, round the circle.

    Parameters
    ----------
    paths : ndarray, shape (..., variables, paths)
    outcome : ndarray, shape (..., variables)
    shifts : int, optional
        Number of k to use, from 1 on: all pairs by default, which costs paths squared. Fewer give
        an estimate, for paths drawn independently.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> energy_score(np.array([[0.0, 3.0], [0.0, 4.0]]), np.array([0.0, 0.0]))
    array(1.25)
    """
    count = paths.shape[-1]
    misses = _norm(paths - outcome[..., None]).mean(axis=-1)
    half = (count - 1) // 2
    used = half if shifts is None else min(shifts, half)
    total = np.zeros(misses.shape)
    for k in range(1, used + 1):
        total += _norm(paths - np.roll(paths, k, axis=-1)).mean(axis=-1)
    if used:
        # Each shift stands for itself and for the one as far the other way.
        total *= half / used
    total *= 2
    if count % 2 == 0:
        total += _norm(paths - np.roll(paths, count // 2, axis=-1)).mean(axis=-1)
    return np.asarray(misses - total / count / 2)


def _norm(vectors: Array) -> Array:
    """Length over the variables, the axis before the last."""
    return np.asarray(np.sqrt((vectors**2).sum(axis=-2)))


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Mean squared error of probabilities, ``mean((p - y)^2)`` over what is known (Brier 1950).

    Parameters
    ----------
    p : array_like
        Probabilities, 0 to 1.
    y : array_like
        1 where the event happened, 0 where not, NaN where unknown.

    Returns
    -------
    float
        NaN when nothing is known.

    Examples
    --------
    >>> round(brier([0.9, 0.2, 0.5], [1.0, 0.0, np.nan]), 9)
    0.025
    """
    return _mean((np.asarray(p, dtype=np.float64) - np.asarray(y, dtype=np.float64)) ** 2)


def _mean(values: Array) -> float:
    """Mean of what is not missing; NaN without anything."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def cluster_interval(
    values: Array,
    cluster: NDArray[np.int64],
    level: float = 0.9,
    draws: int = 300,
    seed: int | np.random.Generator = 0,
) -> MeanInterval:
    """Give a mean with a bootstrap interval that draws whole clusters.

    Units of one province, or overlapping windows of one unit, are not independent: clusters are
    drawn with replacement and the mean over all their figures is taken anew each time.

    Parameters
    ----------
    values : ndarray, shape (observations,)
        NaN is left out.
    cluster : ndarray, shape (observations,)
    level : float
        Share between the two bounds, percentiles of the draws.
    draws : int
    seed : int or numpy.random.Generator

    Returns
    -------
    MeanInterval

    Examples
    --------
    >>> one = cluster_interval(np.array([1.0, 1.0, 3.0, 3.0]), np.array([0, 0, 1, 1]))
    >>> one.mean, one.lower, one.upper
    (2.0, 1.0, 3.0)
    """
    known = ~np.isnan(values)
    labels, member = np.unique(cluster[known], return_inverse=True)
    mean = _mean(values)
    if len(labels) < 2:
        return MeanInterval(mean, float("nan"), float("nan"))
    sums, counts = np.bincount(member, values[known]), np.bincount(member)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=draws)
    means = (times @ sums) / (times @ counts)
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return MeanInterval(mean, float(lower), float(upper))

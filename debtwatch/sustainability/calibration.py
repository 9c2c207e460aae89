"""Check that distributions mean what they say: coverage, the place of outcomes, their repair.

Paths lie on the last axis. What is missing is left out of shares and tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UniformTest:
    """Chi-squared test that probability integral transforms are uniform.

    Attributes
    ----------
    statistic : float
        After division by the design effect.
    p_value : float
    design_effect : float
        Variance of bin shares over that of independent figures; 1 without clusters.
    """

    statistic: float
    p_value: float
    design_effect: float


def coverage(lower: ArrayLike, upper: ArrayLike, outcome: ArrayLike) -> float:
    """Share of outcomes inside their interval, bounds included.

    Parameters
    ----------
    lower, upper, outcome : array_like

    Returns
    -------
    float
        NaN when nothing is known.

    Examples
    --------
    >>> coverage([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 2.0, np.nan])
    0.5
    """
    low, high, actual = (np.asarray(part, dtype=np.float64) for part in (lower, upper, outcome))
    known = ~np.isnan(low + high + actual)
    inside = ((actual >= low) & (actual <= high))[known]
    return float(inside.mean()) if inside.size else float("nan")


def pit(paths: Array, outcome: ArrayLike, rng: np.random.Generator) -> Array:
    """Find the place of an outcome among the paths, drawn at random between its neighbours.

    ``u = (below + U (equal + 1)) / (m + 1)`` with U uniform on 0 to 1: exactly uniform when the
    outcome is one more draw of the paths' law, ties and few paths included.

    Parameters
    ----------
    paths : ndarray, shape (..., paths)
    outcome : array_like, shape (...)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> bool(0.5 < pit(np.array([1.0, 2.0, 3.0]), 2.5, np.random.default_rng(0)) < 0.75)
    True
    """
    actual = np.asarray(outcome, dtype=np.float64)
    below = (paths < actual[..., None]).sum(axis=-1)
    equal = (paths == actual[..., None]).sum(axis=-1)
    place = (below + rng.random(actual.shape) * (equal + 1)) / (paths.shape[-1] + 1)
    known = np.isfinite(actual) & np.isfinite(paths).all(axis=-1)
    return np.asarray(np.where(known, place, np.nan))


def pit_chi2(u: Array, bins: int = 10, cluster: NDArray[np.int64] | None = None) -> UniformTest:
    """Test that transforms are uniform, by counts in equal bins.

    ``X2 = sum_b (n_b - n / B)^2 / (n / B)`` against chi-squared with B - 1 degrees of freedom. With
    clusters X2 is divided by the mean design effect of the bin shares (Rao and Scott 1981), each
    the variance of the share over clusters to that of independent figures, at least 1.

    Parameters
    ----------
    u : ndarray, shape (observations,)
        On 0 to 1; NaN is left out.
    bins : int
    cluster : ndarray, shape (observations,), optional

    Returns
    -------
    UniformTest
        NaN when nothing is known, or with clusters given but fewer than two of them.

    Examples
    --------
    >>> even = pit_chi2((np.arange(100) + 0.5) / 100)
    >>> even.statistic, even.p_value
    (0.0, 1.0)
    """
    known = ~np.isnan(u)
    place = np.minimum((u[known] * bins).astype(np.int64), bins - 1)
    count = len(place)
    effect = 1.0
    if cluster is not None and count:
        effect = _design_effect(place, bins, np.unique(cluster[known], return_inverse=True)[1])
    if not count or np.isnan(effect):
        return UniformTest(float("nan"), float("nan"), float("nan"))
    expected = count / bins
    seen = np.bincount(place, minlength=bins)
    statistic = float(((seen - expected) ** 2).sum() / expected / effect)
    return UniformTest(statistic, float(chi2.sf(statistic, bins - 1)), effect)


def _design_effect(place: NDArray[np.int64], bins: int, member: NDArray[np.int64]) -> float:
    """Mean over bins of the variance of a share, clusters over independent figures."""
    clusters = int(member.max()) + 1
    if clusters < 2:
        return float("nan")
    table = np.bincount(member * bins + place, minlength=clusters * bins).reshape(clusters, bins)
    share = table.sum(axis=0) / table.sum()
    away = table - table.sum(axis=1, keepdims=True) * share
    spread = (away**2).sum(axis=0) * clusters / (clusters - 1)
    # Under the null every share is 1 / bins: an empty bin then has a variance too.
    alone = table.sum() * (1 - 1 / bins) / bins
    return max(1.0, float((spread / alone).mean()))


def inflation_for_coverage(
    centre: Array, lower: Array, upper: Array, outcome: Array, level: float
) -> float:
    """Find the factor on half-widths around the centre that restores coverage.

    The smallest ``k >= 1`` for which the intervals ``centre - k (centre - lower)`` to
    ``centre + k (upper - centre)`` hold a share of at least ``level`` of the outcomes: a quantile
    of the miss relative to the half-width on its side.

    Parameters
    ----------
    centre, lower, upper, outcome : ndarray
    level : float

    Returns
    -------
    float
        Infinite when too many intervals without width miss; NaN when nothing is known.

    Examples
    --------
    >>> miss = np.array([0.5, -1.0, 2.0, -3.0])
    >>> inflation_for_coverage(np.zeros(4), -np.ones(4), np.ones(4), miss, 0.75)
    2.0
    """
    away = outcome - centre
    width = np.where(away >= 0, upper - centre, centre - lower)
    known = ~np.isnan(away + width)
    miss, half = np.abs(away[known]), width[known]
    if not miss.size:
        return float("nan")
    needed = np.where(miss > 0, np.inf, 0.0)
    ratio = np.where(half > 0, miss / np.where(half > 0, half, 1.0), needed)
    return max(1.0, float(np.quantile(ratio, level, method="inverted_cdf")))

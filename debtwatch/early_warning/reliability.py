"""Whether probabilities mean what they say: intercept, slope, bins, parts of the Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from debtwatch.early_warning.sample import Array

#: Probabilities are kept this far from 0 and 1 before a logarithm is taken.
CLIP = 1e-6
BINS = 10
_STEPS = 60
_FLAT = 1e-10


@dataclass(frozen=True)
class Bin:
    """One bin of a reliability diagram: mean probability, share of events, rows."""

    mean_p: float
    mean_y: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """How probabilities stand to outcomes.

    Attributes
    ----------
    intercept, intercept_se : float
        a of ``logit P(y = 1) = a + logit p`` and its standard error by cluster; above 0 where risk
        was said too low. NaN with one class only.
    slope, slope_se, slope_intercept : float
        b and a of ``logit P(y = 1) = a + b logit p``; b below 1 where probabilities are too
        extreme. NaN where the data do not fix it: one class, one probability, perfect separation.
    bins : tuple of Bin
        Ten of about as many rows, equal probabilities never parted.
    reliability, resolution, uncertainty, within_bins : float
        Parts of the Brier score, ``reliability - resolution + uncertainty + within_bins``.
    """

    intercept: float
    intercept_se: float
    slope: float
    slope_se: float
    slope_intercept: float
    bins: tuple[Bin, ...]
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


def log_odds(p: Array) -> Array:
    """Log-odds of probabilities kept within 1e-6 of 0 and 1.

    Examples
    --------
    >>> log_odds(np.array([0.5, 0.0])).round(4)
    array([  0.    , -13.8155])
    """
    return np.asarray(logit(np.clip(p, CLIP, 1 - CLIP)))


def calibration_intercept(
    p: Array, y: Array, cluster: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """Fit a of ``logit P(y = 1) = a + logit p`` by maximum likelihood.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
    cluster : ndarray of int, optional
        The standard error is then the larger of the usual one and that which lets rows of a
        cluster move together (sandwich, with the factor ``G / (G - 1)`` for G clusters).

    Returns
    -------
    tuple of float
        a and its standard error, NaN with one class only.

    Examples
    --------
    >>> a, se = calibration_intercept(np.full(4, 0.5), np.array([1.0, 0.0, 0.0, 0.0]))
    >>> round(a, 6), round(se, 6)
    (-1.098612, 1.154701)
    """
    found = _fit(np.ones((len(y), 1)), y, log_odds(p), cluster)
    return (float("nan"), float("nan")) if found is None else (float(found[0][0]), found[1][0])


def calibrate(p: Array, y: Array, cluster: NDArray[np.int64] | None = None) -> Calibration:
    """Measure the calibration of probabilities.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
        Probabilities; 1 or 0.
    cluster : ndarray of int, optional
        Cluster of each row, for the standard errors.

    Returns
    -------
    Calibration

    Notes
    -----
    Murphy (1973): with n_k rows of mean probability p_k and event share y_k in bin k,
    ``reliability = sum n_k (p_k - y_k)^2 / n``, ``resolution = sum n_k (y_k - y)^2 / n``,
    ``uncertainty = y (1 - y)``. The rest is what differs within bins (Stephenson, Coelho and
    Jolliffe 2008).

    Examples
    --------
    >>> one = calibrate(np.array([0.2, 0.2, 0.8, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    >>> round(one.reliability, 6), one.resolution, one.uncertainty, one.bins[1].rows
    (0.04, 0.25, 0.25, 2)
    """
    nan = float("nan")
    level, level_se = calibration_intercept(p, y, cluster)
    score = log_odds(p)
    both = None
    if np.ptp(score) > _FLAT if len(score) else False:
        both = _fit(np.column_stack([np.ones(len(y)), score]), y, np.zeros(len(y)), cluster)
    bins = reliability_bins(p, y)
    shares = np.array([[b.mean_p, b.mean_y, b.rows] for b in bins]).reshape(-1, 3)
    weight = shares[:, 2] / max(len(y), 1)
    base = float(y.mean()) if len(y) else nan
    reliability = float((weight * (shares[:, 0] - shares[:, 1]) ** 2).sum())
    resolution = float((weight * (shares[:, 1] - base) ** 2).sum())
    uncertainty = base * (1 - base)
    mean_score = float(((p - y) ** 2).mean()) if len(y) else nan
    return Calibration(
        intercept=level,
        intercept_se=level_se,
        slope=nan if both is None else float(both[0][1]),
        slope_se=nan if both is None else both[1][1],
        slope_intercept=nan if both is None else float(both[0][0]),
        bins=bins,
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within_bins=mean_score - (reliability - resolution + uncertainty),
    )


def reliability_bins(p: Array, y: Array, count: int = BINS) -> tuple[Bin, ...]:
    """Cut rows into bins of about as many, from the lowest probability.

    Rows of one probability stay together: the cut then does not hang on the order of rows. Fewer
    bins come out where many probabilities are equal.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
    count : int

    Returns
    -------
    tuple of Bin

    Examples
    --------
    >>> reliability_bins(np.array([0.1, 0.1, 0.3]), np.array([0.0, 1.0, 1.0]), count=2)
    (Bin(mean_p=0.1, mean_y=0.5, rows=2), Bin(mean_p=0.3, mean_y=1.0, rows=1))
    """
    if not len(p):
        return ()
    _, member, rows = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(rows) - rows / 2
    place = np.minimum((middle * count / len(p)).astype(np.int64), count - 1)[member]
    used, place = np.unique(place, return_inverse=True)
    size = np.bincount(place)
    mean_p, mean_y = (np.bincount(place, weights=part) / size for part in (p, y))
    return tuple(Bin(float(mean_p[k]), float(mean_y[k]), int(size[k])) for k in range(len(used)))


def _fit(
    design: Array, y: Array, offset: Array, cluster: NDArray[np.int64] | None
) -> tuple[Array, list[float]] | None:
    """Logistic regression with an offset by Newton steps; None where there is no finite answer."""
    if not len(y) or y.min() == y.max():
        return None
    beta = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        p = expit(offset + design @ beta)
        information = (design * (p * (1 - p))[:, None]).T @ design
        if np.linalg.cond(information) > 1 / np.finfo(float).eps:
            return None
        step = np.linalg.solve(information, design.T @ (y - p))
        # A step is cut: far from the answer the curvature is close to none.
        beta = beta + step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-10 * max(1.0, float(np.abs(beta).max())):
            return beta, _errors(design, y, expit(offset + design @ beta), cluster)
    return None


def _errors(design: Array, y: Array, p: Array, cluster: NDArray[np.int64] | None) -> list[float]:
    """Give standard errors, the larger of the usual ones and those by cluster."""
    inverse = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    variance = np.diag(inverse)
    labels = np.empty(0) if cluster is None else np.unique(cluster)
    if cluster is not None and len(labels) > 1:
        member = np.searchsorted(labels, cluster)
        pull = design * (y - p)[:, None]
        sums = np.column_stack([np.bincount(member, weights=part) for part in pull.T])
        meat = sums.T @ sums * len(labels) / (len(labels) - 1)
        variance = np.maximum(variance, np.diag(inverse @ meat @ inverse))
    return [float(each) for each in np.sqrt(variance)]

"""How well probabilities put events first: AUC and average precision, for many weightings at once.

Rows are sorted once; each weighting then costs one running sum. Equal probabilities form one step,
as in :func:`sklearn.metrics.roc_auc_score` and :func:`sklearn.metrics.average_precision_score`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debtwatch.early_warning.intervals import ClusterDraws
from debtwatch.early_warning.sample import Array

#: Weights held at one time: more would only fall out of the processor's cache.
_BLOCK = 400_000


def ranking(p: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Compute AUC and average precision (PR-AUC) under each of several weightings.

    AUC is the share of pairs of an event and a non-event in which the event has the higher
    probability, ties counting half; average precision is ``sum_k (R_k - R_(k-1)) P_k`` over the
    distinct probabilities from the highest, with recall R and precision P.

    Parameters
    ----------
    p : ndarray, shape (rows,)
        Probabilities, or any score that rises with risk.
    y : ndarray, shape (rows,)
        1 or 0.
    weights : ndarray, shape (weightings, rows), optional
        All 1 by default.

    Returns
    -------
    tuple of ndarray, each of shape (weightings,)
        AUC, NaN without an event or without a non-event; average precision, NaN without an event.

    Examples
    --------
    >>> auc, pr_auc = ranking(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1.0, 1.0, 0.0, 0.0]))
    >>> float(auc[0]), float(pr_auc[0].round(6))
    (0.875, 0.833333)
    """
    weighted = np.ones((1, len(y))) if weights is None else weights
    order, ends = _steps(p)
    parts = [_of_sorted(y[order], row[:, order], ends) for row in _blocks(weighted, len(y))]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))  # type: ignore[return-value]


def drawn_ranking(p: Array, y: Array, draws: ClusterDraws) -> tuple[Array, Array]:
    """Compute AUC and average precision in each draw of clusters.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
    draws : ClusterDraws

    Returns
    -------
    tuple of ndarray, each of shape (draws,)
        As of :func:`ranking`, with the times a cluster was drawn as weights.

    Examples
    --------
    >>> both = ClusterDraws(np.array([0, 0, 1, 1]), np.array([[1.0, 1.0], [2.0, 0.0]]))
    >>> drawn_ranking(np.array([0.9, 0.5, 0.6, 0.1]), np.array([1.0, 0.0, 0.0, 1.0]), both)[0]
    array([0.5, 1. ])
    """
    order, ends = _steps(p)
    member = draws.member[order]
    parts = [_of_sorted(y[order], times[:, member], ends) for times in _blocks(draws.times, len(y))]
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))  # type: ignore[return-value]


def _steps(p: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows from the highest probability, and the last place of each distinct one."""
    order = np.argsort(-p, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(p[order])), len(p) - 1)
    return order, ends


def _blocks(weights: Array, rows: int) -> list[Array]:
    size = max(1, _BLOCK // max(rows, 1))
    return [weights[i : i + size] for i in range(0, len(weights), size)]


def _of_sorted(y: Array, weights: Array, ends: NDArray[np.intp]) -> tuple[Array, Array]:
    """AUC and average precision from sorted outcomes and their weights."""
    hits = np.cumsum(weights * y, axis=1)[:, ends]
    listed = np.cumsum(weights, axis=1)[:, ends]
    events, rows = hits[:, -1], listed[:, -1]
    gained = np.diff(hits, axis=1, prepend=0.0)
    false = listed - hits
    alarms = np.diff(false, axis=1, prepend=0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (alarms * (hits - gained / 2)).sum(axis=1) / (events * (rows - events))
        precision = np.where(listed > 0, hits / listed, 0.0)
        pr_auc = (gained * precision).sum(axis=1) / events
    return auc, pr_auc

"""How a model does in parts of the test rows: provinces, sizes, dependence on land."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.ranking import ranking
from debtwatch.early_warning.reliability import calibration_intercept
from debtwatch.early_warning.sample import Array, Words

LEAST_EVENTS = 20
OTHER = "other"


@dataclass(frozen=True)
class SubgroupScore:
    """How a model did in one part of the test rows.

    Attributes
    ----------
    by, label : str
        What parts the rows, and this part; ``other`` pools parts with too few events.
    pooled : int
        Parts pooled in ``other``; 0 for the rest.
    rows, events : int
    base_rate, mean_p : float
    auc, pr_auc : float
        NaN with fewer than the least number of events, or of non-events.
    brier : float
    intercept : float
        a of ``logit P(y = 1) = a + logit p``; NaN where AUC is.
    """

    by: str
    label: str
    pooled: int
    rows: int
    events: int
    base_rate: float
    mean_p: float
    auc: float
    pr_auc: float
    brier: float
    intercept: float


def quartile_labels(values: Array, period: NDArray[np.int64]) -> Words:
    """Name the quartile of each row among the rows of its origin.

    Parameters
    ----------
    values : ndarray, shape (rows,)
        NaN where missing.
    period : ndarray of int, shape (rows,)

    Returns
    -------
    ndarray of str
        ``"1"`` (lowest) to ``"4"``, or ``""`` where missing; equal figures share a quartile.

    Examples
    --------
    >>> quartile_labels(np.array([5.0, 1.0, 3.0, 9.0, np.nan]), np.zeros(5, dtype=int)).tolist()
    ['3', '1', '2', '4', '']
    """
    place = pd.Series(values).groupby(period).rank(pct=True).to_numpy()
    labels = np.full(len(values), "", dtype=object)
    known = ~np.isnan(place)
    labels[known] = np.ceil(place[known] * 4 - 1e-9).astype(int).astype(str)
    return labels


def subgroups(
    p: Array, y: Array, *, labels: Mapping[str, Words], least_events: int = LEAST_EVENTS
) -> tuple[SubgroupScore, ...]:
    """Judge a model in each part of the test rows.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
    labels : mapping of str to ndarray of str, each of shape (rows,)
        What parts the rows, such as the province, and the part of each row.
    least_events : int
        Parts with fewer events are pooled as ``other``.

    Returns
    -------
    tuple of SubgroupScore
        Parts by name, ``other`` last; every row stands in one part of each partition.

    Examples
    --------
    >>> y = np.array([1.0, 0.0, 1.0, 0.0])
    >>> parts = subgroups(y, y, labels={"province": np.array(["A", "A", "B", "C"], object)},
    ...     least_events=1)
    >>> [(s.label, s.pooled, s.rows, s.events, s.auc) for s in parts]
    [('A', 0, 2, 1, 1.0), ('B', 0, 1, 1, nan), ('other', 1, 1, 0, nan)]
    """
    found = []
    for by, label in labels.items():
        texts = np.array(["" if pd.isna(one) else str(one) for one in label], dtype=object)
        names, member = np.unique(texts.astype(str), return_inverse=True)
        enough = np.bincount(member, weights=y, minlength=len(names)) >= least_events
        for k in np.flatnonzero(enough):
            rows = member == k
            found.append(_part(by, str(names[k]), p[rows], y[rows], least=least_events))
        if not enough.all():
            rows = ~enough[member]
            pooled = int((~enough).sum())
            found.append(_part(by, OTHER, p[rows], y[rows], pooled=pooled, least=least_events))
    return tuple(found)


def _part(by: str, label: str, p: Array, y: Array, *, pooled: int = 0, least: int) -> SubgroupScore:
    nan, events = float("nan"), int(y.sum())
    enough = min(events, len(y) - events) >= max(least, 1)
    (auc,), (pr_auc,) = ranking(p, y)
    return SubgroupScore(
        by=by,
        label=label,
        pooled=pooled,
        rows=len(y),
        events=events,
        base_rate=float(y.mean()),
        mean_p=float(p.mean()),
        auc=float(auc) if enough else nan,
        pr_auc=float(pr_auc) if enough else nan,
        brier=float(((p - y) ** 2).mean()),
        intercept=calibration_intercept(p, y)[0] if enough else nan,
    )

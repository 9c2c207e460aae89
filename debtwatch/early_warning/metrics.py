"""Every figure by which models are compared, with intervals from whole provinces drawn anew.

Rows of a test are pooled over its origins; NaN outcomes are not allowed here: pass rows at risk
with a known outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning import spec
from debtwatch.early_warning.intervals import ClusterDraws, cluster_labels, draw_clusters
from debtwatch.early_warning.ranking import drawn_ranking, ranking
from debtwatch.early_warning.reliability import (
    CLIP,
    Bin,
    Calibration,
    calibrate,
)
from debtwatch.early_warning.sample import Array, Frequency, Words
from debtwatch.early_warning.signals import (
    LeadTimes,
    Signal,
    lead_times,
    signal_at,
    signal_from_counts,
    signalled,
    watch_threshold,
)
from debtwatch.early_warning.subgroups import SubgroupScore, quartile_labels, subgroups
from debtwatch.sustainability.scores import MeanInterval

__all__ = [
    "Bin",
    "Calibration",
    "Difference",
    "LeadTimes",
    "MeanInterval",
    "ModelScore",
    "Signal",
    "SubgroupScore",
    "calibrate",
    "differences",
    "lead_times",
    "quartile_labels",
    "score_models",
    "signal_at",
    "signal_from_counts",
    "signalled",
    "subgroups",
    "top_places",
    "watch_threshold",
]

DRAWS = 300
Metric = Literal["auc", "pr_auc", "brier"]


@dataclass(frozen=True)
class ModelScore:
    """How one model did on the test rows; intervals hold 90 %.

    Attributes
    ----------
    model : str
    rows, events : int
    base_rate : float
        Share of events in the test; beside it every PR-AUC and precision is to be read.
    auc : MeanInterval
        Over all test rows.
    auc_by_origin : float
        Mean over the origins that hold both classes.
    pr_auc, brier : MeanInterval
    skill_train : MeanInterval
        ``1 - Brier / Brier of the training event rate``, the rate known at each origin.
    skill_test : float
        ``1 - Brier / (r (1 - r))``, r the base rate of the test, which nobody knew beforehand.
    log_loss : float
        With probabilities kept within 1e-6 of 0 and 1.
    precision_k : MeanInterval
        Share of events among the governments on the list of each origin.
    recall_k : float
        Share of events that were on the list.
    lift_k : float
        ``precision_k`` over the base rate.
    watch, alert : Signal
        At the two thresholds.
    calibration : Calibration
    """

    model: str
    rows: int
    events: int
    base_rate: float
    auc: MeanInterval
    auc_by_origin: float
    pr_auc: MeanInterval
    brier: MeanInterval
    skill_train: MeanInterval
    skill_test: float
    log_loss: float
    precision_k: MeanInterval
    recall_k: float
    lift_k: float
    watch: Signal
    alert: Signal
    calibration: Calibration


@dataclass(frozen=True)
class Difference:
    """A figure of one model less that of another, on the same rows and the same draws.

    Attributes
    ----------
    model, against : str
    metric : {"auc", "pr_auc", "brier"}
    value, lower, upper : float
        Figure of ``model`` less that of ``against``; a Brier score is better when it is lower.
    share_better : float
        Share of draws in which ``model`` is strictly better; NaN with fewer than two clusters.
    """

    model: str
    against: str
    metric: Metric
    value: float
    lower: float
    upper: float
    share_better: float


def score_models(
    p: Mapping[str, Array],
    y: Array,
    *,
    climatology: Array,
    group: Words,
    period: NDArray[np.int64],
    signals: spec.Signals,
    draws: int = DRAWS,
    seed: int,
    frequency: Frequency = "year",
) -> tuple[ModelScore, ...]:
    """Judge models on the same test rows.

    Clusters are provinces, or provinces in one year where there are fewer than 15
    (:func:`debtwatch.early_warning.intervals.cluster_labels`). The lists of governments stand as
    they were drawn up; only their outcomes are drawn anew.

    Parameters
    ----------
    p : mapping of str to ndarray, each of shape (rows,)
        Probabilities by model, none missing.
    y : ndarray, shape (rows,)
        1 or 0.
    climatology : ndarray, shape (rows,)
        Event rate of the rows that the models of this origin learned from.
    group : ndarray of str, shape (rows,)
    period : ndarray of int, shape (rows,)
        Origin of each row, as an ordinal.
    signals : Signals
        Thresholds and the share of governments on a list.
    draws, seed : int
    frequency : {"year", "quarter"}

    Returns
    -------
    tuple of ModelScore
        In the order of ``p``.

    Raises
    ------
    ValueError
        When shapes differ, an outcome is not 0 or 1, or a probability is missing or outside 0 to 1.

    Examples
    --------
    >>> one = score_models({"m": np.array([0.9, 0.2, 0.6, 0.1])}, np.array([1.0, 0.0, 0.0, 1.0]),
    ...     climatology=np.full(4, 0.5), group=np.array(["A", "A", "B", "B"], object),
    ...     period=np.array([1, 1, 1, 1]), signals=spec.Signals(), draws=50, seed=0)[0]
    >>> one.auc.mean, round(one.brier.mean, 3), round(one.skill_train.mean, 3), one.precision_k.mean
    (0.5, 0.305, -0.22, 1.0)
    """
    _check(p, y, climatology, group, period)
    clusters = draw_clusters(cluster_labels(group, period, frequency), draws=draws, seed=seed)
    province = pd.factorize(np.asarray(group).astype(str))[0]
    return tuple(
        _score(
            model, values, y,
            climatology=climatology, province=province, period=period,
            signals=signals, draws=clusters,
        )
        for model, values in p.items()
    )  # fmt: skip


def _score(
    model: str,
    p: Array,
    y: Array,
    *,
    climatology: Array,
    province: NDArray[np.intp],
    period: NDArray[np.int64],
    signals: spec.Signals,
    draws: ClusterDraws,
) -> ModelScore:
    rows, events = len(y), int(y.sum())
    base = _ratio(events, rows)
    (auc,), (pr_auc,) = ranking(p, y)
    drawn_auc, drawn_pr = drawn_ranking(p, y, draws)
    error, reference = (p - y) ** 2, (climatology - y) ** 2
    listed = top_places(p, period, signals.capacity)
    precision = _ratio((listed * y).sum(), listed.sum())
    drawn_error = draws.sums(error)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn_brier = drawn_error / draws.sums(np.ones(rows))
        drawn_skill = 1 - drawn_error / draws.sums(reference)
        drawn_precision = draws.sums(listed * y) / draws.sums(listed)
    drawn_skill[~np.isfinite(drawn_skill)] = np.nan
    brier = _ratio(error.sum(), rows)
    inside = np.clip(p, CLIP, 1 - CLIP)
    watch = watch_threshold(signals)
    return ModelScore(
        model=model,
        rows=rows,
        events=events,
        base_rate=base,
        auc=draws.interval(float(auc), drawn_auc),
        auc_by_origin=_auc_by_origin(p, y, period),
        pr_auc=draws.interval(float(pr_auc), drawn_pr),
        brier=draws.interval(brier, drawn_brier),
        skill_train=draws.interval(1 - _ratio(error.sum(), reference.sum()), drawn_skill),
        skill_test=1 - _ratio(brier, base * (1 - base)),
        log_loss=float(-np.mean(y * np.log(inside) + (1 - y) * np.log1p(-inside))),
        precision_k=draws.interval(precision, drawn_precision),
        recall_k=_ratio((listed * y).sum(), events),
        lift_k=_ratio(precision, base),
        watch=signal_at(p, y, watch, miss_weight=signals.miss_weight),
        alert=signal_at(p, y, signals.alert, miss_weight=signals.miss_weight),
        calibration=calibrate(p, y, province),
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _check(p: Mapping[str, Array], y: Array, *others: NDArray[np.generic] | Words) -> None:
    """Refuse what would give a silent NaN."""
    if not len(y) or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("outcomes must be 0 or 1, and at least one")
    if any(len(other) != len(y) for other in (*p.values(), *others)):
        raise ValueError("every array needs one entry for each outcome")
    for model, values in p.items():
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{model}: a probability is missing or outside 0 to 1")


def _auc_by_origin(p: Array, y: Array, period: NDArray[np.int64]) -> float:
    found = [ranking(p[period == t], y[period == t])[0][0] for t in np.unique(period)]
    known = [float(auc) for auc in found if not np.isnan(auc)]
    return float(np.mean(known)) if known else float("nan")


def top_places(p: Array, period: NDArray[np.int64], share: float) -> Array:
    """Draw up the list of each origin: the rows of highest probability.

    Parameters
    ----------
    p : ndarray, shape (rows,)
    period : ndarray of int, shape (rows,)
    share : float
        Of the rows of an origin; rounded up to whole rows.

    Returns
    -------
    ndarray, shape (rows,)
        1 on the list, 0 not; rows of one probability that meet the end of the list share the
        places left, so that no order of rows matters.

    Examples
    --------
    >>> top_places(np.array([0.9, 0.5, 0.5, 0.1]), np.zeros(4, dtype=int), 0.5)
    array([1. , 0.5, 0.5, 0. ])
    """
    listed = np.zeros(len(p))
    for t in np.unique(period):
        rows = np.flatnonzero(period == t)
        values = p[rows]
        places = int(np.ceil(share * len(rows) - 1e-9))
        last = np.sort(values)[::-1][places - 1]
        above, tied = values > last, values == last
        listed[rows[above]] = 1.0
        listed[rows[tied]] = (places - above.sum()) / tied.sum()
    return listed


def differences(
    p: Mapping[str, Array],
    y: Array,
    *,
    best: str,
    against: Sequence[str],
    group: Words,
    period: NDArray[np.int64],
    draws: int = DRAWS,
    seed: int,
    frequency: Frequency = "year",
) -> tuple[Difference, ...]:
    """Compare one model with others, each time on the same draws of clusters.

    Parameters
    ----------
    p, y, group, period, draws, seed, frequency
        As for :func:`score_models`.
    best : str
        Model that is compared.
    against : sequence of str
        Models it is compared with.

    Returns
    -------
    tuple of Difference
        For each of ``against``: AUC, PR-AUC and Brier score.

    Examples
    --------
    >>> y = np.array([1.0, 0.0, 0.0, 1.0])
    >>> one = differences({"a": y, "b": 1 - y}, y, best="a", against=["b"],
    ...     group=np.array(["A", "A", "B", "B"], object), period=np.zeros(4, dtype=int), seed=0)
    >>> [(d.metric, d.value, d.share_better) for d in one]
    [('auc', 1.0, 1.0), ('pr_auc', 0.5, 1.0), ('brier', -1.0, 1.0)]
    """
    _check(p, y, group, period)
    clusters = draw_clusters(cluster_labels(group, period, frequency), draws=draws, seed=seed)
    own = _figures(p[best], y, clusters)
    found = []
    for other in against:
        their = _figures(p[other], y, clusters)
        for metric, (value, drawn) in own.items():
            gap = drawn - their[metric][1]
            gap = gap[~np.isnan(gap)]
            interval = clusters.interval(value - their[metric][0], gap)
            better = gap < 0 if metric == "brier" else gap > 0
            sure = clusters.clusters > 1 and gap.size > 0
            found.append(
                Difference(
                    model=best, against=other, metric=metric, value=interval.mean,
                    lower=interval.lower, upper=interval.upper,
                    share_better=float(better.mean()) if sure else float("nan"),
                )
            )  # fmt: skip
    return tuple(found)


def _figures(p: Array, y: Array, draws: ClusterDraws) -> dict[Metric, tuple[float, Array]]:
    """Each figure, on the rows as they are and in each draw."""
    (auc,), (pr_auc,) = ranking(p, y)
    drawn_auc, drawn_pr = drawn_ranking(p, y, draws)
    error = (p - y) ** 2
    brier = draws.sums(error) / draws.sums(np.ones(len(y)))
    return {
        "auc": (float(auc), drawn_auc),
        "pr_auc": (float(pr_auc), drawn_pr),
        "brier": (float(error.mean()), brier),
    }

"""Score governments with a trained classifier: probability, range, signal, or why it is silent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from debtwatch.early_warning.abstention import abstentions
from debtwatch.early_warning.explain import Reason, reasons
from debtwatch.early_warning.sample import Array, Mask, Sample, Words
from debtwatch.early_warning.trained import Trained
from debtwatch.language import N_
from debtwatch.rules.expression import at_least

SignalName = Literal["alert", "watch", "none", "abstained"]
#: Words of each reason for silence.
SILENCE: Final = {
    "not at risk": N_("already in the class, or its present state is not known"),
    "missing": N_("too many of the figures that the model needs are missing"),
    "stale": N_("the latest figures are too old"),
    "outside": N_("a figure lies far outside what the model has seen"),
}
SIGNALS: Final = {
    "alert": N_("alert"),
    "watch": N_("watch"),
    "none": N_("no signal"),
    "abstained": N_("no statement"),
}


@dataclass(frozen=True)
class Scores:
    """Scores of some governments at their origins, row by row.

    Attributes
    ----------
    unit, group : ndarray of str, shape (rows,)
    period : ndarray of int, shape (rows,)
    probability : ndarray, shape (rows,)
        Calibrated, of the model in production; never NaN. That of a row with a reason for silence
        is for checking only: it must not be shown as a statement.
    lower, upper : ndarray, shape (rows,)
        Smallest and largest probability among the logit, the trees and the production model.
    logit, trees : ndarray, shape (rows,)
        Calibrated probability of each; ``trees`` equals ``logit`` where there are none.
    signal : ndarray of str
        ``alert``, ``watch``, ``none``, or ``abstained``: silence is never the absence of a signal.
    abstained : ndarray of str
        Reason for silence, a key of :data:`SILENCE`; ``""`` where the model speaks.
    verdict : ndarray of str
        Of the conformal set: ``alert``, ``clear``, ``uncertain``, ``out of range``; ``""`` without
        one. Indicative: its coverage holds only while the times do not change.
    rank : ndarray of int
        1 for the highest probability of its period; 0 for a row with a reason for silence. Equal
        probabilities have the same rank.
    listed : ndarray of bool
        On the list of those to look at first: the ``capacity`` share of the rows the model speaks
        of, by period.
    reasons : tuple of tuple of Reason
        Empty for a row with a reason for silence.
    """

    unit: Words
    group: Words
    period: NDArray[np.int64]
    probability: Array
    lower: Array
    upper: Array
    logit: Array
    trees: Array
    signal: Words
    abstained: Words
    verdict: Words
    rank: NDArray[np.int64]
    listed: Mask
    reasons: tuple[tuple[Reason, ...], ...]

    def __len__(self) -> int:
        return len(self.unit)


def score(trained: Trained, sample: Sample, *, stale: Mask | None = None, top: int = 3) -> Scores:
    """Score governments.

    Parameters
    ----------
    trained : Trained
    sample : Sample
        Rows at one origin or at several; outcomes are not looked at.
    stale : ndarray of bool, optional
        Rows whose latest figures are older than three quarters. None when no row is.
    top : int
        Reasons for each row.

    Returns
    -------
    Scores
        In order of the rows.

    Raises
    ------
    ModelProblem
        When the sample does not give what the model needs.
    """
    x = trained.features(sample)
    odds = trained.log_odds(sample)
    silent = abstentions(x, trained.envelope, stale=_mask(stale, len(sample))).astype(object)
    silent[~sample.at_risk] = "not at risk"
    speaks = silent == ""
    p, logit = expit(odds[trained.production]), expit(odds["logit"])
    trees = expit(odds.get("trees", odds["logit"]))
    every = np.vstack([p, logit, trees])
    return Scores(
        unit=sample.unit, group=sample.group, period=sample.period,
        probability=p, lower=every.min(axis=0), upper=every.max(axis=0), logit=logit, trees=trees,
        signal=signals(trained, p, speaks), abstained=silent, verdict=_verdicts(trained, p, speaks),
        rank=ranks(p, sample.period, speaks),
        listed=capacity_list(p, sample.period, speaks, trained.spec.signals.capacity),
        reasons=_reasons(trained, sample, speaks, top),
    )  # fmt: skip


def _mask(given: Mask | None, rows: int) -> Mask:
    return np.zeros(rows, bool) if given is None else given


def _reasons(
    trained: Trained, sample: Sample, speaks: Mask, top: int
) -> tuple[tuple[Reason, ...], ...]:
    found = reasons(trained, sample, top)
    return tuple(r if said else () for r, said in zip(found, speaks.tolist(), strict=True))


def signals(trained: Trained, p: Array, speaks: Mask) -> Words:
    """Turn probabilities into signals: alert from the alert threshold on, watch from 1 - mu on."""
    thresholds = trained.spec.signals
    names = np.full(len(p), "none", dtype=object)
    names[at_least(p, 1 - thresholds.miss_weight)] = "watch"
    names[at_least(p, thresholds.alert)] = "alert"
    names[~speaks] = "abstained"
    return names


def _verdicts(trained: Trained, p: Array, speaks: Mask) -> Words:
    if trained.conformal is None:
        return np.full(len(p), "", dtype=object)
    found = np.asarray(trained.conformal.verdict(p)).astype(object)
    found[~speaks] = ""
    return found


def ranks(p: Array, period: NDArray[np.int64], speaks: Mask) -> NDArray[np.int64]:
    """Rank rows of each period by probability, the highest first; 0 where the model is silent.

    Examples
    --------
    >>> ranks(np.array([0.1, 0.9, 0.9, 0.5]), np.zeros(4, int), np.array([1, 1, 1, 0], bool))
    array([3, 1, 1, 0])
    """
    found = np.zeros(len(p), np.int64)
    for now in np.unique(period[speaks]):
        rows = np.flatnonzero(speaks & (period == now))
        ordered = np.sort(p[rows])
        found[rows] = 1 + len(rows) - np.searchsorted(ordered, p[rows], side="right")
    return found


def capacity_list(
    p: Array, period: NDArray[np.int64], speaks: Mask, capacity: float
) -> NDArray[np.bool_]:
    """Choose the share of rows of each period with the highest probability.

    ``ceil(capacity · n)`` of the n rows the model speaks of; of equal probabilities the earlier
    row goes first, so that the list has its length.

    Examples
    --------
    >>> capacity_list(np.array([0.1, 0.9, 0.9]), np.zeros(3, int), np.ones(3, bool), 0.3)
    array([False,  True, False])
    """
    found = np.zeros(len(p), bool)
    for now in np.unique(period[speaks]):
        rows = np.flatnonzero(speaks & (period == now))
        # 0.07 · 100 is a little more than 7: up to rounding.
        length = math.ceil(capacity * len(rows) - 1e-9)
        found[rows[np.argsort(-p[rows], kind="stable")[:length]]] = True
    return found

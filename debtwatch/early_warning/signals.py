"""Signals at a threshold, their costs, and how long before an event they began.

Of the rows, A are hits, B false alarms, C misses and D correctly quiet; a signal is given from the
threshold on, threshold included.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.early_warning import spec
from debtwatch.early_warning.sample import Array, Mask, Words
from debtwatch.rules.expression import at_least


@dataclass(frozen=True)
class Signal:
    """What signals from a threshold on would have been worth; NaN where a share has no base.

    Attributes
    ----------
    threshold : float
    hits, false_alarms, misses, quiet : int
        A, B, C and D.
    tpr : float
        Share of events signalled, ``A / (A + C)``.
    fpr : float
        Share of the others signalled, ``B / (B + D)``.
    nts : float
        Noise to signal, ``fpr / tpr``.
    t1, t2, tme : float
        Missed share ``1 - tpr``, false alarm rate ``fpr``, and their sum.
    precision : float
        ``A / (A + B)``.
    lift : float
        Precision over the base rate.
    ua, ur : float
        Usefulness, absolute and as a share of that of perfect signals (Sarlin 2013).
    """

    threshold: float
    hits: int
    false_alarms: int
    misses: int
    quiet: int
    tpr: float
    fpr: float
    nts: float
    t1: float
    t2: float
    tme: float
    precision: float
    lift: float
    ua: float
    ur: float


@dataclass(frozen=True)
class LeadTimes:
    """How many periods before its event the unbroken run of signals began.

    Attributes
    ----------
    events : int
        Events whose last period before was judged.
    unjudged : int
        Events whose last period before was not: they are left out.
    median : float
        Periods, 0 for an event without a signal; NaN without events.
    share_two : float
        Share of events signalled two periods or more before.
    share_none : float
        Share with no signal in the period before.
    counts : tuple of (int, int)
        Lead in periods and number of events, in order.
    open : int
        Runs that reach back to the first period judged: their lead is at least what is given.
    """

    events: int
    unjudged: int
    median: float
    share_two: float
    share_none: float
    counts: tuple[tuple[int, int], ...]
    open: int


def watch_threshold(signals: spec.Signals) -> float:
    """Probability from which a signal pays: ``1 - mu``, where misses weigh mu.

    Examples
    --------
    >>> watch_threshold(spec.Signals(miss_weight=0.8))
    0.2
    """
    return round(1 - signals.miss_weight, 12)


def signal_from_counts(
    hits: int, false_alarms: int, misses: int, quiet: int, *, threshold: float, miss_weight: float
) -> Signal:
    """Judge signals by their four counts.

    The loss is ``L = mu T1 P1 + (1 - mu) T2 P2``, P1 being the share of events among the rows and
    ``P2 = 1 - P1``; ``Ua = min(mu P1, (1 - mu) P2) - L`` compares it with never or always
    signalling, ``Ur`` is Ua over its largest value (Sarlin 2013, "On policymakers' loss functions
    and the evaluation of early warning systems", Economics Letters 119(1)).

    Parameters
    ----------
    hits, false_alarms, misses, quiet : int
    threshold : float
        Kept for the record.
    miss_weight : float
        mu, between 0 and 1.

    Returns
    -------
    Signal

    Examples
    --------
    >>> one = signal_from_counts(30, 20, 20, 130, threshold=0.2, miss_weight=0.75)
    >>> round(one.nts, 10), one.precision, round(one.tme, 10), round(one.ur, 10)
    (0.2222222222, 0.6, 0.5333333333, 0.4666666667)
    """
    rows, events = hits + false_alarms + misses + quiet, hits + misses
    tpr, fpr = _share(hits, events), _share(false_alarms, rows - events)
    precision, base = _share(hits, hits + false_alarms), _share(events, rows)
    # With one class only, one of the two errors cannot happen and the best loss is 0.
    loss = (miss_weight * misses + (1 - miss_weight) * false_alarms) / rows if rows else np.nan
    best = min(miss_weight * base, (1 - miss_weight) * (1 - base))
    return Signal(
        threshold=threshold, hits=hits, false_alarms=false_alarms, misses=misses, quiet=quiet,
        tpr=tpr, fpr=fpr, nts=_share(fpr, tpr), t1=1 - tpr, t2=fpr, tme=1 - tpr + fpr,
        precision=precision, lift=_share(precision, base),
        ua=best - loss, ur=_share(best - loss, best),
    )  # fmt: skip


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def signalled(p: Array, threshold: float) -> Mask:
    """Find the rows with a signal: ``p >= threshold``, up to rounding."""
    return at_least(p, threshold)


def signal_at(p: Array, y: Array, threshold: float, *, miss_weight: float) -> Signal:
    """Judge the signals that probabilities give at a threshold.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
        Probabilities; 1 or 0.
    threshold, miss_weight : float

    Returns
    -------
    Signal

    Examples
    --------
    >>> one = signal_at(np.array([0.2, 0.1]), np.array([1.0, 0.0]), 0.2, miss_weight=0.8)
    >>> one.hits, one.quiet, one.ur
    (1, 1, 1.0)
    """
    given, event = signalled(p, threshold), y == 1
    return signal_from_counts(
        int((given & event).sum()),
        int((given & ~event).sum()),
        int((~given & event).sum()),
        int((~given & ~event).sum()),
        threshold=threshold,
        miss_weight=miss_weight,
    )


def lead_times(
    unit: Words,
    period: NDArray[np.int64],
    p: Array,
    *,
    y: Array,
    event_period: Array,
    threshold: float,
) -> LeadTimes:
    """Measure how long before each event an unbroken run of signals began.

    For an event in period ``t*`` the run ends in ``t* - 1``; its lead is ``t*`` less the period in
    which it began, 0 where ``t* - 1`` had no signal. A period that was not judged ends the run.

    Parameters
    ----------
    unit : ndarray of str, shape (rows,)
    period : ndarray of int, shape (rows,)
        Origin of each row.
    p, y : ndarray, shape (rows,)
    event_period : ndarray, shape (rows,)
        Period of the first event of the row's window, NaN without one.
    threshold : float

    Returns
    -------
    LeadTimes

    Examples
    --------
    >>> times = lead_times(np.array(["a"] * 3, object), np.array([1, 2, 3]),
    ...     np.array([0.1, 0.4, 0.5]), y=np.array([0.0, 1.0, 1.0]),
    ...     event_period=np.array([np.nan, 4.0, 4.0]), threshold=0.2)
    >>> times.median, times.counts, times.open
    (2.0, ((2, 1),), 0)
    """
    given = signalled(p, threshold)
    signal = dict(zip(zip(unit, period.tolist(), strict=True), given.tolist(), strict=True))
    happened = (y == 1) & ~np.isnan(event_period)
    events = sorted(set(zip(unit[happened], event_period[happened].astype(int), strict=True)))
    judged = [(who, when) for who, when in events if (who, when - 1) in signal]
    leads: list[int] = []
    reach_back = 0
    for who, when in judged:
        lead = 0
        while signal.get((who, when - lead - 1), False):
            lead += 1
        leads.append(lead)
        reach_back += (who, when - lead - 1) not in signal
    count = len(leads)
    return LeadTimes(
        events=count,
        unjudged=len(events) - count,
        median=float(np.median(leads)) if count else float("nan"),
        share_two=_share(sum(lead >= 2 for lead in leads), count),
        share_none=_share(leads.count(0), count),
        counts=tuple(sorted(Counter(leads).items())),
        open=int(reach_back),
    )

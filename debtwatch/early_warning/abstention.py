"""When the classifier should not speak: too little is known, too old, or far from what it learned.

Conformal sets are offered too. Their coverage holds only while the times do not change, so they
are indicative, and their realised coverage is watched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from debtwatch.early_warning.plain_values import from_plain, to_plain
from debtwatch.early_warning.sample import Array, Mask, Words

ALPHA = 0.10
#: Above this share of features missing nothing is said.
MOST_MISSING = 0.3
#: So far beyond the range of training, as a share of the range, a figure counts as outside.
BEYOND = 0.5
QUANTILES = (0.001, 0.999)
REASONS = ("missing", "stale", "outside")
VERDICTS = ("alert", "clear", "uncertain", "out of range")


@dataclass(frozen=True)
class Conformal:
    """Class-conditional conformal sets of probabilities.

    Attributes
    ----------
    alpha : float
        Share of each class that may be left out.
    q0, q1 : float
        Largest score of a row of class 0 (its p) and of class 1 (its ``1 - p``) that is kept.
    rows0, rows1 : int
        Rows of each class they were fixed on.
    """

    alpha: float
    q0: float
    q1: float
    rows0: int
    rows1: int

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError("alpha must lie between 0 and 1")
        if not (0 <= self.q0 <= 1 and 0 <= self.q1 <= 1):
            raise ValueError("q0 and q1 must lie from 0 to 1")

    def verdict(self, p: Array) -> Words:
        """Say which classes cannot be left out.

        ``alert`` (only the event), ``clear`` (only none), ``uncertain`` (both) or ``out of range``
        (neither; the row is unlike either class).
        """
        event, none = 1 - p <= self.q1, p <= self.q0
        chosen = np.select([event & ~none, none & ~event, event & none], [0, 1, 2], default=3)
        return np.asarray(np.array(VERDICTS, dtype=object)[chosen])

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Conformal:
        """Build from plain values; ModelProblem when they are not valid."""
        return from_plain(cls, table)


@dataclass(frozen=True)
class Coverage:
    """What conformal sets did on rows with known outcomes; NaN for a class without rows.

    Attributes
    ----------
    events, others : float
        Share of events, and of the rest, whose set held the truth; ``1 - alpha`` was meant.
    uncertain, out_of_range : float
        Share of rows with both classes, and with neither.
    """

    events: float
    others: float
    uncertain: float
    out_of_range: float


@dataclass(frozen=True)
class Envelope:
    """Range of each feature in training.

    Attributes
    ----------
    names : tuple of str
    lower, upper : tuple of float
        0.1 and 99.9 % quantiles; NaN for a feature that was not known or never varied: it is not
        looked at.
    judged : tuple of bool
        Whether figures outside the range count.
    """

    names: tuple[str, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    judged: tuple[bool, ...]

    def __post_init__(self) -> None:
        sizes = {len(self.names), len(self.lower), len(self.upper), len(self.judged)}
        if len(sizes) != 1:
            raise ValueError("names, lower, upper and judged must be of one length")
        if any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError("lower must not lie above upper")

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON; a range that is NaN becomes None."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Envelope:
        """Build from plain values; ModelProblem when they are not valid."""
        return from_plain(cls, table)


def fit_conformal(p: Array, y: Array, alpha: float = ALPHA) -> Conformal:
    """Fix class-conditional conformal sets on rows not used in fitting, the newest there are.

    For each class y the ``ceil((n_y + 1) (1 - alpha))``-th smallest of its scores, ``1 - p`` for
    events and ``p`` for the rest (Vovk 2012, "Conditional validity of inductive conformal
    predictors"); 1, which keeps the class always, when n_y is too small for that rank.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
        Probabilities; 1 or 0.
    alpha : float

    Returns
    -------
    Conformal

    Examples
    --------
    >>> p = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.9])
    >>> one = fit_conformal(p, np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0]), alpha=0.4)
    >>> one.q0, one.q1, one.verdict(np.array([0.1, 0.25, 0.95])).tolist()
    (0.2, 0.6, ['clear', 'out of range', 'alert'])
    """
    none, event = np.sort(p[y == 0]), np.sort(1 - p[y == 1])
    return Conformal(alpha, _kept(none, alpha), _kept(event, alpha), len(none), len(event))


def _kept(scores: Array, alpha: float) -> float:
    rank = int(np.ceil((len(scores) + 1) * (1 - alpha) - 1e-9))
    return float(scores[rank - 1]) if rank <= len(scores) else 1.0


def realised_coverage(conformal: Conformal, p: Array, y: Array) -> Coverage:
    """Measure what conformal sets did on later rows.

    Parameters
    ----------
    conformal : Conformal
    p, y : ndarray, shape (rows,)

    Returns
    -------
    Coverage

    Examples
    --------
    >>> sets = Conformal(0.1, q0=0.3, q1=0.6, rows0=50, rows1=50)
    >>> realised_coverage(sets, np.array([0.1, 0.35, 0.9]), np.array([1.0, 0.0, 1.0]))
    Coverage(events=0.5, others=0.0, uncertain=0.0, out_of_range=0.3333333333333333)
    """
    verdict = conformal.verdict(p)
    event_kept = np.isin(verdict, ("alert", "uncertain"))
    none_kept = np.isin(verdict, ("clear", "uncertain"))
    return Coverage(
        events=_share(event_kept[y == 1]),
        others=_share(none_kept[y == 0]),
        uncertain=_share(verdict == "uncertain"),
        out_of_range=_share(verdict == "out of range"),
    )


def _share(held: Mask) -> float:
    return float(held.mean()) if held.size else float("nan")


def fit_envelope(x: pd.DataFrame, *, common: Collection[str] = ()) -> Envelope:
    """Record the range of each feature in training: its 0.1 and 99.9 % quantiles.

    A feature that was never known, or never varied, tells the models nothing: it is not looked at.

    Parameters
    ----------
    x : DataFrame, shape (rows, features)
        Training rows, NaN where missing.
    common : collection of str
        Features that are one figure for all governments of a period, such as a national median.
        A few periods give no range, and all governments would fall silent at once: a figure
        outside is left to the check of drift.

    Returns
    -------
    Envelope

    Examples
    --------
    >>> fit_envelope(pd.DataFrame({"debt": [0.0, 1000.0], "flag": [1.0, 1.0]}))
    Envelope(names=('debt', 'flag'), lower=(1.0, nan), upper=(999.0, nan), judged=(True, False))
    """
    lower, upper, judged = [], [], []
    for name in x.columns:
        figures = x[name].to_numpy(dtype=np.float64)
        known = figures[np.isfinite(figures)]
        varied = len(known) > 0 and known.min() < known.max()
        low, high = np.quantile(known, QUANTILES) if varied else (np.nan, np.nan)
        lower.append(float(low))
        upper.append(float(high))
        # A flag so rare that both quantiles are equal was seen all the same.
        judged.append(bool(low < high) and name not in common)
    names = tuple(str(name) for name in x.columns)
    return Envelope(names, tuple(lower), tuple(upper), tuple(judged))


def outside(x: pd.DataFrame, envelope: Envelope) -> pd.DataFrame:
    """Find figures beyond the range of training by more than half of it.

    Parameters
    ----------
    x : DataFrame, shape (rows, features)
        Features by name; further columns are ignored.
    envelope : Envelope

    Returns
    -------
    DataFrame of bool, shape (rows, features)
        False where missing, and for features that are not judged.

    Examples
    --------
    >>> training = Envelope(("debt",), (0.0,), (2.0,), (True,))
    >>> outside(pd.DataFrame({"debt": [3.0, 3.1, -1.5, None]}), training)["debt"].tolist()
    [False, True, True, False]
    """
    figures = x.loc[:, list(envelope.names)].to_numpy(dtype=np.float64)
    lower, upper = np.array(envelope.lower), np.array(envelope.upper)
    room = BEYOND * (upper - lower)
    # Rounding must not decide at the edge.
    slack = 1e-9 * np.maximum(np.abs(lower), np.abs(upper))
    beyond = (figures > upper + room + slack) | (figures < lower - room - slack)
    return pd.DataFrame(
        beyond & np.array(envelope.judged), columns=list(envelope.names), index=x.index
    )


def abstentions(x: pd.DataFrame, envelope: Envelope, *, stale: Mask | bool = False) -> Words:
    """Say for which rows the classifier should not speak, and why.

    ``missing``: more than 30 % of the features are; ``stale``: the latest figures are too old;
    ``outside``: a figure is beyond the range of training by more than half of it. The first that
    applies is given.

    Parameters
    ----------
    x : DataFrame, shape (rows, features)
    envelope : Envelope
    stale : ndarray of bool, shape (rows,), or bool

    Returns
    -------
    ndarray of str, shape (rows,)
        ``""`` where the classifier may speak.

    Examples
    --------
    >>> training = Envelope(("debt",), (0.0,), (2.0,), (True,))
    >>> rows = pd.DataFrame({"debt": [1.0, None, 9.0, 1.0]})
    >>> abstentions(rows, training, stale=np.array([False, False, False, True])).tolist()
    ['', 'missing', 'outside', 'stale']
    """
    used = [
        name for name, low in zip(envelope.names, envelope.lower, strict=True) if not np.isnan(low)
    ]
    rows = len(x)
    share = x.loc[:, used].isna().mean(axis=1).to_numpy() if used else np.ones(rows)
    beyond = outside(x, envelope).to_numpy().any(axis=1)
    old = np.broadcast_to(np.asarray(stale, dtype=np.bool_), (rows,))
    held = [share > MOST_MISSING + 1e-9, old, beyond]
    chosen = np.select(held, [1, 2, 3], default=0)
    return np.asarray(np.array(["", *REASONS], dtype=object)[chosen])

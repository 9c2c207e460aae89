"""Whether figures are still distributed as in training: the population stability index."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.plain_values import from_plain, to_plain
from debtwatch.early_warning.sample import Array

#: From these values of the index a figure is watched, or has moved (a convention).
AMBER, RED = 0.10, 0.25
#: Least share of a bin, so that an empty one has a logarithm.
FLOOR = 1e-4
#: Samples drawn to tell what chance gives.
SAMPLES = 400


@dataclass(frozen=True)
class Bins:
    """Bins of a figure in training, and the share of rows in each.

    Attributes
    ----------
    edges : tuple of float
        Upper edges, rising; a figure on an edge belongs below it. The last bin is open.
    shares : tuple of float
        One more than edges, then the share that was missing; they sum to 1.
    rows : int
    usual : float
        Largest index of a single training period against all of them: what common shocks and
        seasons make ordinary.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    rows: int
    usual: float = 0.0

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.edges) + 2:
            raise ValueError("shares must be two more than edges")
        if not np.isfinite(self.edges).all() or any(np.diff(self.edges) <= 0):
            raise ValueError("edges must be finite and rise")
        if self.rows < 1 or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError("shares must be of some rows and sum to 1")
        if not 0 <= self.usual < np.inf:
            raise ValueError("the usual index must be finite and not below 0")

    def counts(self, figures: Array) -> NDArray[np.int64]:
        """Count figures in each bin, the missing ones last."""
        known = figures[~np.isnan(figures)]
        place = np.searchsorted(np.array(self.edges), known, side="left")
        inside = np.bincount(place, minlength=len(self.edges) + 1)
        return np.append(inside, len(figures) - len(known)).astype(np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Bins:
        """Build from plain values; ModelProblem when they are not valid."""
        return from_plain(cls, table)


@dataclass(frozen=True)
class Shift:
    """How far a figure's distribution has moved.

    Attributes
    ----------
    name : str
        Feature, or ``""`` for the probability itself.
    psi : float
        Population stability index.
    noise : float
        What needs no drift: the 95 % point of the index by chance alone, for rows of these numbers,
        or the largest index of a single training period.
    level : {"stable", "watch", "moved"}
    """

    name: str
    psi: float
    noise: float
    level: Literal["stable", "watch", "moved"]


def reference_bins(train: Array, period: NDArray[np.int64] | None = None) -> Bins:
    """Fix bins at the deciles of a figure in training.

    Fewer than ten come out where figures repeat; edges are figures that occur, so that a flag of 0
    and 1 has one bin for each.
    Periods without any figure (the first ones, of a change over
    several) are left out: a history that had not begun is no distribution, and would make every
    later shift look usual.

    Parameters
    ----------
    train : ndarray, shape (rows,)
        NaN where missing; at least one row.
    period : ndarray of int, shape (rows,), optional
        Of each row, to measure how far single periods lie from all of them.

    Returns
    -------
    Bins

    Examples
    --------
    >>> reference_bins(np.array([0.0, 0.0, 1.0, np.nan]))
    Bins(edges=(0.0, 1.0), shares=(0.5, 0.25, 0.0, 0.25), rows=4, usual=0.0)
    """
    if period is not None:
        told = np.isin(period, period[~np.isnan(train)])
        train, period = (train[told], period[told]) if told.any() else (train, period)
    known = train[~np.isnan(train)]
    deciles = np.arange(1, 10) / 10
    edges = np.unique(np.quantile(known, deciles, method="inverted_cdf")) if len(known) else known
    empty = Bins(tuple(edges.tolist()), (*(0.0 for _ in edges), 0.0, 1.0), len(train))
    shares = empty.counts(train) / len(train)
    bins = Bins(empty.edges, tuple(shares.tolist()), len(train))
    if period is None:
        return bins
    usual = max(psi(bins, train[period == each]) for each in np.unique(period))
    return replace(bins, usual=usual)


def psi(train: Bins | Array, now: Array) -> float:
    """Compute the population stability index of a figure.

    ``PSI = sum_i (a_i - e_i) ln(a_i / e_i)`` over the training deciles and one bin for missing
    figures, with shares e in training and a now, each at least 1e-4.

    Parameters
    ----------
    train : Bins or ndarray
    now : ndarray, shape (rows,)

    Returns
    -------
    float
        NaN without rows.

    Examples
    --------
    >>> training = Bins((0.0,), (0.5, 0.5, 0.0), 100)
    >>> round(psi(training, np.array([0.0, 1.0, 1.0, 1.0])), 6), psi(training, np.array([0.0, 1.0]))
    (0.274653, 0.0)
    """
    bins = train if isinstance(train, Bins) else reference_bins(train)
    if not len(now):
        return float("nan")
    return float(_index(np.array(bins.shares), bins.counts(now) / len(now)))


def _index(expected: Array, actual: Array) -> Array:
    """Sum over the bins, the last axis."""
    before, after = np.maximum(expected, FLOOR), np.maximum(actual, FLOOR)
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=-1))


def _chance(bins: Bins, rows: int, seed: int) -> float:
    """95 % point of the index when nothing drifts."""
    if not rows:
        return float("nan")
    rng = np.random.default_rng(seed)
    shares = np.array(bins.shares) / sum(bins.shares)
    before, after = (rng.multinomial(n, shares, size=SAMPLES) / n for n in (bins.rows, rows))
    return float(np.quantile(_index(before, after), 0.95))


def shift_of(name: str, bins: Bins, now: Array, *, seed: int = 0) -> Shift:
    """Judge how far a figure has moved.

    The index is at least 0.10 for ``watch`` and 0.25 for ``moved``, above that of every single
    training period (:attr:`Bins.usual`: a common shock or a season is no drift), and above what
    chance gives, which for few rows is far from 0: the 95 % point of the index between two samples
    of the training shares, of the two numbers of rows (Yurdakul and Naranjo 2020 give its law for
    many rows; an empty bin weighs too much for that here, so samples are drawn).

    Parameters
    ----------
    name : str
    bins : Bins
        Of training.
    now : ndarray, shape (rows,)
    seed : int
        Of the samples drawn.

    Returns
    -------
    Shift

    Examples
    --------
    >>> shift_of("debt", Bins((0.0,), (0.5, 0.5, 0.0), 100), np.ones(50)).level
    'moved'
    """
    index = psi(bins, now)
    noise = _chance(bins, len(now), seed)
    beyond = index > max(noise, bins.usual)
    level: Literal["stable", "watch", "moved"] = "stable"
    if beyond and index >= AMBER:
        level = "moved" if index >= RED else "watch"
    return Shift(name, index, max(noise, bins.usual), level)


def shifts(
    bins: Mapping[str, Bins], x: pd.DataFrame, *, common: Collection[str] = ()
) -> tuple[Shift, ...]:
    """Judge each feature.

    Parameters
    ----------
    bins : mapping of str to Bins
        By feature.
    x : DataFrame, shape (rows, features)
    common : collection of str
        Features that are one figure for all governments of a period, such as a national median:
        they have no distribution to compare and are left out.

    Returns
    -------
    tuple of Shift
        In the order of ``bins``.

    Examples
    --------
    >>> training = {"debt": Bins((0.0,), (0.5, 0.5, 0.0), 100)}
    >>> [s.level for s in shifts(training, pd.DataFrame({"debt": [0.0, 1.0]}))]
    ['stable']
    """
    return tuple(
        shift_of(name, each, x[name].to_numpy(dtype=np.float64))
        for name, each in bins.items()
        if name not in common
    )

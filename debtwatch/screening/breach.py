"""Breach of a line on simulated paths, with and without a project on the same random numbers.

A path breaches in the first quarter that ends a run of so many quarters beyond the line. Debt and
capacity are linear in the scale x of a project, so that each path has one critical scale, and the
probability of breach at every scale is the share of paths whose critical scale is not above it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Hits = NDArray[np.bool_]


def breached_by(
    room: Array, taken: Array | None = None, *, inclusive: bool = True, consecutive: int = 1,
    at_the_end: bool = False,
) -> Hits:  # fmt: skip
    """Whether each path has breached a line by each quarter, or by the last one.

    Beyond the line is ``tau F - D <= a - tau b``: what the project takes is at least the room.

    Parameters
    ----------
    room : ndarray, shape (quarters, paths)
        Headroom without the project; missing room is no breach.
    taken : ndarray, shape (quarters,), optional
        Room that the project takes in each quarter; none by default.
    inclusive : bool
        Whether the line itself is beyond.
    consecutive : {1, 2}
        Quarters in a row beyond the line that make a breach.
    at_the_end : bool
        Give the last quarter alone, shape (1, paths); it costs far less.

    Examples
    --------
    >>> room = np.array([[0.1], [0.0], [0.1], [-0.1], [-0.2], [1.0]])
    >>> breached_by(room, consecutive=2)[:, 0].tolist()
    [False, False, False, False, True, True]
    """
    edge = np.zeros((len(room), 1)) if taken is None else taken[:, None]
    beyond = room <= edge if inclusive else room < edge
    if consecutive == 2:
        beyond[1:] &= beyond[:-1].copy()
        beyond[0] = False
    if at_the_end:
        return np.asarray(beyond.any(axis=0, keepdims=True))
    hits: Hits = np.logical_or.accumulate(beyond, axis=0)
    return hits


@dataclass(frozen=True)
class Shares:
    """Share of paths in breach at the horizon and by quarter, with standard errors.

    Attributes
    ----------
    without, with_ : float
    error_without, error_with : float
        ``sqrt(p (1 - p) / N)``.
    error_added : float
        Of the difference of the paired paths.
    by_quarter_without, by_quarter_with : ndarray, shape (quarters,)
    """

    without: float
    with_: float
    error_without: float
    error_with: float
    error_added: float
    by_quarter_without: Array
    by_quarter_with: Array


def compare(without: Hits, with_: Hits) -> Shares:
    """Compare the same paths without and with a project.

    The standard error of the difference is that of the paired differences ``b1 - b0``; when the
    project only worsens it is ``sqrt(d (1 - d) / N)`` with d the difference (methods 4.4).

    Parameters
    ----------
    without, with_ : ndarray of bool, shape (quarters, paths)
        From :func:`breached_by`.
    """
    last0, last1 = without[-1], with_[-1]
    count = last0.size
    p0, p1 = float(last0.mean()), float(last1.mean())
    moved = float((last0 != last1).mean())
    added = p1 - p0
    return Shares(
        without=p0,
        with_=p1,
        error_without=_error(p0 * (1 - p0), count),
        error_with=_error(p1 * (1 - p1), count),
        error_added=_error(moved - added * added, count),
        by_quarter_without=without.mean(axis=1),
        by_quarter_with=with_.mean(axis=1),
    )


def _error(variance: float, count: int) -> float:
    return float(np.sqrt(max(variance, 0.0) / count))


def critical_scale(room: Array, added: Array, consecutive: int = 1) -> Array:
    """Smallest scale of a project at which each path breaches.

    ``x_q = room_q / added_q`` where the project takes room; a run of two quarters needs both, so
    ``x = min_q max(x_(q-1), x_q)``.

    Parameters
    ----------
    room : ndarray, shape (quarters, ...)
        ``tau F - D``: at or below nothing the line is crossed at any scale.
    added : ndarray, shape (quarters,) or (quarters, ...)
        ``a - tau b`` of the whole project.
    consecutive : {1, 2}

    Returns
    -------
    ndarray
        Infinite where no scale breaches.

    Examples
    --------
    >>> critical_scale(np.array([8.0, 6.0, 9.0]), np.array([4.0, 4.0, 0.0])).item()
    1.5
    >>> critical_scale(np.array([8.0, 6.0, 9.0]), np.array([4.0, 4.0, 0.0]), 2).item()
    2.0
    """
    takes = np.broadcast_to(added.reshape(len(added), *[1] * (room.ndim - 1)), room.shape)
    scale = np.full(room.shape, np.inf)
    np.divide(room, takes, out=scale, where=takes > 0)
    scale = np.where(room <= 0, 0.0, scale)
    scale = np.where(np.isnan(room), np.inf, scale)
    if consecutive == 2:
        if len(scale) < 2:
            return np.full(room.shape[1:], np.inf)
        scale = np.maximum(scale[1:], scale[:-1])
    least: Array = scale.min(axis=0)
    return least


def tolerated(critical: Array, tolerance: float) -> float:
    """Supremum of the scales at which no more than a share of the paths breaches.

    With the critical scales in order, ``x(k)`` the k-th from 0 and ``k = floor(tolerance N)``: at
    any scale below ``x(k)`` at most k paths breach; at ``x(k)`` more do.

    Parameters
    ----------
    critical : ndarray, shape (paths,)
    tolerance : float

    Examples
    --------
    >>> tolerated(np.array([3.0, 1.0, 4.0, 2.0]), 0.25)
    2.0
    """
    k = min(int(np.floor(tolerance * critical.size + 1e-9)), critical.size - 1)
    return float(np.partition(critical, k)[k])


def share_at(critical: Array, scale: float) -> float:
    """Probability of breach at a scale."""
    return float((critical <= scale * (1 + 1e-12)).mean())

"""Bootstrap over clusters: governments of one province share shocks, so provinces are drawn whole.

A draw is kept as the number of times that each cluster was drawn; a metric is then computed with
these numbers as weights, the same for every model, so that differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.sample import Array, Frequency, Words
from debtwatch.sustainability.scores import MeanInterval

#: With fewer groups than this a cluster is a group in one year.
LEAST_GROUPS = 15
LEVEL = 0.9
QUARTERS = 4


def cluster_labels(
    group: Words, period: NDArray[np.int64], frequency: Frequency = "year"
) -> NDArray[np.int64]:
    """Give each row the number of its cluster: its group, or with under 15 its group and year.

    Parameters
    ----------
    group : ndarray of str, shape (rows,)
        Province of each row.
    period : ndarray of int, shape (rows,)
        Origin, as an ordinal.
    frequency : {"year", "quarter"}

    Returns
    -------
    ndarray of int, shape (rows,)
        From 0, in the order of the groups' names, then of the years.

    Examples
    --------
    >>> cluster_labels(np.array(["B", "A", "A"], object), np.array([2020, 2020, 2021]))
    array([2, 0, 1])
    """
    province = pd.factorize(np.asarray(group).astype(str), sort=True)[0].astype(np.int64)
    if not len(province) or province.max() + 1 >= LEAST_GROUPS:
        return province
    year = period // QUARTERS if frequency == "quarter" else period
    pairs = np.column_stack([province, year])
    return np.asarray(np.unique(pairs, axis=0, return_inverse=True)[1].ravel(), dtype=np.int64)


@dataclass(frozen=True)
class ClusterDraws:
    """How often each cluster was drawn.

    Attributes
    ----------
    member : ndarray of int, shape (rows,)
        Cluster of each row, from 0.
    times : ndarray, shape (draws, clusters)
    """

    member: NDArray[np.intp]
    times: Array

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return int(self.times.shape[1])

    def sums(self, values: Array) -> Array:
        """Sum a figure of the rows in each draw, shape (draws,)."""
        each = np.bincount(self.member, weights=values, minlength=self.clusters)
        return np.asarray(self.times @ each)

    def interval(self, mean: float, drawn: Array) -> MeanInterval:
        """Put the central 90 % of the draws around a figure.

        Draws in which the figure is not defined (no event was drawn) are left out; the bounds are
        NaN with fewer than two clusters.
        """
        known = drawn[~np.isnan(drawn)]
        if self.clusters < 2 or not known.size:
            return MeanInterval(mean, float("nan"), float("nan"))
        lower, upper = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return MeanInterval(mean, float(lower), float(upper))


def draw_clusters(cluster: NDArray[np.int64], *, draws: int, seed: int) -> ClusterDraws:
    """Draw whole clusters with replacement, as many as there are.

    Parameters
    ----------
    cluster : ndarray of int, shape (rows,)
    draws, seed : int

    Returns
    -------
    ClusterDraws
        The same for the same seed and clusters, and those of
        :func:`debtwatch.sustainability.scores.cluster_interval`.

    Examples
    --------
    >>> drawn = draw_clusters(np.array([0, 0, 7]), draws=3, seed=0)
    >>> drawn.times.sum(axis=1)
    array([2., 2., 2.])
    """
    labels, member = np.unique(cluster, return_inverse=True)
    count = max(len(labels), 1)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    return ClusterDraws(member, times.astype(np.float64))

"""How far units move together: a national part, a province part and what is their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CommonSplit:
    """Residuals as national + province + own, with the shares of variance.

    Attributes
    ----------
    national : ndarray, shape (dates, variables)
        NaN on a date without any figure.
    province : ndarray, shape (groups, dates, variables)
    own : ndarray, shape (units, dates, variables)
        What is left: the three parts add up to the residual exactly.
    labels : ndarray, shape (groups,)
        Code of each row of ``province``.
    member : ndarray of int, shape (units,)
        Row of ``province`` that a unit belongs to.
    national_share, province_share, own_share : ndarray, shape (variables,)
        Shares of variance, summing to 1; NaN for a variable without figures.
    """

    national: Array
    province: Array
    own: Array
    labels: NDArray[np.int64]
    member: NDArray[np.int64]
    national_share: Array
    province_share: Array
    own_share: Array


def split_common(residuals: Array, groups: NDArray[np.int64]) -> CommonSplit:
    """Split standardised residuals into national, province and own parts.

    ``u(c, t) = n(t) + f(p(c), t) + e(c, t)``. The variances of the three are estimated by the
    moments of nested analysis of variance within dates, allowing for unequal and missing groups.
    ``n(t)`` is the mean over units and ``f(p, t)`` the mean over the province of what is left, each
    multiplied by its signal share ``1 - noise / variance of the mean``: for a province
    ``s_f / (s_f + s_e / N_p)``, for the nation ``s_n / (s_n + s_f sum(N_p^2) / N^2 + s_e / N)``.

    Parameters
    ----------
    residuals : ndarray, shape (units, dates, variables)
        Mean near 0 and the same spread in all units; winsorise first.
    groups : ndarray of int, shape (units,)
        Province of each unit.

    Returns
    -------
    CommonSplit
        The province part is 0 when there is one group only, and for a group of one unit.

    Examples
    --------
    >>> same = np.tile([1.0, -1.0, 2.0, -2.0], (6, 1))[..., None]
    >>> split = split_common(same, np.array([0, 0, 0, 1, 1, 1]))
    >>> split.national_share, split.national[:, 0]
    (array([1.]), array([ 1., -1.,  2., -2.]))
    """
    labels, member = np.unique(groups, return_inverse=True)
    present = np.isfinite(residuals)
    filled = np.where(present, residuals, 0.0)
    inside = (member == np.arange(len(labels))[:, None]).astype(np.float64)
    count = np.tensordot(inside, present.astype(np.float64), axes=1)
    sums = np.tensordot(inside, filled, axes=1)
    nation, province, own = _variance_parts(filled, count, sums, member, present)
    total = count.sum(axis=0)
    noise = _over(province * (count**2).sum(axis=0), total**2) + _over(own, total)
    signal = _over(nation, nation + noise)
    national = np.where(total > 0, signal * _over(sums.sum(axis=0), total), np.nan)
    left = sums - count * np.nan_to_num(national)
    alone = (np.bincount(member) == 1)[:, None, None] | (len(labels) == 1)
    factor = _over(province, province + _over(own, count)) * _over(left, count)
    factor = np.where(alone | (count == 0), 0.0, factor)
    factor = np.where(total > 0, factor, np.nan)
    rest = np.where(present, residuals - national - factor[member], np.nan)
    parts = np.stack([nation, province, own])
    everything = np.where(present.any(axis=(0, 1)) & (parts.sum(axis=0) > 0), parts.sum(0), np.nan)
    return CommonSplit(national, factor, rest, labels, member, *(parts / everything))


def _over(above: Array, below: Array) -> Array:
    """Quotient, 0 where the denominator is."""
    return above / np.where(below > 0, below, np.inf)


def _variance_parts(
    filled: Array,
    count: Array,
    sums: Array,
    member: NDArray[np.int64],
    present: NDArray[np.bool_],
) -> tuple[Array, Array, Array]:
    """Variances of the national, province and own parts of each variable, none negative."""
    groups, total = (count > 0).sum(axis=0), count.sum(axis=0)
    inside = np.where(present, filled - _over(sums, count)[member], 0.0)
    grand = _over(sums.sum(axis=0), total)
    between = (count * (_over(sums, count) - grand) ** 2).sum(axis=0).sum(axis=0)
    degrees = (total - groups).sum(axis=0)
    apart = np.maximum(groups - 1, 0).sum(axis=0).astype(np.float64)
    within = (inside**2).sum(axis=(0, 1))
    room = (total - _over((count**2).sum(axis=0), total)).sum(axis=0)
    # Provinces of one unit each cannot be told from their units: all is the units' own.
    nested = (degrees > 0) & (apart > 0)
    own = np.where(nested, _over(within, degrees), _over(within + between, degrees + apart))
    province = np.where(nested, np.maximum(_over(between - own * apart, room), 0.0), 0.0)
    dates = total > 1
    noise = _over(province * (count**2).sum(axis=0), total**2) + _over(own, total)
    excess = np.where(dates, grand**2 - noise, 0.0).sum(axis=0)
    nation = np.maximum(_over(excess, dates.sum(axis=0).astype(np.float64)), 0.0)
    return nation, province, own

"""Turn reported figures into quarters: year-to-date -> quarter, year -> quarter, four quarters.

Arrays have a row for each government and a column for each quarter, NaN where missing.
A gap is never bridged: a quarter that needs a missing figure is missing.
"""

from __future__ import annotations

from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.interp import dentonm

from debtwatch.panel.defaults import Shares

FloatArray = NDArray[np.float64]
FigureOrDay = TypeVar("FigureOrDay", np.float64, np.datetime64)


def lagged(values: NDArray[FigureOrDay], quarters: int) -> NDArray[FigureOrDay]:
    """Values so many quarters before (after, when negative), missing beyond the ends.

    Examples
    --------
    >>> lagged(np.array([[1.0, 2.0, 3.0]]), 1)
    array([[nan,  1.,  2.]])
    """
    missing = np.datetime64("NaT") if values.dtype.kind == "M" else np.nan
    shifted = np.full(values.shape, missing, dtype=values.dtype)
    if abs(quarters) >= values.shape[1]:
        return shifted
    if quarters > 0:
        shifted[:, quarters:] = values[:, :-quarters]
    elif quarters < 0:
        shifted[:, :quarters] = values[:, -quarters:]
    else:
        shifted[:] = values
    return shifted


def quarters_from_to_date(to_date: FloatArray, first_quarter: int) -> FloatArray:
    """Quarters from figures cumulative within the year.

    ``x(Q1) = c(Q1)``, ``x(Qk) = c(Qk) - c(Qk-1)``; missing when either is.

    Parameters
    ----------
    to_date : ndarray, shape (units, quarters)
        Cumulative figures.
    first_quarter : int
        Ordinal of the first column.

    Examples
    --------
    >>> quarters_from_to_date(np.array([[10.0, 25.0, np.nan, 60.0]]), 4 * 2024)
    array([[10., 15., nan, nan]])
    """
    number = (first_quarter + np.arange(to_date.shape[1])) % 4
    before = np.where(number == 0, 0.0, lagged(to_date, 1))
    return to_date - before


@cache
def denton_matrix(shares: Shares, years: int) -> FloatArray:
    """Proportional Denton as a matrix: quarters = matrix @ annual totals.

    The method (Denton 1971, proportional first differences, as in the IMF manual of quarterly
    national accounts) keeps the ratio of quarter to indicator as steady as the totals allow. It is
    linear in the totals, so that one matrix serves every series of the same length and pattern.

    Parameters
    ----------
    shares : four floats
        Seasonal shares, the indicator, the same every year.
    years : int

    Returns
    -------
    ndarray, shape (4 * years, years)
        Columns sum to 1 over the year's own quarters and to 0 over those of other years.

    Examples
    --------
    >>> denton_matrix((0.25, 0.25, 0.25, 0.25), 1).ravel()
    array([0.25, 0.25, 0.25, 0.25])
    """
    if years == 1:
        return np.array(shares, dtype=np.float64).reshape(4, 1)
    indicator = np.tile(np.array(shares, dtype=np.float64), years)
    columns = [
        np.asarray(dentonm(indicator, total, freq="aq"), dtype=np.float64).ravel()
        for total in np.eye(years)
    ]
    return np.stack(columns, axis=1)


def quarters_from_years(annual: FloatArray, shares: Shares) -> FloatArray:
    """Quarters from annual totals, by proportional Denton over unbroken runs of years.

    Parameters
    ----------
    annual : ndarray, shape (units, years)
        Annual totals; NaN where not reported. A gap ends a run.
    shares : four floats
        Seasonal shares of the quarters.

    Returns
    -------
    ndarray, shape (units, 4 * years)
        Four quarters sum to their year exactly (to rounding). A run whose smooth path would turn a
        quarter to the other sign than its year takes the plain shares instead.

    Examples
    --------
    >>> quarters_from_years(np.array([[np.nan, 8.0]]), (0.25, 0.25, 0.25, 0.25))
    array([[nan, nan, nan, nan,  2.,  2.,  2.,  2.]])
    """
    units, years = annual.shape
    result = np.full((units, 4 * years), np.nan)
    present = ~np.isnan(annual)
    patterns, member = np.unique(present, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = np.flatnonzero(np.ravel(member) == number)
        for first, last in _runs(pattern):
            totals = annual[rows, first:last]
            smooth = totals @ denton_matrix(shares, last - first).T
            plain = np.repeat(totals, 4, axis=1) * np.tile(shares, last - first)
            turned = (smooth * np.repeat(np.sign(totals), 4, axis=1) < 0).any(axis=1)
            result[rows, 4 * first : 4 * last] = np.where(turned[:, None], plain, smooth)
    return result


def _runs(present: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Unbroken runs of True as (first, after last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], present.astype(int), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def rolling_year(values: FloatArray) -> FloatArray:
    """Sum of the last four quarters; missing when one of them is.

    Examples
    --------
    >>> rolling_year(np.array([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    array([[nan, nan, nan, 10., 14.]])
    """
    return values + lagged(values, 1) + lagged(values, 2) + lagged(values, 3)


def year_from_to_date(to_date: FloatArray, first_quarter: int) -> FloatArray:
    """Sum of four quarters straight from cumulative figures.

    ``c(t) + c(last year's fourth quarter) - c(t - 4)``; at a fourth quarter ``c(t)`` itself, so
    that a quarter missing within the year does not matter there.

    Examples
    --------
    >>> one = np.array([[10.0, np.nan, np.nan, 60.0, 12.0]])
    >>> year_from_to_date(one, 4 * 2024)
    array([[nan, nan, nan, 60., 62.]])
    """
    number = (first_quarter + np.arange(to_date.shape[1])) % 4
    result = np.full(to_date.shape, np.nan)
    for k in range(4):
        year_end = lagged(to_date, k + 1) if k < 3 else 0.0
        before = lagged(to_date, 4) if k < 3 else 0.0
        result = np.where(number == k, to_date + year_end - before, result)
    return result

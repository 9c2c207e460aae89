"""Draw shocks: dates in blocks, rows of residuals, normal and Student rows of a covariance.

Every draw takes a numpy Generator from the caller: equal seeds give equal draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_

Array = NDArray[np.float64]


def stationary_dates(
    dates: int, steps: int, paths: int, mean_block: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw paths of dates by the stationary bootstrap.

    A path starts at a date drawn evenly. Each further step goes to the next date (the first one
    after the last) with probability ``1 - 1 / mean_block``, else to a date drawn afresh: blocks
    have geometric length and every step is spread evenly over the dates (Politis and Romano 1994).
    The mean of a path of n steps has ``n var = R(0) + 2 sum_k b(k) R(k)`` with
    ``b(k) = (1 - k/n) (1 - p)^k + (k/n) (1 - p)^(n - k)``, ``p = 1 / mean_block`` and R the
    autocovariances of a series of n dates.

    Parameters
    ----------
    dates : int
        Number of dates to draw from.
    steps, paths : int
    mean_block : float
        Mean length of a block, at least 1; 1 draws every date afresh.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int, shape (steps, paths)
        Positions 0 to ``dates - 1``.

    Raises
    ------
    ModelProblem
        Without dates, or with a block shorter than 1.

    Examples
    --------
    >>> path = stationary_dates(8, 6, 1, 1e9, np.random.default_rng(1))
    >>> (np.diff(path[:, 0]) % 8).tolist()
    [1, 1, 1, 1, 1]
    """
    if dates < 1 or not mean_block >= 1:
        raise ModelProblem(
            N_("Shocks need at least one date and blocks of at least 1, not {dates} and {block}."),
            dates=dates,
            block=mean_block,
        )
    fresh = rng.integers(0, dates, size=(steps, paths))
    starts = rng.random((steps, paths)) < 1 / mean_block
    # A step is its block's first date plus the steps since: no loop over steps is needed. The
    # first step begins a block whatever was drawn.
    step = np.arange(steps)[:, None]
    since = np.maximum.accumulate(np.where(starts, step, 0), axis=0)
    return (np.take_along_axis(fresh, since, axis=0) + step - since) % dates


def shrunk_covariance(
    own: Array, pool: Array, n: NDArray[np.int64] | int, nu: float = 20.0
) -> Array:
    """Draw covariances of units towards that of the pool.

    ``S = (nu S_pool + n S_c) / (nu + n)``.

    Parameters
    ----------
    own : ndarray, shape (..., variables, variables)
        Covariance of each unit; one with a missing entry is the pool's.
    pool : ndarray, shape (variables, variables) or as ``own``
    n : int or ndarray of int, shape (...)
        Figures behind each.
    nu : float
        Weight of the pool, in figures.

    Returns
    -------
    ndarray, the shape of ``own``

    Examples
    --------
    >>> shrunk_covariance(np.array([[4.0]]), np.array([[1.0]]), 10)
    array([[2.]])
    """
    number = np.asarray(n, dtype=np.float64)[..., None, None]
    known = np.isfinite(own).all(axis=(-2, -1), keepdims=True) & (number > 0)
    weight = np.where(known, number / np.maximum(nu + number, 1e-300), 0.0)
    return np.asarray(pool + weight * (np.where(known, own, pool) - pool))


def gaussian_rows(cov: Array, n: int, rng: np.random.Generator) -> Array:
    """Draw normal rows with mean 0 and a given covariance, singular ones included.

    ``row = L z`` with ``L = V sqrt(d)`` from the eigenvectors V and eigenvalues d of the
    covariance; values below rounding, negative ones among them, count as 0.

    Parameters
    ----------
    cov : ndarray, shape (..., variables, variables)
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (..., n, variables)

    Examples
    --------
    >>> rows = gaussian_rows(np.array([[1.0, 2.0], [2.0, 4.0]]), 3, np.random.default_rng(0))
    >>> bool(np.allclose(rows[:, 1], 2 * rows[:, 0]))
    True
    """
    values, vectors = np.linalg.eigh(cov)
    least = np.abs(values).max(axis=-1, keepdims=True) * values.shape[-1] * 1e-15
    factor = vectors * np.sqrt(np.where(values > least, values, 0.0))[..., None, :]
    normal = rng.standard_normal((*cov.shape[:-2], n, cov.shape[-1]))
    return np.asarray(normal @ np.swapaxes(factor, -1, -2))


def student_rows(cov: Array, n: int, df: float, rng: np.random.Generator) -> Array:
    """Draw rows of a multivariate Student law whose covariance is the one given.

    ``row = z sqrt((df - 2) / w)`` with z normal of that covariance and w chi-squared with ``df``
    degrees of freedom, one for all variables of a row: extremes come together.

    Parameters
    ----------
    cov : ndarray, shape (..., variables, variables)
    n : int
    df : float
        Above 2, else there is no variance.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (..., n, variables)

    Raises
    ------
    ModelProblem
        When ``df`` is 2 or less.

    Examples
    --------
    >>> student_rows(np.eye(2), 3, 5.0, np.random.default_rng(0)).shape
    (3, 2)
    """
    if not df > 2:
        raise ModelProblem(
            N_("Student shocks need more than 2 degrees of freedom, not {df}."), df=df
        )
    normal = gaussian_rows(cov, n, rng)
    width = np.sqrt((df - 2) / rng.chisquare(df, size=normal.shape[:-1]))
    return normal * width[..., None]


def bootstrap_rows(rows: Array, n: int, rng: np.random.Generator) -> Array:
    """Draw whole rows of residuals with replacement, centred so that their mean is 0.

    Parameters
    ----------
    rows : ndarray, shape (observations, variables)
        Rows with a missing entry are left out: variables of a row stay together.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (n, variables)

    Raises
    ------
    ModelProblem
        When no row is complete.

    Examples
    --------
    >>> bootstrap_rows(np.array([[1.0], [3.0], [np.nan]]), 4, np.random.default_rng(0)).ravel()
    array([ 1.,  1.,  1., -1.])
    """
    complete = rows[np.isfinite(rows).all(axis=1)]
    if not len(complete):
        raise ModelProblem(N_("There is no complete row of residuals to draw shocks from."))
    centred = complete - complete.mean(axis=0)
    return np.asarray(centred[rng.integers(0, len(centred), size=n)])

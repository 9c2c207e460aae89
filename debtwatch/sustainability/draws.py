"""Random shocks: joint across drivers and governments, the same for every scenario.

A standardised shock of government c at a step is the sum of three parts::

    z = n(date) + f(province, date) + e

n and f, the national and the provincial factor, are drawn by date, and all governments share the
dates of a path: totals and "at least n counties" come out right. e is the government's own: a row
of a pool of residuals. The row comes from a window of the pool whose start is a hash of seed,
government, step and block of paths, so that results depend neither on how the work is divided nor
on which other governments are in it. Common parts are carried through the pooled dynamics once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.bootstrap import (
    bootstrap_rows,
    gaussian_rows,
    stationary_dates,
    student_rows,
)

Array = NDArray[np.float64]
Method = Literal["auto", "bootstrap", "normal", "student"]
#: Paths computed together. Part of what a seed means: another size gives other draws.
BLOCK = 256
#: Rows of the pool of own shocks.
POOL_ROWS = 8192
#: Fewer dates than this are no basis for resampling dates (methods of the stationary bootstrap).
FEWEST_DATES = 24
#: From so many rows on the pool of own shocks is resampled whatever the dates.
FEWEST_ROWS = 200
STUDENT_FREEDOM = 5.0
METHODS: dict[str, Method] = {
    "auto": "auto", "bootstrap": "bootstrap", "normal": "normal", "student": "student",
}  # fmt: skip


@dataclass(frozen=True)
class Factors:
    """What shocks are drawn from; everything in standard deviations of the government's own shock.

    Attributes
    ----------
    dynamics : ndarray, shape (drivers, drivers)
        Pooled first-order dynamics of the standardised deviations.
    national : ndarray, shape (dates, drivers)
        National factor by date.
    province : ndarray, shape (provinces, dates, drivers)
        Provincial factors.
    own : ndarray, shape (rows, drivers)
        Pool of own residuals.
    freedom : float
        Degrees of freedom of the scale estimates.
    mean_block : float
        Mean length of a run of dates, steps.
    drift : ndarray, shape (drivers,), optional
        Standard deviation of the error of the pool's mean: the national factor was seen on few
        dates, and the error is the same for all governments and steps of a path.
    """

    dynamics: Array
    national: Array
    province: Array
    own: Array
    freedom: float
    mean_block: float
    drift: Array | None = None

    def method(self, asked: Method) -> Literal["bootstrap", "normal", "student"]:
        """Resample dates where there are enough of them, else draw from the normal law."""
        if asked != "auto":
            return asked
        return "bootstrap" if len(self.national) >= FEWEST_DATES else "normal"


@dataclass(frozen=True)
class Draws:
    """Shocks of one run, shared by every scenario and by with and without projects.

    Attributes
    ----------
    pool : ndarray of float32, shape (drivers, POOL_ROWS + BLOCK)
        Own shocks.
    scale : ndarray, shape (1 + drivers, POOL_ROWS + BLOCK)
        Uncertainty of estimates: factor of the standard deviation, then errors of the means.
    yields : ndarray of float32, shape (blocks, quarters, BLOCK)
        Deviation of the yield of new bonds, decimal a year.
    dates : ndarray of int, shape (steps, paths)
        Date of each step.
    paths : int
        Paths, filled up to whole blocks in the arrays.
    """

    factors: Factors
    method: Literal["bootstrap", "normal", "student"]
    pool: NDArray[np.float32]
    scale: Array
    yields: NDArray[np.float32]
    dates: NDArray[np.intp]
    paths: int
    seed: int

    def common(self, province: int) -> NDArray[np.float32]:
        """National and provincial part of the deviations, shape (blocks, steps, drivers, BLOCK)."""
        innovations = self._innovations(province)
        dynamics = self.factors.dynamics.astype(np.float32)
        for step in range(1, len(innovations)):
            innovations[step] += dynamics @ innovations[step - 1]
        if self.factors.drift is not None:
            error = _generator(self.seed, 5).standard_normal((len(dynamics), innovations.shape[2]))
            innovations += (self.factors.drift[:, None] * error).astype(np.float32)
        return blocks_of(innovations)

    def _innovations(self, province: int) -> NDArray[np.float32]:
        factors, steps = self.factors, len(self.dates)
        paths = self.dates.shape[1]
        if self.method == "bootstrap":
            rows = factors.national + factors.province[province]
            rows = rows - rows.mean(axis=0)  # a mean would be a drift that nobody estimated
            return np.ascontiguousarray(rows.astype(np.float32)[self.dates].transpose(0, 2, 1))
        out = np.zeros((steps, factors.national.shape[1], paths))
        for part, key in ((factors.national, 0), (factors.province[province], 1 + province)):
            rng = _generator(self.seed, 10 + key)
            out += _rows(self.method, part, steps * paths, rng).reshape(
                steps, paths, -1
            ).transpose(0, 2, 1)  # fmt: skip
        return np.ascontiguousarray(out.astype(np.float32))


def method_named(text: str) -> Method:
    """Way of drawing shocks that a user asks for by name.

    Raises
    ------
    ModelProblem
        For a name that is none.
    """
    if text not in METHODS:
        raise ModelProblem(
            N_("“{method}” is no way of drawing shocks; choose {known}."),
            method=text,
            known=", ".join(METHODS),
        )
    return METHODS[text]


def padded(paths: int) -> int:
    """Paths filled up to whole blocks.

    Examples
    --------
    >>> padded(10_000), padded(256)
    (10240, 256)
    """
    return -(-paths // BLOCK) * BLOCK


def blocks_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut the last axis, the paths, into blocks and put them first: a block lies in one piece."""
    cut = values.reshape(*values.shape[:-1], -1, BLOCK)
    return np.ascontiguousarray(np.moveaxis(cut, -2, 0))


def draw(
    factors: Factors,
    *,
    paths: int,
    steps: int,
    quarters: int,
    seed: int,
    method: Method = "auto",
    yield_spread: float = 0.0015,
    yield_persistence: float = 0.95,
) -> Draws:
    """Draw all that is shared by the governments of a run.

    Parameters
    ----------
    factors : Factors
    paths, steps, quarters : int
        A step is a quarter, or a year where the accounts come once a year.
    seed : int
    method : {"auto", "bootstrap", "normal", "student"}
    yield_spread : float
        Standard deviation of a quarter's change of the yield, decimal a year.
    yield_persistence : float
        ``y(t) = persistence * y(t - 1) + spread * e``.
    """
    chosen = factors.method(method)
    wide = padded(paths)
    # A pool of many rows is resampled even where dates are too few for it.
    resampled = method == "auto" and len(factors.own) >= FEWEST_ROWS
    own = _rows("bootstrap" if resampled else chosen, factors.own, POOL_ROWS, _generator(seed, 1))
    rng = _generator(seed, 2)
    freedom = max(factors.freedom, 3.0)
    scale = np.vstack(
        [
            np.sqrt(freedom / rng.chisquare(freedom, POOL_ROWS)),
            rng.standard_normal((factors.own.shape[1], POOL_ROWS)),
        ]
    )
    yields = _generator(seed, 3).standard_normal((quarters, wide)) * yield_spread
    for quarter in range(1, quarters):
        yields[quarter] += yield_persistence * yields[quarter - 1]
    dates = np.zeros((steps, wide), dtype=np.intp)
    if chosen == "bootstrap":
        dates = stationary_dates(
            len(factors.national), steps, wide, factors.mean_block, _generator(seed, 4)
        )
    return Draws(
        factors=factors,
        method=chosen,
        pool=_ringed(own.T).astype(np.float32),
        scale=_ringed(scale),
        yields=blocks_of(yields.astype(np.float32)),
        dates=dates,
        paths=paths,
        seed=seed,
    )


def independent_pool(draws: Draws, key: int) -> NDArray[np.float32]:
    """Own shocks of one government as independent normals, shape (blocks, drivers, steps * BLOCK).

    Dearer than windows of the pool; serves to measure what the windows cost in accuracy.
    """
    steps, wide = draws.dates.shape
    rows = gaussian_rows(
        np.cov(draws.factors.own, rowvar=False), steps * wide, _generator(draws.seed, 1000 + key)
    )
    shocks = rows.reshape(steps, wide // BLOCK, BLOCK, -1).transpose(1, 3, 0, 2)
    return np.ascontiguousarray(shocks.astype(np.float32)).reshape(len(shocks), -1, steps * BLOCK)


def _rows(method: str, sample: Array, rows: int, rng: np.random.Generator) -> Array:
    """Rows with the covariance of a sample whose mean is nothing."""
    if method == "bootstrap":
        return bootstrap_rows(sample, rows, rng)
    covariance = sample.T @ sample / max(len(sample), 1)
    if method == "student":
        return student_rows(covariance, rows, STUDENT_FREEDOM, rng)
    return gaussian_rows(covariance, rows, rng)


def _ringed(rows: Array) -> Array:
    """Append the first block again, so that a window never runs out."""
    return np.ascontiguousarray(np.concatenate([rows, rows[:, :BLOCK]], axis=1))


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, stream])))

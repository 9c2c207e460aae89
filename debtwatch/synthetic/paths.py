"""Paths through the years: national trends, the seasons, and chance around both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: Whole years of a history; the last may end early in the tables.
YEARS = 12

# National paths by calendar year; before the first and after the last year they stay flat.
_PATH_YEARS = np.arange(2014, 2027)
_PATHS: dict[str, tuple[float, ...]] = {
    "revenue": (0.09, 0.08, 0.06, 0.07, 0.07, 0.04, 0.0, 0.08, -0.01, 0.05, 0.02, 0.02, 0.02),
    "transfers": (0.1, 0.09, 0.07, 0.08, 0.08, 0.07, 0.1, 0.02, 0.09, 0.05, 0.02, 0.03, 0.03),
    "gdp": (0.08, 0.07, 0.08, 0.1, 0.09, 0.07, 0.03, 0.11, 0.05, 0.05, 0.045, 0.045, 0.045),
    "tax_share": (0.7, 0.69, 0.68, 0.67, 0.67, 0.66, 0.65, 0.65, 0.6, 0.61, 0.6, 0.6, 0.6),
    "land_rise": (0.6, 0.5, 0.55, 0.72, 0.86, 0.94, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    "land_fall": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.55, 0.78, 0.95, 1.0, 1.0),
    "general_growth": (.06, .05, .05, .04, .04, .05, .07, .05, .04, .03, .03, .03, .03),
    "special_growth": (.10, .12, .12, .14, .16, .18, .24, .17, .15, .11, .10, .09, .08),
    "general_due": (.04, .05, .06, .07, .08, .10, .11, .12, .12, .12, .12, .12, .12),
    "special_due": (.03, .03, .04, .04, .05, .06, .06, .07, .08, .08, .09, .09, .09),
    "interest": (3.75, 3.65, 3.5, 3.5, 3.55, 3.5, 3.35, 3.3, 3.2, 3.1, 3.0, 2.9, 2.85),
}  # fmt: skip

# Shares of the four quarters in a year.
REVENUE_SEASON = (0.27, 0.29, 0.23, 0.21)
TRANSFER_SEASON = (0.30, 0.25, 0.22, 0.23)
LAND_SEASON = (0.17, 0.21, 0.23, 0.39)
SPENDING_SEASON = (0.21, 0.25, 0.23, 0.31)
FUND_SPENDING_SEASON = (0.17, 0.24, 0.24, 0.35)
EVEN_SEASON = (0.24, 0.25, 0.25, 0.26)
GDP_SEASON = (0.21, 0.24, 0.25, 0.30)
ISSUE_SEASON = (0.16, 0.32, 0.34, 0.18)
REPAYMENT_SEASON = (0.16, 0.28, 0.34, 0.22)


def national_paths(last_year: int) -> dict[str, Floats]:
    """National paths over the years of a history."""
    years = np.arange(last_year - YEARS + 1, last_year + 1)
    return {name: np.interp(years, _PATH_YEARS, path) for name, path in _PATHS.items()}


def stratified(rng: Generator, n: int) -> Floats:
    """Draw standard normals, one from each of n equal slices: shares hold in small sets."""
    drawn: Floats = ndtri((rng.permutation(n) + rng.uniform(0.02, 0.98, n)) / n)
    return drawn


def normals(rng: Generator, province: NDArray[np.intp], common: float) -> Floats:
    """Draw standard normals; a province shares the part `common` of the variance."""
    shared = rng.normal(size=province.max() + 1)[province]
    single = rng.normal(size=len(province))
    drawn: Floats = np.sqrt(common) * shared + np.sqrt(1 - common) * single
    return drawn


def annual_path(
    rng: Generator,
    last: Floats,
    national: Floats,
    province: NDArray[np.intp],
    *,
    shock: float,
) -> Floats:
    """Annual path that ends at `last`: national and provincial growth, trend and shocks."""
    n, years = len(last), len(national)
    growth = national + rng.normal(0, 0.012, (province.max() + 1, years))[province]
    growth = growth + rng.normal(0, 0.012, n)[:, None] + rng.normal(0, shock, (n, years))
    growth -= (rng.uniform(size=(n, years)) < 0.01) * rng.uniform(0.06, 0.15, (n, years))
    level = growth.cumsum(axis=1)
    path: Floats = last[:, None] * np.exp(level - level[:, -1:])
    return path


def split(rng: Generator, annual: Floats, season: Sequence[float], noise: float = 0.05) -> Ints:
    """Cut years into quarters by a season with noise; whole 万元."""
    weights = np.array(season) * np.exp(rng.normal(0, noise, (*annual.shape, 4)))
    weights /= weights.sum(axis=2, keepdims=True)
    quarters: Ints = rounded(annual[:, :, None] * weights).reshape(len(annual), -1)
    return quarters


def rounded(values: NDArray[Any]) -> Ints:
    """Whole numbers, nearest to the values."""
    whole: Ints = np.rint(values).astype(np.int64)
    return whole


def by_quarter(annual: Floats) -> Floats:
    """Repeat a yearly figure for its four quarters."""
    return np.repeat(annual, 4, axis=1)

"""The accounts of the counties: own revenue, transfers, funds, people and GDP.

Debt, and the spending it pays for, follow in :mod:`debtwatch.synthetic.debt`.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from debtwatch.synthetic.debt import debt_ratio, simulate_debt, simulate_spending
from debtwatch.synthetic.paths import (
    EVEN_SEASON,
    GDP_SEASON,
    LAND_SEASON,
    REVENUE_SEASON,
    TRANSFER_SEASON,
    YEARS,
    Floats,
    Ints,
    annual_path,
    by_quarter,
    national_paths,
    normals,
    rounded,
    split,
    stratified,
)


def simulate(
    rng: Generator, province: NDArray[np.intp], last_year: int, quarters: int
) -> tuple[dict[str, Ints], Floats]:
    """Quarterly figures of every field over whole years, and capacity at the end."""
    n = len(province)
    national = national_paths(last_year)
    size = _size(rng, n)
    own = annual_path(rng, size, national["revenue"], province, shock=0.03)
    out: dict[str, Ints] = {}
    out |= _own_revenue(rng, own, national["tax_share"])
    out |= _transfers(rng, size, own, national["transfers"], province)
    fall = np.clip(0.4 + 0.09 * normals(rng, province, 0.4), 0.25, 0.56)
    land = np.exp(np.log(0.75) + rng.normal(0, 0.4, n))
    out |= _funds(rng, own, size * land, fall, national)
    growth = -0.004 + 0.009 * stratified(rng, n)
    out |= _people_and_gdp(rng, size, growth, national["gdp"], province)
    capacity = _capacity(out, quarters)
    ratio = debt_ratio(rng, size, land, fall, growth)
    out |= simulate_debt(rng, ratio, capacity, national)
    out |= simulate_spending(rng, out)
    return out, capacity


def _size(rng: Generator, n: int) -> Floats:
    """Own revenue of the last year in 万元: lognormal between 0.3 and 12 billion yuan."""
    middle, sigma = np.log(115_000), 0.85
    low, high = ndtr((np.log([31_500, 1_150_000]) - middle) / sigma)
    uniform = (rng.permutation(n) + rng.uniform(size=n)) / n
    size: Floats = np.exp(middle + sigma * ndtri(low + (high - low) * uniform))
    return size


def _own_revenue(rng: Generator, own: Floats, tax_share: Floats) -> dict[str, Ints]:
    revenue = split(rng, own, REVENUE_SEASON)
    share = tax_share + rng.normal(0, 0.06, (len(own), 1)) + rng.normal(0, 0.01, own.shape)
    tax = rounded(revenue * by_quarter(np.clip(share, 0.4, 0.88)))
    return {"gpb_revenue": revenue, "tax_revenue": tax, "nontax_revenue": revenue - tax}


def _transfers(
    rng: Generator, size: Floats, own: Floats, growth: Floats, province: NDArray[np.intp]
) -> dict[str, Ints]:
    """Transfers weigh most where own revenue is small."""
    n = len(size)
    dependence = np.exp(0.5 - 0.55 * np.log(size / 115_000) + rng.normal(0, 0.3, n))
    annual = annual_path(rng, size * np.clip(dependence, 0.12, 8.0), growth, province, shock=0.03)
    total = split(rng, annual, TRANSFER_SEASON)
    rebate = rounded(total * rng.uniform(0.03, 0.09, (n, 1)))
    special = rounded(total * by_quarter(rng.uniform(0.12, 0.26, (n, 1)) + np.zeros(own.shape)))
    remitted = own * np.clip(rng.normal(0.05, 0.02, (n, 1)), 0.01, 0.12)
    return {
        "gpb_transfer_in": total,
        "tax_rebate_in": rebate,
        "special_transfer_in": special,
        "general_transfer_in": total - rebate - special,
        "gpb_transfer_out": split(rng, remitted, EVEN_SEASON),
    }


def _funds(
    rng: Generator, own: Floats, peak: Floats, fall: Floats, national: dict[str, Floats]
) -> dict[str, Ints]:
    """Fund revenue: land rises to 2020-21, then loses `fall` of its peak."""
    n = len(own)
    profile = national["land_rise"] - fall[:, None] * national["land_fall"]
    land_year = peak[:, None] * profile * np.exp(rng.normal(0, 0.04, own.shape))
    land = split(rng, land_year, LAND_SEASON, 0.3)
    other = peak[:, None] * rng.uniform(0.06, 0.15, (n, 1)) + np.zeros(own.shape)
    transfers = own * rng.uniform(0.02, 0.06, (n, 1))
    remitted = land_year * rng.uniform(0.01, 0.05, (n, 1))
    return {
        "land_revenue": land,
        "gfb_revenue": land + split(rng, other, EVEN_SEASON, 0.1),
        "gfb_transfer_in": split(rng, transfers, EVEN_SEASON, 0.15),
        "gfb_transfer_out": split(rng, remitted, LAND_SEASON, 0.1),
    }


def _people_and_gdp(
    rng: Generator, size: Floats, growth: Floats, gdp_growth: Floats, province: NDArray[np.intp]
) -> dict[str, Ints]:
    """Count people at each year's end, and let GDP grow more smoothly than revenue."""
    n = len(size)
    revenue_each = 0.35 * (size / 115_000) ** 0.55 * np.exp(rng.normal(0, 0.3, n))  # 万元
    resident = size / np.clip(revenue_each, 0.17, 1.8)
    away = np.clip(0.11 - 6.0 * growth + rng.normal(0, 0.06, n), -0.25, 0.45)
    ages = np.arange(YEARS, -1, -1.0)  # one count before the first year
    wobble = rng.normal(0, 0.0015, (n, len(ages))) * (ages > 0)
    residents = resident[:, None] * np.exp(-growth[:, None] * ages + wobble)
    registered = (resident / (1 - away))[:, None] * np.exp(-0.001 * ages + np.zeros((n, 1)))
    gdp = annual_path(
        rng, size / (0.065 * np.exp(rng.normal(0, 0.2, n))), gdp_growth, province, shock=0.012
    )
    return {
        "resident_population": _counts(residents),
        "registered_population": _counts(registered),
        "gdp": split(rng, gdp, GDP_SEASON, 0.015),
    }


def _counts(year_ends: Floats) -> Ints:
    """Year-end counts as known at each quarter's end."""
    people = rounded(year_ends)
    years = [people[:, :-1]] * 3 + [people[:, 1:]]
    return np.stack(years, axis=2).reshape(len(people), -1)


def _capacity(quarterly: dict[str, Ints], quarters: int) -> Floats:
    """Comprehensive fiscal capacity of the last four quarters."""
    total = sum(
        sign * quarterly[name][:, quarters - 4 : quarters].sum(axis=1)
        for sign, name in (
            (1, "gpb_revenue"),
            (1, "gpb_transfer_in"),
            (-1, "gpb_transfer_out"),
            (1, "gfb_revenue"),
            (1, "gfb_transfer_in"),
            (-1, "gfb_transfer_out"),
        )
    )
    return np.asarray(total, dtype=np.float64)

"""Faults put into the tables: missing rows, late reports, wrong units, duplicated rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from debtwatch.panel.period import quarter_end
from debtwatch.synthetic.styles import ACROSS, STYLES

MISSING_SHARE, LATE_SHARE, LATE_DAYS = 0.015, 0.03, 120
COUNTIES_PER_SLIP, COUNTIES_PER_DUPLICATE = 150, 500

_SLIP_FIELDS = (
    "gpb_revenue", "gpb_expenditure", "gpb_transfer_in", "gfb_revenue", "land_revenue",
    "debt_balance", "special_debt_balance", "gdp",
)  # fmt: skip


@dataclass(frozen=True)
class Slip:
    """One cell written in a wrong unit.

    Attributes
    ----------
    county, quarter : int
        Position of the row; quarters count from the first of the history.
    field : str
        Name of the field.
    factor : float
        10,000 or 1/10,000: what the true figure is multiplied by.
    """

    county: int
    quarter: int
    field: str
    factor: float


@dataclass(frozen=True)
class Dirt:
    """Faults put into the tables; quarters count from the first of the history.

    Attributes
    ----------
    missing, late : ndarray of bool, shape (county, quarter)
        Rows left out, and rows published 120 days later than usual.
    slips : tuple of Slip
        Cells in a wrong unit.
    duplicates : tuple of (county, quarter)
        Rows written twice.
    """

    missing: NDArray[np.bool_]
    late: NDArray[np.bool_]
    slips: tuple[Slip, ...]
    duplicates: tuple[tuple[int, int], ...]


def choose_dirt(rng: Generator, n: int, quarters: int) -> Dirt:
    """Choose the faults; the county with items down the side repeats no row."""
    rows = n * quarters
    order = rng.permutation(rows)
    gone, late = round(MISSING_SHARE * rows), round(LATE_SHARE * rows)
    place = order.reshape(n, quarters)
    missing = place < gone
    delayed = ~missing & (place < gone + late)
    wrong = _some_rows(rng, missing, np.arange(n), max(1, round(n / COUNTIES_PER_SLIP)))
    slips = tuple(
        Slip(county, t, str(rng.choice(_SLIP_FIELDS)), float(rng.choice([1e4, 1e-4])))
        for county, t in wrong
    )
    repeatable = np.array([c for c in range(n) if c % len(STYLES) != ACROSS])
    repeats = max(1, round(n / COUNTIES_PER_DUPLICATE))
    return Dirt(missing, delayed, slips, _some_rows(rng, missing, repeatable, repeats))


def _some_rows(
    rng: Generator, missing: NDArray[np.bool_], counties: NDArray[np.intp], count: int
) -> tuple[tuple[int, int], ...]:
    """Rows that are present, each of another county."""
    chosen = rng.permutation(counties)[:count]
    return tuple((int(c), int(rng.choice(np.flatnonzero(~missing[c])))) for c in chosen)


def slipped(value: np.int64, factor: float) -> float:
    """Figure in a unit ten thousand times too small or too large."""
    return int(value) * 10_000 if factor > 1 else round(int(value) / 10_000, 4)


def publication_dates(rng: Generator, first: int, dirt: Dirt) -> NDArray[np.datetime64]:
    """Publication dates: 20 to 45 days after the quarter, fourth quarters 30 to 74 days."""
    quarters = dirt.missing.shape[1]
    ends = np.array([quarter_end(first + t) for t in range(quarters)], dtype="datetime64[D]")
    lag = rng.integers(20, 46, dirt.missing.shape)
    year_end = np.arange(first, first + quarters) % 4 == 3
    lag = np.where(year_end, rng.integers(30, 75, lag.shape), lag)
    lag = lag + LATE_DAYS * dirt.late
    return np.asarray(ends + lag.astype("timedelta64[D]"))

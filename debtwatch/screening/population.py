"""Population of a county: whether it loses people, and how many there will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from debtwatch.panel.census import Census, Count, read_census
from debtwatch.panel.panel import Panel
from debtwatch.rules.expression import at_least, exceeds
from debtwatch.screening.settings import PopulationLines, screening_settings

#: Years between two counts whose growth is judged: as near as possible to the first, never less
#: than the second.
SPAN, SHORTEST_SPAN = 10, 8

TestBasis = Literal["both", "growth_only"]


@dataclass(frozen=True)
class Population:
    """Residents of a government now and earlier.

    Attributes
    ----------
    resident, resident_year : float, int
        Latest count of residents and its year.
    earlier, earlier_year : float or None, int or None
        Count about ten years before.
    registered : float or None
        Registered (hukou) population of about the latest year.
    growth : float or None
        Yearly growth between the two counts, decimal.
    net_out : float or None
        ``1 - resident / registered``.
    losing, severe : bool or None
        None where the figures do not allow a judgement.
    boundaries_adjusted : bool
    source : str
        ``accounts`` or the name of the census file.
    basis : {"both", "growth_only"}
        Whether growth and net outflow were judged, or growth alone for want of a registered
        population.
    seat_growth : float or None
        Yearly growth of the county seat over the same years; shown beside, never judged: many
        counties that lose people have a growing seat.
    """

    resident: float
    resident_year: int
    earlier: float | None = None
    earlier_year: int | None = None
    registered: float | None = None
    growth: float | None = None
    net_out: float | None = None
    losing: bool | None = None
    severe: bool | None = None
    boundaries_adjusted: bool = False
    source: str = "accounts"
    basis: TestBasis = "both"
    seat_growth: float | None = None

    def projected(
        self, year: int, variant: Literal["medium", "low"], *, low_gap: float | None = None
    ) -> float | None:
        """Residents in a year; None where growth is not known.

        Parameters
        ----------
        year : int
            A year before the latest count gives that count.
        variant : {"medium", "low"}
            Growth as between the counts, or lower by ``low_gap``.
        low_gap : float, optional
            Decimal a year, negative; that of ``models/screening.toml`` by default.

        Examples
        --------
        >>> one = Population(100_000.0, 2020, growth=0.01)
        >>> round(one.projected(2030, "medium")), round(one.projected(2030, "low"))
        (110462, 105114)
        """
        if self.growth is None:
            return None
        gap = screening_settings().need.low_growth_gap if low_gap is None else low_gap
        growth = self.growth + (gap if variant == "low" else 0.0)
        return float(self.resident * max(0.0, 1 + growth) ** max(0, year - self.resident_year))


def judge_population(
    resident: float,
    resident_year: int,
    *,
    earlier: float | None = None,
    earlier_year: int | None = None,
    registered: float | None = None,
    lines: PopulationLines | None = None,
    basis: TestBasis = "both",
) -> Population:
    """Judge whether a place loses people.

    It does when residents became fewer and are fewer than those registered. Loss is severe from
    1 % a year on, or when a fifth of those registered live elsewhere (cut-offs of
    ``models/screening.toml``).

    Parameters
    ----------
    resident : float
    resident_year : int
    earlier, earlier_year : float and int, optional
        An earlier count.
    registered : float, optional
    lines : PopulationLines, optional
    basis : {"both", "growth_only"}
        ``growth_only``: the registered population is nowhere to be had, growth alone decides.

    Examples
    --------
    >>> one = judge_population(90e3, 2020, earlier=100e3, earlier_year=2010, registered=120e3)
    >>> one.losing, one.severe, round(one.growth, 4), one.net_out
    (True, True, -0.0105, 0.25)
    >>> judge_population(90e3, 2020, earlier=100e3, earlier_year=2010).losing is None
    True
    """
    lines = screening_settings().population if lines is None else lines
    growth = _growth(resident, resident_year, earlier, earlier_year)
    net_out = 1 - resident / registered if registered and registered > 0 else None
    shrinks = _beyond(growth, 0.0, below=True)
    leaves = True if basis == "growth_only" else _beyond(net_out, 0.0)
    losing = _both(shrinks, leaves)
    return Population(
        resident=resident,
        resident_year=resident_year,
        earlier=earlier,
        earlier_year=earlier_year,
        registered=registered,
        growth=growth,
        net_out=net_out,
        losing=losing,
        severe=_severe(losing, growth, net_out, lines),
        basis=basis,
    )


def _growth(
    resident: float, year: int, earlier: float | None, earlier_year: int | None
) -> float | None:
    if earlier is None or earlier_year is None or earlier <= 0 or year <= earlier_year:
        return None
    return float((resident / earlier) ** (1 / (year - earlier_year)) - 1)


def _beyond(value: float | None, edge: float, *, below: bool = False) -> bool | None:
    if value is None or not np.isfinite(value):
        return None
    left, right = (edge, value) if below else (value, edge)
    return bool(exceeds(np.asarray(left), right))


def _both(one: bool | None, other: bool | None) -> bool | None:
    """Whether both hold; one that does not is enough for a no."""
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _severe(
    losing: bool | None, growth: float | None, net_out: float | None, lines: PopulationLines
) -> bool | None:
    """Grade a loss; both lines belong to the severe side."""
    if not losing or growth is None:
        return losing
    fast = not exceeds(np.asarray(growth), lines.severe_growth)
    emptied = net_out is not None and at_least(np.asarray(net_out), lines.severe_net_out)
    return bool(fast or emptied)


# -- from accounts -------------------------------------------------------------------------------


def population_from_panel(
    panel: Panel, row: int, quarter: int, *, lines: PopulationLines | None = None
) -> Population | None:
    """Judge the population of a government from what its accounts report.

    Parameters
    ----------
    panel : Panel
    row : int
    quarter : int
        Ordinal of the last quarter looked at.
    lines : PopulationLines, optional

    Returns
    -------
    Population or None
        None when no residents are reported.
    """
    residents = _by_year(panel, "resident_population", row, quarter)
    if not residents:
        return None
    year = max(residents)
    before = _year_before(residents, year)
    registered = _by_year(panel, "registered_population", row, quarter)
    # A registered population more than a year off is that of another time.
    near = min(registered, key=lambda y: (abs(y - year), -y), default=None)
    judged = judge_population(
        residents[year], year,
        earlier=None if before is None else residents[before], earlier_year=before,
        registered=registered[near] if near is not None and abs(near - year) <= 1 else None,
        lines=lines,
    )  # fmt: skip
    seats = _by_year(panel, "county_seat_population", row, quarter)
    seat = None if before is None else _growth(seats.get(year, np.nan), year,
                                               seats.get(before), before)  # fmt: skip
    return replace(judged, seat_growth=seat if seat is not None and np.isfinite(seat) else None)


def _by_year(panel: Panel, name: str, row: int, quarter: int) -> dict[int, float]:
    """Last value of each year up to a quarter."""
    values = panel.value(name)[row]
    last = min(quarter - panel.first_quarter, panel.quarters - 1)
    return {
        (panel.first_quarter + column) // 4: float(values[column])
        for column in range(last + 1)
        if np.isfinite(values[column]) and values[column] > 0
    }


def _year_before(years: Mapping[int, float] | Sequence[int], year: int) -> int | None:
    far = [y for y in years if year - y >= SHORTEST_SPAN]
    return min(far, key=lambda y: (abs(year - y - SPAN), y), default=None)


# -- from a census file --------------------------------------------------------------------------


def census_populations(
    path: Path, *, lines: PopulationLines | None = None
) -> Mapping[str, Population]:
    """Judge the population of every place of a census file, by code.

    A place with one count only is kept without growth. Where the file gives no registered
    population, growth alone decides, and the result says so.

    Parameters
    ----------
    path : Path
        See :func:`debtwatch.panel.census.read_census`.
    lines : PopulationLines, optional

    Raises
    ------
    DataProblem
        When the file cannot be used.
    """
    census = read_census(path)
    return {code: _of_counts(census, own, lines) for code, own in census.counts.items()}


def _of_counts(
    census: Census, counts: tuple[Count, ...], lines: PopulationLines | None
) -> Population:
    by_year = {count.year: count for count in counts}
    latest = counts[-1]
    before = _year_before(list(by_year), latest.year)
    # A code that ends with an old census says nothing about who lives there now.
    registered = None if before is None else latest.registered
    judged = judge_population(
        latest.resident, latest.year,
        earlier=None if before is None else by_year[before].resident, earlier_year=before,
        registered=registered, lines=lines,
        basis="growth_only" if registered is None else "both",
    )  # fmt: skip
    return replace(judged, boundaries_adjusted=census.boundaries_adjusted, source=census.source)


def population_of(
    panel: Panel,
    row: int,
    quarter: int,
    *,
    census: Mapping[str, Population] | None = None,
    lines: PopulationLines | None = None,
) -> Population | None:
    """Take the population of a government from its accounts, else from a census file.

    A census takes the place of accounts that allow no judgement. Codes shorter than six digits are
    looked up with zeros added (``4403`` as ``440300``).

    Returns
    -------
    Population or None
        None when neither knows the place.
    """
    own = population_from_panel(panel, row, quarter, lines=lines)
    if own is not None and own.losing is not None:
        return own
    code = str(panel.units.index[row])
    counted = None if census is None else census.get(code, census.get(code.ljust(6, "0")))
    if counted is not None and counted.resident_year <= quarter // 4:
        return counted
    return own

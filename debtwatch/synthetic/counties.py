"""A set of counties: their places, their figures as reported, and what is wrong in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from debtwatch.panel.fields import field_named
from debtwatch.panel.period import quarter
from debtwatch.synthetic.dirt import Dirt, choose_dirt, publication_dates, slipped
from debtwatch.synthetic.economy import simulate
from debtwatch.synthetic.paths import YEARS, Floats, Ints

#: Fields written, grouped as the merged headings of some workbooks group them.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("一般公共预算", (
        "gpb_revenue", "tax_revenue", "nontax_revenue", "gpb_transfer_in", "tax_rebate_in",
        "general_transfer_in", "special_transfer_in", "gpb_transfer_out", "gpb_expenditure",
        "sanbao_expenditure", "gpb_debt_principal", "gpb_debt_interest")),
    ("政府性基金", (
        "gfb_revenue", "land_revenue", "gfb_transfer_in", "gfb_transfer_out", "gfb_expenditure",
        "gfb_debt_principal", "gfb_debt_interest")),
    ("政府债务", (
        "general_debt_limit", "special_debt_limit", "general_debt_balance",
        "special_debt_balance", "debt_balance")),
    ("债券发行", (
        "new_general_bonds", "new_special_bonds", "refinancing_general_bonds",
        "refinancing_special_bonds")),
    ("经济社会", ("gdp", "resident_population", "registered_population")),
)  # fmt: skip
FIELDS = tuple(name for _, names in GROUPS for name in names)

# No real county starts with one of these characters.
_FIRST = (
    "霁岫珩砚筠霭翎笙萤汐琉璎黛绮霓曦澹渺漪湄湉潋泠淙溯屿峤嵘苒荻蓼茉葭苓菁蘅槿楹椿樱棣枫栀檀杳晗昕晟暄旻昀煦烨熠炘"
    "阑珞琤瑟羲"
)
_SECOND = (
    "川山河原溪泉湖谷林峰岭州阳平安宁丰和昌荣庆乐康泽塘"
    "浦台城桥渡湾洲口门坪坡源水田岗岩滩井屯堡关寨岸津陂"
)
_PROVINCE_FIRST, _PROVINCE_SECOND = "云霜星霞鹤松虹雪麓砂", "岭原海川泽陵湾岚洲屏"


@dataclass(frozen=True)
class Places:
    """Codes and names of counties and provinces.

    Attributes
    ----------
    codes, names : tuple of str
        Counties, in the order of the rows of all figures.
    province : ndarray of int, shape (county,)
        Position of each county's province.
    province_codes, province_names : tuple of str
        Provinces.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    province: NDArray[np.intp]
    province_codes: tuple[str, ...]
    province_names: tuple[str, ...]


@dataclass(frozen=True)
class CountySet:
    """A whole synthetic set: figures as reported, in 万元 and people, and what is wrong in them.

    Attributes
    ----------
    places : Places
        Codes and names.
    first : int
        Ordinal of the first quarter.
    values : dict of ndarray of int, shape (county, quarter)
        True figure of every field; flows are cumulative from January.
    published : ndarray of datetime64, shape (county, quarter)
        Publication dates.
    dirt : Dirt
        Faults.
    cells : dict
        Figures in a wrong unit, by county, quarter and field.
    """

    places: Places
    first: int
    values: dict[str, Ints]
    published: NDArray[np.datetime64]
    dirt: Dirt
    cells: dict[tuple[int, int, str], float]

    @property
    def quarters(self) -> int:
        """Number of quarters."""
        return int(self.published.shape[1])

    def cell(self, county: int, t: int, name: str) -> float:
        """Figure as written, slips included."""
        return self.cells.get((county, t, name), int(self.values[name][county, t]))

    def status(self, t: int) -> str:
        """Status of a quarter: the last year is preliminary."""
        return "快报" if t >= self.quarters - 4 else "决算"

    def rows(self, county: int) -> list[int]:
        """Quarters written for a county, a duplicated one twice."""
        doubles = {t for c, t in self.dirt.duplicates if c == county}
        present = np.flatnonzero(~self.dirt.missing[county])
        return [int(t) for t in present for _ in range(2 if int(t) in doubles else 1)]


def build(rng: Generator, dirt_rng: Generator, n: int, last: int) -> tuple[CountySet, Floats]:
    """Simulate the set; also returns each county's capacity of the last four quarters."""
    places = _places(rng, n)
    last_year = last // 4
    quarters = 4 * (YEARS - 1) + last % 4 + 1
    flows, capacity = simulate(rng, places.province, last_year, quarters)
    values = {name: _as_reported(name, flows[name])[:, :quarters] for name in FIELDS}
    dirt = choose_dirt(dirt_rng, n, quarters)
    first = quarter(last_year - YEARS + 1, 1)
    cells = {
        (s.county, s.quarter, s.field): slipped(values[s.field][s.county, s.quarter], s.factor)
        for s in dirt.slips
    }
    published = publication_dates(dirt_rng, first, dirt)
    return CountySet(
        places=places, first=first, values=values, published=published, dirt=dirt, cells=cells
    ), capacity


def _as_reported(name: str, quarterly: Ints) -> Ints:
    """Cumulate a flow within each year; a stock stays as it is."""
    if field_named(name).kind == "stock":
        return quarterly
    years = quarterly.reshape(len(quarterly), -1, 4)
    return years.cumsum(axis=2).reshape(quarterly.shape)


def _places(rng: Generator, n: int) -> Places:
    provinces = int(np.clip(round(n / 100), min(3, n), 100))
    province = np.arange(n) * provinces // n
    rank = np.arange(n) - np.searchsorted(province, province)
    prefixes = [f"9{(10 + p) % 100:02d}" for p in range(provinces)]
    codes = tuple(f"{prefixes[p]}{r + 1:03d}" for p, r in zip(province, rank, strict=True))
    names = tuple(
        f"{_PROVINCE_FIRST[p % 10]}{_PROVINCE_SECOND[(p // 10 + p) % 10]}省（虚构）"
        for p in range(provinces)
    )
    return Places(
        codes, _names(rng, n), province, tuple(f"{prefix}000" for prefix in prefixes), names
    )


def _names(rng: Generator, n: int) -> tuple[str, ...]:
    """Make unique names of two syllables, of three when two do not suffice."""
    pairs = [a + b for a in _FIRST for b in _SECOND]
    stems = pairs if n <= len(pairs) else [p + c for p in pairs for c in _SECOND]
    chosen = rng.choice(len(stems), n, replace=False)
    ends = rng.choice(np.array(["县", "市", "区"]), n, p=[0.7, 0.12, 0.18])
    return tuple(stems[i] + end for i, end in zip(chosen, ends, strict=True))

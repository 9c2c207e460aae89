"""Sourced defaults for Chinese local governments, from ``models/defaults/cn.toml``."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.period import parse_quarter

Shares = tuple[float, float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Where the figures come from, in both languages."""

    zh: str
    en: str


class Maturity(_Strict):
    """When principal falls due within a year and how much of it is refinanced.

    ``low`` and ``high`` are the extremes of the years behind the mean. ``refinanced_by_ledger`` is
    an assumption.
    """

    quarter_shares: Shares
    quarter_shares_low: Shares
    quarter_shares_high: Shares
    refinanced_share: float
    refinanced_low: float
    refinanced_high: float
    refinanced_by_year: dict[str, float]
    refinanced_by_ledger: dict[Literal["general", "special"], float]


class RefinancingTerms(_Strict):
    """Tenors (whole years) of refinancing bonds and their weights: an assumption."""

    tenor_mix: tuple[tuple[int, float], ...]


class Spread(_Strict):
    """Smallest figure, quartiles and largest figure across issuers."""

    low: float
    lower: float
    median: float
    upper: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Spread:
        figures = [self.low, self.lower, self.median, self.upper, self.high]
        if figures != sorted(figures):
            raise ValueError("the figures of a spread must rise from low to high")
        return self


class Issuance(_Strict):
    """A year's bonds across issuers: % a year, years, and parts of issuance."""

    year: int
    known_from: dt.date
    rate: Spread
    tenor: Spread
    general_share: Spread
    refinancing_share: Spread
    refinancing_share_general: Spread
    refinancing_share_special: Spread


class IssueTerms(_Strict):
    """Average rate (% a year) and tenor (years) of the bonds issued in twelve months."""

    to: str
    known_from: dt.date
    rate: float
    tenor: float


class Swap(_Strict):
    """Last quarter of the approved swap of hidden debt."""

    last_quarter: str


class Defaults(_Strict):
    """All defaults; see the file for the source of each."""

    source: Source
    seasonal: dict[str, Shares]
    seasonal_pattern: dict[str, str]
    maturity: Maturity
    refinancing: RefinancingTerms
    issue_terms: tuple[IssueTerms, ...]
    issue_months: dict[str, tuple[float, float]]
    issuance: Issuance
    swap: Swap

    @model_validator(mode="after")
    def _consistent(self) -> Defaults:
        for name, shares in {**self.seasonal, "maturity": self.maturity.quarter_shares}.items():
            if abs(sum(shares) - 1) > 1e-3 or min(shares) <= 0:
                raise ValueError(f"the four shares of {name} must be positive and sum to 1")
        unknown = set(self.seasonal_pattern.values()) - set(self.seasonal)
        if unknown:
            raise ValueError(f"no seasonal pattern is named {', '.join(sorted(unknown))}")
        if parse_quarter(self.swap.last_quarter) is None:
            raise ValueError(f"{self.swap.last_quarter} is not a quarter")
        months = [_month_end(name) for name in self.issue_months]
        if months != sorted(months):
            raise ValueError("the months of issue must be in order")
        return self

    @model_validator(mode="after")
    def _refinancing_consistent(self) -> Defaults:
        own = self.maturity
        low, high = own.refinanced_low, own.refinanced_high
        if not 0 <= low <= own.refinanced_share <= high <= 1:
            raise ValueError("the refinanced share must lie between its low and its high")
        outside = [s for s in own.refinanced_by_year.values() if not low <= s <= high]
        # Assumed shares are given to two decimals, the observed range to three.
        ledgers = own.refinanced_by_ledger.values()
        outside += [s for s in ledgers if not round(low, 2) <= s <= round(high, 2)]
        if outside or set(own.refinanced_by_ledger) != {"general", "special"}:
            raise ValueError("refinanced shares must be given and lie in the observed range")
        for least, mean, most in zip(
            own.quarter_shares_low, own.quarter_shares, own.quarter_shares_high, strict=True
        ):
            if not 0 <= least <= mean <= most <= 1:
                raise ValueError("a quarter's share must lie between its low and its high")
        if not all(years >= 1 and weight > 0 for years, weight in self.refinancing.tenor_mix):
            raise ValueError("a tenor mix needs whole years with weights above zero")
        return self

    def shares(self, field: str) -> Shares:
        """Seasonal shares of a flow, scaled to sum to 1 exactly.

        Examples
        --------
        >>> round(sum(defaults().shares("gpb_revenue")), 12)
        1.0
        """
        shares = self.seasonal[self.seasonal_pattern.get(field, "even")]
        total = sum(shares)
        return (shares[0] / total, shares[1] / total, shares[2] / total, shares[3] / total)

    def issue_months_on(self, day: dt.date) -> dict[str, tuple[float, float]]:
        """Rate (% a year) and tenor (years) of each month's bonds known on a day, oldest first.

        A month is taken as known at the end of the month after it.

        Examples
        --------
        >>> list(defaults().issue_months_on(dt.date(2024, 9, 30)).items())
        [('2024-07', (2.24, 10.17)), ('2024-08', (2.24, 14.22))]
        """
        known = self.issue_months.items()
        return {name: terms for name, terms in known if _month_end(name, after=1) <= day}

    def terms_on(self, day: dt.date) -> IssueTerms:
        """Latest average issue terms known on a day; the earliest before any was known."""
        known = [terms for terms in self.issue_terms if terms.known_from <= day]
        return known[-1] if known else self.issue_terms[0]


def _month_end(name: str, after: int = 0) -> dt.date:
    """Last day of a month such as 2025-03, or of a later one."""
    year, month = name.split("-")
    months = 12 * int(year) + int(month) + after
    return dt.date(months // 12, months % 12 + 1, 1) - dt.timedelta(days=1)


@cache
def defaults() -> Defaults:
    """Load the defaults.

    Raises
    ------
    ModelProblem
        When the file is damaged; all faults at once.
    """
    path = resources.models() / "defaults" / "cn.toml"
    try:
        return Defaults.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The defaults in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error

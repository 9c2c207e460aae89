"""Sourced defaults for Chinese local governments, from ``models/defaults/cn.toml``."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache

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
    """When principal falls due within a year and how much of it is refinanced."""

    quarter_shares: Shares
    refinanced_share: float


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
    issue_terms: tuple[IssueTerms, ...]
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

    def terms_on(self, day: dt.date) -> IssueTerms:
        """Latest average issue terms known on a day; the earliest before any was known."""
        known = [terms for terms in self.issue_terms if terms.known_from <= day]
        return known[-1] if known else self.issue_terms[0]


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

"""Yearly fiscal commitment of a public-private partnership, as (2015) No. 21 of the ministry asks.

Four parts: equity in the years of construction; subsidy, risk and matching inputs afterwards or
when they fall due. The subsidy grows with the discount rate, so that the last years weigh most: the
test is on the largest year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Payment = Literal["user_pay", "viability_gap", "government_pay"]


@dataclass(frozen=True)
class Commitment:
    """Fiscal commitment by year: construction first, then operation; yuan.

    Attributes
    ----------
    equity, subsidy, risk, support : ndarray, shape (years,)
    """

    equity: Array
    subsidy: Array
    risk: Array
    support: Array

    @property
    def total(self) -> Array:
        """All four parts."""
        return self.equity + self.subsidy + self.risk + self.support

    def by_year(self, first: int) -> dict[int, float]:
        """Give the total by calendar year, as a proposal states it."""
        return {first + k: float(amount) for k, amount in enumerate(self.total)}


def operating_subsidy(
    cost: float,
    opex: float | Sequence[float],
    *,
    profit: float,
    discount: float,
    years: int,
    user_fees: float | Sequence[float] = 0.0,
) -> Array:
    """Subsidy of each operating year t: ``C (1 + pi) (1 + d)^t / N + opex_t (1 + pi) - fees_t``.

    Parameters
    ----------
    cost : float
        Construction cost C that the private side bears, yuan.
    opex : float or sequence of float
        Running cost a year.
    profit : float
        Reasonable profit rate pi.
    discount : float
        Yearly discount rate d.
    years : int
        Years of subsidy N.
    user_fees : float or sequence of float
        What users pay; nothing where the government pays all. The subsidy is never negative.

    Examples
    --------
    >>> paid = operating_subsidy(30_000, 800, profit=0.06, discount=0.05, years=10)
    >>> paid[[0, 1, 9]].round(2).tolist()
    [4187.0, 4353.95, 6027.88]
    """
    t = np.arange(1, years + 1)
    running = np.asarray(opex, dtype=np.float64) * (1 + profit)
    gross = cost * (1 + profit) * (1 + discount) ** t / years + running
    subsidy: Array = np.maximum(gross - np.asarray(user_fees, dtype=np.float64), 0.0)
    return subsidy


def expected_risk(scenarios: Sequence[tuple[float, float]]) -> float:
    """Weigh spending on risks the government bears: ``p1 s1 + p2 s2 + ...``.

    Parameters
    ----------
    scenarios : sequence of (float, float)
        Probability and spending of each.

    Examples
    --------
    >>> expected_risk([(0.25, 400.0), (0.75, 0.0)])
    100.0
    """
    return sum(probability * spending for probability, spending in scenarios)


def annual_commitment(
    subsidy: Sequence[float] | Array,
    *,
    capital: Sequence[float],
    government_share: float,
    risk: float | Sequence[float] = 0.0,
    support: Sequence[float] = (),
) -> Commitment:
    """Put the four parts of the commitment on one axis of years.

    Parameters
    ----------
    subsidy : sequence of float
        Of each operating year, such as :func:`operating_subsidy`; zeros where users pay.
    capital : sequence of float
        Project capital paid in in each year of construction, yuan.
    government_share : float
        Share of the capital that the government pays, decimal.
    risk : float or sequence of float
        Risk spending of each operating year.
    support : sequence of float
        Matching inputs less what the private side pays for them, from the first year on.

    Examples
    --------
    >>> annual_commitment([10.0, 11.0], capital=[50.0, 50.0], government_share=0.2, risk=1.0,
    ...                   support=[5.0]).total.tolist()
    [15.0, 10.0, 11.0, 12.0]
    """
    building, running = len(capital), len(subsidy)
    years = max(building + running, len(support))
    equity, paid, borne, matched = np.zeros((4, years))
    equity[:building] = np.asarray(capital, dtype=np.float64) * government_share
    paid[building : building + running] = subsidy
    borne[building : building + running] = risk
    matched[: len(support)] = support
    return Commitment(equity, paid, borne, matched)


def largest_share(
    commitments: Mapping[int, float], expenditure: float, *, others: float = 0.0
) -> tuple[float, int | None]:
    """Largest yearly share of general budget expenditure, and its year.

    Parameters
    ----------
    commitments : mapping from calendar year to float
        Of one project, yuan.
    expenditure : float
        General public budget expenditure, yuan a year; it is not assumed to grow.
    others : float
        Largest share of all other partnerships. Their largest year may be another one, so the sum
        is on the high side.

    Examples
    --------
    >>> largest_share({2029: 30.0, 2030: 50.0}, 1_000.0, others=0.04)
    (0.09, 2030)
    """
    if not commitments:
        return others, None
    year = max(commitments, key=lambda y: (commitments[y], -y))
    return others + commitments[year] / expenditure, year

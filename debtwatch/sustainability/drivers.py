"""Growth of revenue and transfers in the outlook: pooled, stated, from ``models/outlook.toml``.

``growth of a group = median over governments of (x(t) / x(t - 4 n))^(1/n) - 1`` where x is the sum
of four quarters. Ten years of one government say little about its next three; the pool says more.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Bilingual

Array = NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Part):
    """Flows that grow together."""

    id: str
    label: Bilingual
    fields: tuple[str, ...]
    pool_years: int
    weight: float
    fade: float


class Bounds(_Part):
    """Bounds of a believed growth, a year."""

    low: float
    high: float


class OutlookSettings(_Part):
    """Assumptions of the central outlook."""

    quarters: int
    group: tuple[Group, ...]
    bounds: Bounds


@cache
def outlook_settings() -> OutlookSettings:
    """Load the assumptions.

    Raises
    ------
    ModelProblem
        When the file is damaged.
    """
    path = resources.models() / "outlook.toml"
    try:
        return OutlookSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The outlook settings in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error


@dataclass(frozen=True)
class PooledGrowth:
    """Growth assumed for one group.

    Attributes
    ----------
    group : Group
    pooled : float
        Median yearly growth of the pool, decimal.
    units : int
        Governments in the pool.
    """

    group: Group
    pooled: float
    units: int

    @property
    def first_year(self) -> float:
        """Growth of the first year ahead."""
        return self.pooled * self.group.weight

    def path(self, quarters: int) -> Array:
        """Growth on the same quarter of the year before, for each quarter ahead."""
        return np.array([self.first_year * self.group.fade ** (k // 4) for k in range(quarters)])


def pooled_growth(annual: Mapping[str, Array], column: int) -> dict[str, PooledGrowth]:
    """Estimate the growth of every group as known at a quarter.

    Parameters
    ----------
    annual : mapping from field to ndarray, shape (units, quarters)
        Four-quarter figures; nothing after ``column`` is used.
    column : int

    Returns
    -------
    dict from group id to PooledGrowth
        Zero growth, with 0 units, where nobody has figures for all the years.
    """
    settings = outlook_settings()
    return {group.id: _group_growth(annual, column, group, settings) for group in settings.group}


def _group_growth(
    annual: Mapping[str, Array], column: int, group: Group, settings: OutlookSettings
) -> PooledGrowth:
    before = column - 4 * group.pool_years
    rates: list[Array] = []
    for name in group.fields:
        values = annual.get(name)
        if values is None or before < 0:
            continue
        now, then = values[:, column], values[:, before]
        usable = (now > 0) & (then > 0)
        rates.append((now[usable] / then[usable]) ** (1 / group.pool_years) - 1)
        if len(rates[-1]):
            break  # the first field of a group that is reported leads it
    pooled = rates[-1] if rates else np.array([])
    if not len(pooled):
        return PooledGrowth(group, 0.0, 0)
    middle = float(np.clip(np.median(pooled), settings.bounds.low, settings.bounds.high))
    return PooledGrowth(group, middle, len(pooled))

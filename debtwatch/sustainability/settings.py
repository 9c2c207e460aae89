"""Assumptions of the outlook, from ``models/outlook.toml``."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Bilingual

DRIVERS = ("own_revenue", "transfers", "land", "general_borrowing", "special_borrowing")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimation(_Part):
    """How far a short record is believed."""

    half_life: float = Field(gt=0)
    prior_weight: float = Field(gt=0)
    least_weight: float = Field(gt=0)
    fewest_years: int = Field(ge=1)
    fewest_quarters: int = Field(ge=8)
    dynamics_prior: float = Field(ge=0)
    national_prior: float = Field(ge=0)
    national_share: float = Field(ge=0, le=1)
    growth_low: float
    growth_high: float
    mean_block: float = Field(ge=1)


class Driver(_Part):
    """Something that moves on its own: a revenue, or net borrowing."""

    id: Literal["own_revenue", "transfers", "land", "general_borrowing", "special_borrowing"]
    label: Bilingual
    fields: tuple[str, ...]
    drift: bool
    spread_floor: float = Field(ge=0)


class Held(_Part):
    """Flows that stay as they are."""

    fields: tuple[str, ...]


class Yields(_Part):
    """Common movement of the yields of new bonds, per quarter."""

    spread: float = Field(ge=0)
    persistence: float = Field(ge=0, lt=1)


class Closing(_Part):
    """How a ledger is closed when a path leaves the plan."""

    follow: float = Field(ge=0, le=1)
    rigid_share: float = Field(ge=0, le=1)
    cut_share: float = Field(ge=0, le=1)
    fund_target: float = Field(ge=0)
    land_share: float = Field(ge=0, le=1)


class Calibration(_Part):
    """Factors that a back-test asks for, and what they were measured on."""

    inflation: float = Field(ge=1, le=5)
    drift_inflation: float = Field(ge=1, le=5)
    measured: Bilingual


class OutlookSettings(_Part):
    """All assumptions of the outlook."""

    quarters: int = Field(ge=4, le=80)
    paths: int = Field(ge=100, le=1_000_000)
    consecutive: Literal[1, 2]
    estimation: Estimation
    driver: tuple[Driver, ...] = Field(min_length=5, max_length=5)
    held: Held
    yields: Yields
    closing: Closing
    calibration: Calibration

    def driver_named(self, name: str) -> Driver:
        """Driver with an id."""
        return next(driver for driver in self.driver if driver.id == name)


@cache
def outlook_settings() -> OutlookSettings:
    """Load the assumptions.

    Raises
    ------
    ModelProblem
        When the file is damaged; all faults at once.
    """
    path = resources.models() / "outlook.toml"
    try:
        settings = OutlookSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The outlook settings in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error
    if tuple(driver.id for driver in settings.driver) != DRIVERS:
        raise ModelProblem(
            N_("The outlook settings in {path} cannot be used: {reason}"),
            path=path,
            reason=f"the drivers must be {', '.join(DRIVERS)}, in this order",
        )
    return settings

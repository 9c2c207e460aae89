"""Our own cut-offs of the screening, from ``models/screening.toml``."""

from __future__ import annotations

import tomllib
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.screening.project import Project


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ImpactSettings(_Part):
    """How a breach is counted; printed in every memo."""

    horizon: int = Field(ge=1, le=20)
    paths: int = Field(ge=100, le=1_000_000)
    consecutive: int = Field(ge=1, le=2)
    tolerance: float = Field(gt=0, lt=1)


class ProbabilityLines(_Part):
    """Lower edges of the probability of breach, and of what the project adds to it."""

    conditional: float
    defer: float
    reject: float
    added_conditional: float
    added_defer: float
    added_reject: float


class LiquidityLines(_Part):
    """Gross financing need over capacity: more than."""

    conditional: float
    defer: float


class NeedSettings(_Part):
    """Service need against residents."""

    low_growth_gap: float = Field(le=0)
    ceiling: float
    excess: float


class PopulationLines(_Part):
    """When population loss counts as severe."""

    severe_growth: float
    severe_net_out: float


class CostLines(_Part):
    """Cost against the library and the feasibility study: more than."""

    outlier: float
    growth: float


class ValueSettings(_Part):
    """Social discount rates."""

    social_rate: float
    long_benefit_rate: float


class StressSettings(_Part):
    """Stress of a project's own cash, each alone."""

    revenue: float = Field(le=0)
    land_linked: float = Field(le=0)
    cost: float = Field(ge=0)
    delay_quarters: int = Field(ge=0)
    rate: float = Field(ge=0)


class Validity(_Part):
    """How long a pass holds."""

    pass_quarters: int
    moved: float


class OverrideLines(_Part):
    """When an ongoing project counts as near completion."""

    near_completion: float


class RemedySettings(_Part):
    """Figures of conditions and remedies."""

    buffer: float
    stage_quarters: int
    stage_use: float
    asset_use: float
    interest_covenant: float
    delay_cost: float


class ScoreWeights(_Part):
    """Weights of a project's score."""

    mandatory_safety: float
    need_gap: float
    economic_value: float
    residents: float
    readiness: float
    climate_food_water: float


class PortfolioSettings(_Part):
    """The choice among projects."""

    buffer: float = Field(ge=0)
    starts: int = Field(ge=1, le=20)
    scales: tuple[float, ...]
    discount: float = Field(gt=0, le=1)
    time_limit: float = Field(gt=0)
    gap: float = Field(ge=0)
    need_pool: float
    tolerance: float = Field(gt=0, lt=1)
    weights: ScoreWeights


class DocumentSettings(_Part):
    """Documents that must exist, by kind of financing."""

    all: tuple[str, ...]
    special_bond: tuple[str, ...]
    ppp: tuple[str, ...]


class ScreeningSettings(_Part):
    """All of the file."""

    impact: ImpactSettings
    probability: ProbabilityLines
    liquidity: LiquidityLines
    need: NeedSettings
    population: PopulationLines
    cost: CostLines
    value: ValueSettings
    stress: StressSettings
    validity: Validity
    override: OverrideLines
    remedy: RemedySettings
    portfolio: PortfolioSettings
    documents: DocumentSettings


def required_documents(project: Project, settings: ScreeningSettings) -> tuple[str, ...]:
    """List the documents that a project needs by its kinds of financing.

    Parameters
    ----------
    project : Project
    settings : ScreeningSettings
    """
    kinds = settings.documents
    bond = kinds.special_bond if project.amount_of("special_bond") > 0 else ()
    partnership = kinds.ppp if project.amount_of("ppp_private") > 0 else ()
    return tuple(dict.fromkeys((*kinds.all, *bond, *partnership)))


@cache
def screening_settings() -> ScreeningSettings:
    """Load the cut-offs.

    Raises
    ------
    ModelProblem
        When the file is damaged.

    Examples
    --------
    >>> screening_settings().impact.horizon
    12
    """
    path = resources.models() / "screening.toml"
    try:
        return ScreeningSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The cut-offs in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error

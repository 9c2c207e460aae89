"""Score of a project: what it does for residents, by weights of ours.

Five criteria, each from 0 to 1:

* need gap: share of the service needed that is missing, as it is;
* economic value: net present value at the social rate for each yuan of debt, nought when
  negative, over the largest among the candidates; 1 for a gain without debt;
* residents: residents served for each 万元 of investment, over the largest among the candidates;
* readiness: share of the documents required that exist;
* climate, food or water: whether it serves one of them.

What is not known counts nothing and is named. Mandatory safety comes first in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debtwatch.screening.coverage import Finance
from debtwatch.screening.project import Need, Project
from debtwatch.screening.settings import ScreeningSettings, required_documents

WAN = 1e4
#: Criteria that are measured against the largest among the candidates.
_RELATIVE = ("economic_value", "residents")


@dataclass(frozen=True)
class Score:
    """Score of one project.

    Attributes
    ----------
    code : str
    value : float
        Weighted sum of the parts, and the weight of mandatory safety.
    parts : mapping from criterion to float
        Each from 0 to 1, before weighting; 0 for what is not known.
    missing : tuple of str
        Criteria that are not known.
    mandatory_safety : bool
    """

    code: str
    value: float
    parts: Mapping[str, float]
    missing: tuple[str, ...] = ()
    mandatory_safety: bool = False


def missing_service(need: Need, residents: float | None) -> float | None:
    """Service that residents lack, in the unit of the need; None where it is not known.

    Parameters
    ----------
    need : Need
    residents : float or None
        Residents projected for the target year.

    Examples
    --------
    >>> missing_service(Need("m3_per_day", 20_000.0, 30_000.0, 0.16), 250_000.0)
    20000.0
    """
    if residents is None or need.standard_per_capita is None or need.existing is None:
        return None
    return max(residents * need.standard_per_capita - need.existing, 0.0)


def missing_share(need: Need, residents: float | None) -> float | None:
    """Share of the service needed that is missing; None where it is not known.

    Examples
    --------
    >>> missing_share(Need("m3_per_day", 20_000.0, 30_000.0, 0.16), 250_000.0)
    0.5
    """
    gap = missing_service(need, residents)
    wanted = (residents or 0.0) * (need.standard_per_capita or 0.0)
    return None if gap is None or wanted <= 0 else gap / wanted


def readiness(project: Project, settings: ScreeningSettings) -> float | None:
    """Share of the documents required that exist; None when no word is said of any of them."""
    required = set(required_documents(project, settings))
    stated = [project.documents.get(name) for name in required]
    if not required or all(answer is None for answer in stated):
        return None
    return sum(answer is True for answer in stated) / len(required)


def criteria(
    project: Project,
    finance: Finance | None,
    *,
    need_gap: float | None,
    settings: ScreeningSettings,
) -> dict[str, float | None]:
    """Criteria of a project in their own units; None where not known.

    Parameters
    ----------
    project : Project
    finance : Finance or None
    need_gap : float or None
        Share of the service needed that is missing.
    settings : ScreeningSettings
    """
    served, cost = project.priority.residents_served, project.total_investment / WAN
    return {
        "need_gap": _known(need_gap),
        "economic_value": _value_of_debt(project, finance),
        "residents": None if served is None or cost <= 0 else _known(served / cost),
        "readiness": readiness(project, settings),
        "climate_food_water": float(project.priority.climate_food_water),
    }


def score(
    project: Project,
    finance: Finance | None,
    *,
    need_gap: float | None,
    settings: ScreeningSettings,
    largest: Mapping[str, float],
) -> Score:
    """Score of a project among candidates.

    Parameters
    ----------
    project : Project
    finance : Finance or None
    need_gap : float or None
    settings : ScreeningSettings
    largest : mapping from criterion to float
        Largest finite value among the candidates; see :func:`scores_of`.
    """
    raw = criteria(project, finance, need_gap=need_gap, settings=settings)
    parts = {name: _part(name, value, largest) for name, value in raw.items()}
    weights = settings.portfolio.weights
    safety = project.priority.mandatory_safety
    total = sum(getattr(weights, name) * part for name, part in parts.items())
    return Score(
        project.code,
        total + (weights.mandatory_safety if safety else 0.0),
        parts,
        tuple(name for name, value in raw.items() if value is None),
        safety,
    )


def scores_of(
    projects: Sequence[Project],
    finances: Mapping[str, Finance],
    *,
    need_gaps: Mapping[str, float | None],
    settings: ScreeningSettings,
) -> dict[str, Score]:
    """Score all candidates of one government, by code.

    Parameters
    ----------
    projects : sequence of Project
    finances : mapping from code to Finance
    need_gaps : mapping from code to float or None
        Share of the service needed that is missing.
    settings : ScreeningSettings
    """
    raw = [
        criteria(p, finances.get(p.code), need_gap=need_gaps.get(p.code), settings=settings)
        for p in projects
    ]
    largest = {
        name: max((v for r in raw if (v := r[name]) is not None and v < np.inf), default=0.0)
        for name in _RELATIVE
    }
    return {
        p.code: score(p, finances.get(p.code), need_gap=need_gaps.get(p.code), settings=settings,
                      largest=largest)
        for p in projects
    }  # fmt: skip


def _value_of_debt(project: Project, finance: Finance | None) -> float | None:
    if finance is None or not np.isfinite(finance.enpv):
        return None
    if project.debt <= 0:
        return float("inf") if finance.enpv > 0 else 0.0
    return finance.enpv / project.debt


def _part(name: str, value: float | None, largest: Mapping[str, float]) -> float:
    if value is None or value <= 0:
        return 0.0
    if name in _RELATIVE and value < np.inf:
        return min(value / largest[name], 1.0) if largest.get(name, 0.0) > 0 else 0.0
    return min(value, 1.0)


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None

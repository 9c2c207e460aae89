"""Which governments could be built up first: a ranking whose criteria and weights are a file.

``accounts, population, central outlook -> criteria -> percentile ranks -> weighted mean``. A value
that is missing makes the score a range and is never averaged away. Governments in a gated level, in
restructuring or over their limit are not ranked, nor those of which that cannot be told; they still
count among those that the others are compared with.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy.stats import rankdata

from debtwatch import resources
from debtwatch.errors import DataProblem, ModelProblem, RulebookProblem
from debtwatch.language import N_
from debtwatch.panel.fields import is_field
from debtwatch.panel.panel import Panel
from debtwatch.panel.period import quarter_text
from debtwatch.provenance import sha256_of_bytes
from debtwatch.rules.assess import Assessment, assess, lines_of
from debtwatch.rules.capacity import Basis, history_inputs
from debtwatch.rules.expression import TOLERANCE, Formula, evaluate, parse
from debtwatch.rules.rulebook import UNKNOWN, Bilingual, Rulebook, choose
from debtwatch.screening.governments import GovernmentFacts
from debtwatch.screening.population import Population, population_of
from debtwatch.screening.sentence import Name, Sentence
from debtwatch.screening.settings import screening_settings
from debtwatch.sustainability.accounts import Outlook

Array = NDArray[np.float64]
TIERS, QUOTA, RESTRUCTURING = "cn-debt-tiers", "cn-debt-quota", "cn-fiscal-restructuring"
#: Names in formulas beside fields of the data dictionary.
DERIVED = ("residents", "residents_growth", "seat_growth", "output", "output_growth_rate",
           "debt_ratio", "worst_ratio_ahead", "gate_line")  # fmt: skip
TOTALS = ("general_capacity", "fund_capacity", "comprehensive_fiscal_capacity", "debt_balance")
LEVEL_NAMES = {
    "province": N_("province level"),
    "city": N_("city level"),
    "county": N_("county level"),
    "corps": N_("corps"),
}
#: Quarters for which a yearly figure of output still counts as the latest.
_STALE = 8


# -- the file ------------------------------------------------------------------------------------


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Criterion(_Part):
    """One thing that speaks for a government, as a formula."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    group: str
    label: Bilingual
    formula: str
    unit: Literal["yuan", "ratio", "points", "number"]
    better: Literal["higher", "lower"]
    source: Bilingual

    @cached_property
    def parsed(self) -> Formula:
        """The formula, parsed once."""
        return parse(self.formula)

    @model_validator(mode="after")
    def _knows_its_names(self) -> Criterion:
        try:
            names = self.parsed.names()
        except RulebookProblem as problem:
            raise ValueError(str(problem)) from problem
        unknown = [n for n in names if not (n in DERIVED or n in TOTALS or is_field(n))]
        if unknown:
            raise ValueError(f"{self.id} uses {', '.join(unknown)}, which nothing provides")
        return self


class Gates(_Part):
    """What keeps a government from being ranked."""

    levels: tuple[str, ...]
    restructuring: bool
    over_quota: bool


class RankingModel(_Part):
    """Criteria, weights and gates."""

    fewest: int = Field(ge=2)
    gdp_years: int = Field(ge=1, le=20)
    gates: Gates
    weights: dict[str, float]
    groups: dict[str, Bilingual]
    criterion: tuple[Criterion, ...] = Field(min_length=1)
    path: str = ""
    sha256: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> RankingModel:
        ids = [c.id for c in self.criterion]
        faults = [f"{name} is declared twice" for name in set(ids) if ids.count(name) > 1]
        faults += [f"{name} has no weight" for name in ids if name not in self.weights]
        faults += [f"no criterion is named {name}" for name in self.weights if name not in ids]
        faults += [
            f"{c.id} is of group {c.group}, which is not declared"
            for c in self.criterion if c.group not in self.groups
        ]  # fmt: skip
        faults += [
            f"the weight of {name} is not a number from 0 on"
            for name, weight in self.weights.items() if not 0 <= weight < float("inf")
        ]  # fmt: skip
        if not faults and not sum(self.weights.values()) > 0:
            faults.append("no weight is above 0")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Weights that sum to 1, by criterion."""
        total = sum(self.weights.values())
        return {c.id: self.weights[c.id] / total for c in self.criterion}


def ranking_model(path: Path | None = None) -> RankingModel:
    """Load criteria, weights and gates.

    Parameters
    ----------
    path : Path, optional
        A file like ``models/ranking.toml``, which is the default, or one with ``[weights]`` alone.

    Raises
    ------
    ModelProblem
        When the file is damaged, or a weight is negative or missing, or all are zero.

    Examples
    --------
    >>> round(sum(ranking_model().shares.values()), 9)
    1.0
    """
    shipped = resources.models() / "ranking.toml"
    file = path or shipped
    try:
        content = file.read_bytes()
        data = tomllib.loads(content.decode("utf-8"))
        if path is not None and set(data) == {"weights"}:
            data = {**tomllib.loads(shipped.read_text(encoding="utf-8")), **data}
        named = {"path": file.name, "sha256": sha256_of_bytes(content)}
        return RankingModel.model_validate({**data, **named})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The weights in {path} cannot be used: {reason}"), path=file, reason=error
        ) from error


# -- scores --------------------------------------------------------------------------------------


def percentile_ranks(values: Array, *, lower_is_better: bool = False, fewest: int = 5) -> Array:
    """Rank values from 0 (worst) to 1 (best); equal values share their mean rank.

    Parameters
    ----------
    values : ndarray
        NaN where missing.
    lower_is_better : bool
    fewest : int
        With fewer values than this none is ranked.

    Returns
    -------
    ndarray
        NaN where missing.

    Examples
    --------
    >>> percentile_ranks(np.array([3.0, 1.0, np.nan, 3.0, 9.0, 5.0])).tolist()
    [0.375, 0.0, nan, 0.375, 1.0, 0.75]
    """
    ranks = np.full(np.shape(values), np.nan)
    known = np.isfinite(values)
    count = int(known.sum())
    if count >= max(2, fewest):
        signed = -values[known] if lower_is_better else values[known]
        ranks[known] = (rankdata(_steps(signed)) - 1) / (count - 1)
    return ranks


def _steps(values: Array) -> NDArray[np.intp]:
    """Give values numbers by size, the same where they differ in the last digits only."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    size = np.maximum(np.abs(ascending[1:]), np.abs(ascending[:-1]))
    steps = np.empty(len(values), dtype=np.intp)
    steps[order] = np.concatenate([[0], np.cumsum(np.diff(ascending) > TOLERANCE * size)])
    return steps


def score_ranges(ranks: Mapping[str, Array], weights: Mapping[str, float]) -> tuple[Array, Array]:
    """Weighted mean of ranks, with each missing rank at its worst and at its best.

    Parameters
    ----------
    ranks : mapping from criterion to ndarray
        From 0 to 1, NaN where missing.
    weights : mapping from criterion to float
        Not negative, not all zero.

    Returns
    -------
    low, high : ndarray

    Examples
    --------
    >>> low, high = score_ranges({"a": np.array([0.5]), "b": np.array([np.nan])}, {"a": 3, "b": 1})
    >>> low.tolist(), high.tolist()
    ([0.375], [0.625])
    """
    total = sum(weights[name] for name in ranks)
    parts = {name: weights[name] / total for name in ranks}
    low = sum(parts[name] * np.nan_to_num(rank, nan=0.0) for name, rank in ranks.items())
    high = sum(parts[name] * np.nan_to_num(rank, nan=1.0) for name, rank in ranks.items())
    return np.asarray(low), np.asarray(high)


# -- governments ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How a government stands on one criterion.

    Attributes
    ----------
    criterion : Criterion
    value, percentile : float or None
        None where missing, or where too few report it.
    share : float
        Weight, as a share of all weights.
    """

    criterion: Criterion
    value: float | None
    percentile: float | None
    share: float

    @property
    def low(self) -> float:
        """What it adds to the low end of the score."""
        return self.share * (0.0 if self.percentile is None else self.percentile)

    @property
    def high(self) -> float:
        """What it adds to the high end of the score."""
        return self.share * (1.0 if self.percentile is None else self.percentile)


@dataclass(frozen=True)
class Ranked:
    """A government with its place, or why it has none.

    Attributes
    ----------
    unit, name : str
    place : int or None
        From 1; None for those that are barred or unclear.
    low, high : float
        Ends of the score, 0 to 1; equal when nothing is missing.
    standings : tuple of Standing
        In the order of the file.
    level : Bilingual
        Present level of the debt-risk system.
    population : Population or None
    barred : tuple of Sentence
        Why it is not to be built up now.
    unclear : tuple of Sentence
        What cannot be told and keeps it from being ranked.
    """

    unit: str
    name: str
    place: int | None
    low: float
    high: float
    standings: tuple[Standing, ...]
    level: Bilingual
    population: Population | None = None
    barred: tuple[Sentence, ...] = ()
    unclear: tuple[Sentence, ...] = ()

    @property
    def missing(self) -> tuple[Criterion, ...]:
        """Criteria that make the score a range."""
        return tuple(s.criterion for s in self.standings if s.percentile is None and s.share > 0)


def rank_governments(
    panel: Panel,
    quarter: int,
    *,
    basis: Basis,
    outlook: Outlook,
    rulebooks: tuple[Rulebook, ...],
    model: RankingModel,
    level: str = "county",
    census: Mapping[str, Population] | None = None,
    facts: Mapping[str, GovernmentFacts] | None = None,
) -> list[Ranked]:
    """Rank the governments of one level.

    Parameters
    ----------
    panel : Panel
    quarter : int
        Ordinal of the quarter of the accounts.
    basis : Basis
        Capacity of each government.
    outlook : Outlook
        Central outlook from that quarter.
    rulebooks : tuple of Rulebook
        All that are known; the version in force is chosen.
    model : RankingModel
    level : str
    census : mapping from code to Population, optional
        Where accounts allow no judgement.
    facts : mapping from code to GovernmentFacts, optional

    Returns
    -------
    list of Ranked
        By the low end of the score, ties by code; then those without a place, by code.

    Raises
    ------
    DataProblem
        When the level has too few governments for a ranking, or no rulebook of levels is in force.
    """
    column = panel.column(quarter)
    rows = np.flatnonzero(np.asarray(panel.units["level"] == level))
    if column is None:
        raise _outside(panel, quarter)
    if len(rows) < model.fewest:
        raise DataProblem(
            N_("There are {count} governments at “{level}”; a ranking needs {fewest}."),
            count=len(rows),
            level=lambda translate: translate(LEVEL_NAMES.get(level, level)),
            fewest=model.fewest,
        )
    inputs = {name: values[:, column] for name, values in history_inputs(panel, basis).items()}
    gates = _gates(rulebooks, inputs, quarter)
    people = {row: population_of(panel, row, quarter, census=census) for row in rows.tolist()}
    figures = {
        **inputs,
        **_population_figures(people, len(panel.units)),
        **_output_figures(panel, column, model.gdp_years),
        **_debt_figures(gates[TIERS], outlook, model),
    }
    values = {c.id: _values(c, figures, rows) for c in model.criterion}
    ranks = {
        c.id: percentile_ranks(
            values[c.id], lower_is_better=c.better == "lower", fewest=model.fewest
        )
        for c in model.criterion
    }
    low, high = score_ranges(ranks, model.weights)
    scored = []
    for position, row in enumerate(rows.tolist()):
        code = str(panel.units.index[row])
        barred, unclear = _reasons(gates, row, level, model, (facts or {}).get(code))
        scored.append(
            Ranked(
                unit=code,
                name=str(panel.units["name"].iloc[row]),
                place=None,
                low=float(low[position]),
                high=float(high[position]),
                standings=_standings(model, values, ranks, position),
                level=_level(gates[TIERS], row),
                population=people[row],
                barred=barred,
                unclear=() if barred else unclear,
            )
        )
    return in_order(scored)


def _outside(panel: Panel, quarter: int) -> DataProblem:
    return DataProblem(
        N_(
            "There are no figures for {quarter}. As known on {as_of}, the store covers {first} to "
            "{last}."
        ),
        quarter=quarter_text(quarter),
        as_of=panel.as_of.isoformat(),
        first=quarter_text(panel.first_quarter),
        last=quarter_text(panel.first_quarter + panel.quarters - 1),
    )


def in_order(scored: Sequence[Ranked]) -> list[Ranked]:
    """Give places by the low end of the score, ties by code; those without a place come last."""
    # Sums of the same ranks in another order differ in the last digits only.
    free = sorted(
        (r for r in scored if not r.barred and not r.unclear),
        key=lambda r: (-round(r.low, 12), r.unit),
    )
    apart = sorted((r for r in scored if r.barred or r.unclear), key=lambda r: r.unit)
    return [*(replace(r, place=k) for k, r in enumerate(free, start=1)), *apart]


def _standings(
    model: RankingModel, values: Mapping[str, Array], ranks: Mapping[str, Array], position: int
) -> tuple[Standing, ...]:
    return tuple(
        Standing(
            criterion,
            _plain(values[criterion.id][position]),
            _plain(ranks[criterion.id][position]),
            model.shares[criterion.id],
        )
        for criterion in model.criterion
    )


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# -- figures of criteria -------------------------------------------------------------------------


def _values(criterion: Criterion, figures: Mapping[str, Any], rows: NDArray[np.intp]) -> Array:
    """Value of a criterion for some governments; NaN where a figure is missing."""
    own = {
        name: np.asarray(figures[name], dtype=np.float64)[rows]
        for name in criterion.parsed.names()
        if name in figures
    }
    with np.errstate(all="ignore"):
        found = np.asarray(evaluate(criterion.parsed, own), dtype=np.float64)
    found = np.broadcast_to(found, rows.shape)
    return np.where(np.isfinite(found), found, np.nan)


def _population_figures(people: Mapping[int, Population | None], units: int) -> dict[str, Array]:
    names = {"residents": "resident", "residents_growth": "growth", "seat_growth": "seat_growth"}
    found = {name: np.full(units, np.nan) for name in names}
    for row, one in people.items():
        for name, attribute in names.items():
            value = None if one is None else getattr(one, attribute)
            found[name][row] = np.nan if value is None else value
    return found


def _output_figures(panel: Panel, column: int, years: int) -> dict[str, Array]:
    """Latest yearly output and its yearly growth over some years."""
    yearly = panel.yearly.get("gdp", panel.value("gdp"))
    output, growth = (np.full(len(yearly), np.nan) for _ in range(2))
    for row, values in enumerate(yearly):
        recent = np.flatnonzero(np.isfinite(values[max(0, column - _STALE) : column + 1]))
        if not len(recent):
            continue
        last = max(0, column - _STALE) + int(recent[-1])
        output[row] = values[last]
        before = values[last - 4 * years] if last >= 4 * years else np.nan
        if before > 0 and values[last] > 0:
            growth[row] = (values[last] / before) ** (1 / years) - 1
    return {"output": output, "output_growth_rate": growth}


def _debt_figures(tiers: Assessment, outlook: Outlook, model: RankingModel) -> dict[str, Array]:
    """Debt ratio now, its highest value ahead, and the line at which building stops."""
    book = tiers.rulebook
    headline = book.indicator_named(book.headline or book.indicator[0].id)
    gated = min((o.severity for o in book.outcome if o.id in model.gates.levels), default=9)
    lines = [line.value for line in lines_of(book, headline) if line.severity >= gated]
    horizon = min(screening_settings().impact.horizon, outlook.quarters)
    units = len(tiers.values[headline.id])
    ahead = np.broadcast_to(
        assess(book, outlook.inputs).values[headline.id], (units, outlook.quarters)
    )
    return {
        "debt_ratio": tiers.values[headline.id],
        "worst_ratio_ahead": ahead[:, :horizon].max(axis=1),  # NaN where any quarter is missing
        "gate_line": np.full(units, min(lines, default=np.nan)),
    }


# -- gates ---------------------------------------------------------------------------------------


def _gates(
    rulebooks: tuple[Rulebook, ...], inputs: Mapping[str, Array], quarter: int
) -> dict[str, Assessment]:
    """Assess the rulebooks that bar a government, in the versions in force."""
    found = {}
    for family in (TIERS, QUOTA, RESTRUCTURING):
        book, _pinned = choose(rulebooks, family, quarter)
        if book is None and family == TIERS:
            raise DataProblem(
                N_("No version of {rulebook} applies to {quarter}."),
                rulebook=family, quarter=quarter_text(quarter),
            )  # fmt: skip
        if book is not None:
            found[family] = assess(book, inputs)
    return found


def _level(tiers: Assessment, row: int) -> Bilingual:
    return tiers.rulebook.outcome_named(str(tiers.outcome_ids()[row])).label


def _reasons(
    gates: Mapping[str, Assessment],
    row: int,
    level: str,
    model: RankingModel,
    facts: GovernmentFacts | None,
) -> tuple[tuple[Sentence, ...], tuple[Sentence, ...]]:
    """Reasons that bar a government, and gates that cannot be told."""
    barred: list[Sentence] = []
    unclear: list[Sentence] = []
    outcome = str(gates[TIERS].outcome_ids()[row])
    if outcome in model.gates.levels:
        details = {"level": Name(_level(gates[TIERS], row))}
        barred.append(Sentence(N_("By its debt ratio it falls in level {level}."), details))
    elif outcome == UNKNOWN:
        unclear.append(Sentence(N_("The debt-risk level cannot be told for lack of data.")))
    if model.gates.restructuring and facts is not None and facts.in_restructuring:
        barred.append(Sentence(N_("A fiscal restructuring plan has been started.")))
    for family, bad, wanted in (
        (RESTRUCTURING, "condition_met", model.gates.restructuring),
        (QUOTA, "over_limit", model.gates.over_quota),
    ):
        gate = gates.get(family)
        if not wanted or gate is None or level not in gate.rulebook.levels:
            continue
        told = str(gate.outcome_ids()[row])
        if told == bad:
            barred.append(Sentence(_BARS[family]))
        elif told == UNKNOWN:
            unclear.append(Sentence(_CANNOT_TELL[family]))
    return tuple(barred), tuple(unclear)


_BARS = {
    RESTRUCTURING: N_(
        "Interest meets the numeric condition of a fiscal restructuring plan; starting one is a "
        "decision of the authorities."
    ),
    QUOTA: N_("Debt exceeds its legal limit."),
}
_CANNOT_TELL = {
    RESTRUCTURING: N_("Whether interest meets the restructuring condition cannot be told."),
    QUOTA: N_("Whether debt is within its legal limit cannot be told."),
}

"""Rulebooks: warning systems as dated, sourced data, read from ``models/rulebooks``.

A rulebook names its fields, its indicators (one formula each), the bands of each indicator with
explicit inclusive (``ge``, ``le``) or exclusive (``gt``, ``lt``) edges, and rules that combine
bands into an outcome. Bands and rules are tried in order; the first hit decides. ``na`` is the band
of an indicator that cannot be computed and is never a good one.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from debtwatch import resources
from debtwatch.errors import RulebookProblem
from debtwatch.language import N_
from debtwatch.panel.period import parse_quarter
from debtwatch.provenance import sha256_of_bytes
from debtwatch.rules.expression import Formula, parse
from debtwatch.rules.units import fits, unit_of

NOT_IN_FORCE = "not_in_force"
UNKNOWN = "unknown"
NA = "na"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Bilingual(_Part):
    """A text in Chinese and English."""

    zh: str
    en: str


class FieldUse(_Part):
    """A field a rulebook needs and the kind of its values."""

    name: str
    unit: Literal["money", "people", "ratio", "percent", "number", "flag", "text", "series"]


class Band(_Part):
    """One band of an indicator; edges are joined by "and", ``otherwise`` catches the rest.

    Attributes
    ----------
    band : str
    lt, le, gt, ge, eq : float or None
        Edges; ``lt`` and ``gt`` exclude the number, ``le`` and ``ge`` include it.
    severity : int or None
        0 good to 3 worst; None where bands do not rank by themselves.
    """

    band: str
    lt: float | None = None
    le: float | None = None
    gt: float | None = None
    ge: float | None = None
    eq: float | None = None
    otherwise: bool = False
    severity: int | None = None
    label: Bilingual | None = None

    @model_validator(mode="after")
    def _has_edges(self) -> Band:
        edges = [self.lt, self.le, self.gt, self.ge, self.eq]
        if self.otherwise == any(edge is not None for edge in edges):
            raise ValueError(f"band {self.band} needs either edges or otherwise = true")
        if self.band == NA:
            raise ValueError("the band “na” is given by the evaluator")
        return self


class Indicator(_Part):
    """One figure of a rulebook, defined once by its formula."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    label: Bilingual
    formula: str
    text: Bilingual
    unit: Literal["ratio", "money", "percent", "points", "number", "years"] = "ratio"
    direction: Literal["higher_is_worse", "lower_is_worse", "none"] = "none"
    positive: tuple[str, ...] = ()
    nonzero: tuple[str, ...] = ()
    bands: tuple[Band, ...] = Field(min_length=1)

    @cached_property
    def parsed(self) -> Formula:
        """The formula, parsed once."""
        return parse(self.formula)

    @model_validator(mode="after")
    def _parses(self) -> Indicator:
        try:
            _ = self.parsed
        except RulebookProblem as problem:
            raise ValueError(str(problem)) from problem
        return self


class Rule(_Part):
    """A condition on bands and the outcome it gives."""

    when: str
    outcome: str

    @cached_property
    def parsed(self) -> Formula:
        """The condition, parsed once."""
        return parse(self.when)

    @model_validator(mode="after")
    def _parses(self) -> Rule:
        try:
            _ = self.parsed
        except RulebookProblem as problem:
            raise ValueError(str(problem)) from problem
        return self


class Outcome(_Part):
    """What a rulebook concludes, how bad it is and what follows."""

    id: str
    severity: int = Field(ge=0, le=9)
    label: Bilingual
    consequence: Bilingual


class Case(_Part):
    """A worked example an official can check by hand."""

    id: str
    inputs: dict[str, float | bool | str | list[float]]
    values: dict[str, float] = {}
    outcome: str
    period: str | None = None


class Rulebook(_Part):
    """One version of a warning system.

    Attributes
    ----------
    id : str
        Unique; also the file's name.
    family, version : str
        A rulebook is asked for as ``family`` or ``family@version``.
    levels : tuple of str
        Levels of government it addresses.
    status : str
        ``official``, ``practice``, ``reference`` or ``project_default``.
    applies_from, applies_to : str
        Accounting periods it applies to.
    headline : str or None
        Indicator whose bands are the levels of a report.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    family: str
    version: str
    title: Bilingual
    jurisdiction: str
    levels: tuple[str, ...]
    kind: str
    authority: Bilingual
    legal_source: tuple[Bilingual, ...] = Field(min_length=1)
    effective_from: dt.date
    effective_to: dt.date | None = None
    applies_from: str | None = None
    applies_to: str | None = None
    status: Literal["official", "practice", "reference", "project_default"]
    confidence: Literal["high", "medium", "low"]
    confidence_note: Bilingual | None = None
    enabled: bool
    disabled_because: Bilingual | None = None
    see: str = ""
    note: Bilingual | None = None
    headline: str | None = None
    field: tuple[FieldUse, ...]
    indicator: tuple[Indicator, ...] = Field(min_length=1)
    rule: tuple[Rule, ...] = Field(min_length=1)
    outcome: tuple[Outcome, ...] = Field(min_length=1)
    case: tuple[Case, ...] = Field(min_length=1)
    sha256: str = ""

    @property
    def reference(self) -> str:
        """How a report names it: family@version."""
        return f"{self.family}@{self.version}"

    def indicator_named(self, name: str) -> Indicator:
        """Find an indicator by its id."""
        return next(i for i in self.indicator if i.id == name)

    def outcome_named(self, name: str) -> Outcome:
        """Find an outcome by its id."""
        return next(o for o in self.outcome if o.id == name)

    def covers(self, quarter: int) -> bool:
        """Whether this version applies to a quarter's accounts."""
        first = parse_quarter(self.applies_from) if self.applies_from else None
        last = parse_quarter(self.applies_to) if self.applies_to else None
        if first is None:
            first = 4 * self.effective_from.year + (self.effective_from.month - 1) // 3
        return first <= quarter and (last is None or quarter <= last)

    @model_validator(mode="after")
    def _consistent(self) -> Rulebook:
        faults = [*self._name_faults(), *self._outcome_faults()]
        faults += self._unit_faults() if not faults else []
        if not self.enabled and self.disabled_because is None:
            faults.append("a rulebook that is not enabled says why in disabled_because")
        faults += [
            f"{quarter} is not a quarter"
            for quarter in (self.applies_from, self.applies_to)
            if quarter is not None and parse_quarter(quarter) is None
        ]
        if self.headline and self.headline not in {i.id for i in self.indicator}:
            faults.append(f"the headline {self.headline} is not an indicator")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _name_faults(self) -> list[str]:
        """Formulas may use fields and earlier indicators only."""
        known = {use.name for use in self.field}
        faults = []
        for indicator in self.indicator:
            names = (*indicator.parsed.names(), *indicator.positive, *indicator.nonzero)
            unknown = sorted(set(names) - known)
            if unknown:
                faults.append(f"indicator {indicator.id} uses {', '.join(unknown)}, not declared")
            if indicator.id in known:
                faults.append(f"{indicator.id} is declared twice")
            known.add(indicator.id)
        for rule in self.rule:
            unknown = sorted(set(rule.parsed.names()) - known)
            if unknown:
                faults.append(f"rule “{rule.when}” uses {', '.join(unknown)}, not declared")
            faults += [f"rule “{rule.when}”: {fault}" for fault in self._band_faults(rule)]
        return faults

    def _unit_faults(self) -> list[str]:
        """Formulas must not mix units, and give the unit their indicator declares."""
        declared: dict[str, str] = {use.name: use.unit for use in self.field}
        faults = []
        for indicator in self.indicator:
            try:
                derived = unit_of(indicator.parsed, declared)
            except RulebookProblem as problem:
                faults.append(f"indicator {indicator.id}: {problem}")
                continue
            if not fits(derived, indicator.unit):
                faults.append(
                    f"indicator {indicator.id} declares {indicator.unit}, its formula "
                    f"“{indicator.formula}” gives {derived}"
                )
            declared[indicator.id] = indicator.unit
        for rule in self.rule:
            try:
                unit_of(rule.parsed, declared)
            except RulebookProblem as problem:
                faults.append(f"rule “{rule.when}”: {problem}")
        return faults

    def _band_faults(self, rule: Rule) -> list[str]:
        """Bands and indicators that a rule names must exist: a slip would never hit."""
        bands = {i.id: {*(b.band for b in i.bands), NA} for i in self.indicator}
        faults = []
        for indicator, named in rule.parsed.bands_named():
            if indicator is not None and indicator not in bands:
                faults.append(f"no indicator is named {indicator}")
                continue
            known = bands[indicator] if indicator else set().union(*bands.values())
            faults += [f"{indicator or 'no indicator'} has no band {band}"
                       for band in named if band not in known]  # fmt: skip
        return faults

    def _outcome_faults(self) -> list[str]:
        named = [outcome.id for outcome in self.outcome]
        faults = [f"outcome {name} is declared twice" for name in named if named.count(name) > 1]
        used = {rule.outcome for rule in self.rule} | {case.outcome for case in self.case}
        unknown = sorted(used - set(named) - {NOT_IN_FORCE, UNKNOWN})
        if unknown:
            faults.append(f"outcomes not declared: {', '.join(unknown)}")
        return faults


def load_rulebook(path: Path) -> Rulebook:
    """Load and validate one rulebook file.

    Raises
    ------
    RulebookProblem
        With all faults of the file at once.
    """
    try:
        content = path.read_bytes()
        data = tomllib.loads(content.decode("utf-8"))
        rulebook = Rulebook.model_validate({**data, "sha256": sha256_of_bytes(content)})
    except OSError as error:
        raise RulebookProblem(
            N_("The rulebook {path} cannot be opened: {reason}."), path=path, reason=error.strerror
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RulebookProblem(
            N_("The rulebook {path} is not valid TOML: {reason}."), path=path, reason=error
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise RulebookProblem(
            N_("The rulebook {path} has faults: {faults}."), path=path, faults=faults
        ) from error
    if rulebook.id != path.stem:
        raise RulebookProblem(
            N_("The rulebook {path} calls itself “{id}”; file name and id must agree."),
            path=path,
            id=rulebook.id,
        )
    return rulebook


def load_rulebooks(folder: Path | None = None) -> tuple[Rulebook, ...]:
    """Load every rulebook of a folder, ``models/rulebooks`` by default, in order of id.

    Examples
    --------
    >>> "cn-debt-tiers" in {rulebook.id for rulebook in load_rulebooks()}
    True
    """
    folder = folder or resources.models() / "rulebooks"
    rulebooks = tuple(load_rulebook(path) for path in sorted(folder.glob("*.toml")))
    references = [rulebook.reference for rulebook in rulebooks]
    for reference in references:
        if references.count(reference) > 1:
            raise RulebookProblem(
                N_("Two rulebooks in {folder} are both {reference}; give one another version."),
                folder=folder,
                reference=reference,
            )
    return rulebooks


def choose(
    rulebooks: tuple[Rulebook, ...], asked: str, quarter: int
) -> tuple[Rulebook | None, bool]:
    """Choose the version of a family for a quarter's accounts.

    Parameters
    ----------
    rulebooks : tuple of Rulebook
    asked : str
        ``family``, ``id`` or ``family@version``.
    quarter : int
        Ordinal of the quarter of the accounts.

    Returns
    -------
    rulebook : Rulebook or None
        None when no version applies to the quarter.
    pinned : bool
        Whether a version was asked for by name, so that it holds for every period.

    Raises
    ------
    RulebookProblem
        When nothing has that name.
    """
    family, _, version = asked.partition("@")
    same = [r for r in rulebooks if family in {r.family, r.id}]
    if version:
        same = [r for r in same if r.version == version]
    if not same:
        known = ", ".join(sorted({r.reference for r in rulebooks}))
        raise RulebookProblem(
            N_("There is no rulebook “{asked}”. Known: {known}."), asked=asked, known=known
        )
    if version:
        return same[0], True
    in_force = [r for r in same if r.covers(quarter)]
    return (max(in_force, key=lambda r: r.effective_from) if in_force else None), False

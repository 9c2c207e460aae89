"""The specification of a classifier: what is predicted, from which columns, judged from where.

A TOML file, so that a model of any country can be described without code; every fault is reported
at once, with its place. ``docs/classifier.md`` explains each key.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from debtwatch.early_warning.sample import Note
from debtwatch.early_warning.spec_faults import SpecFault, faults_in_words, reason_of
from debtwatch.errors import ModelProblem, RulebookProblem
from debtwatch.language import N_
from debtwatch.provenance import sha256_of_bytes
from debtwatch.rules.expression import Formula, parse
from debtwatch.rules.rulebook import Bilingual

Sign = Literal["+", "-", "0"]
Measure = Literal[
    "level",
    "distance",
    "change",
    "volatility",
    "highest",
    "peers",
    "gap",
    "national",
    "is",
    "missing",
    "delay",
    "revision",
    "projection",
]
Member = Literal["logit", "trees", "projection", "distance"]
#: Measures that look at several periods and so need ``periods``.
OVER_PERIODS = ("change", "volatility", "highest")
#: Measures of a figure; the others look at how it was reported, or at the projection.
OF_FIGURES = ("level", "distance", "change", "volatility", "highest", "peers", "gap", "national")
MOST_FEATURES = 60
#: Name of a column; a blank one names nothing.
Column = Annotated[str, Field(min_length=1)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Part):
    """Where keys and publication days stand in the table.

    Attributes
    ----------
    unit, period : str
        Columns of the government's code and of the period (a year or a quarter ``2021Q3``).
    group : str or None
        Column of the province: folds and clusters never cut through one. Without it each
        government is its own cluster.
    known_from : str or None
        Column of publication days. A unit and period may then appear once for each vintage.
    lag_days : int
        Days from a period's end to publication, where there is no such column.
    origin_days : int or None
        Days from a period's end to the day on which its scores are made; ``lag_days`` by default.
        A figure published later is not seen.
    missing : tuple of str
        Words in cells that mean missing.
    """

    unit: Column = "unit"
    period: Column = "period"
    group: Column | None = None
    known_from: Column | None = None
    lag_days: int = Field(default=120, ge=0, le=1500)
    origin_days: int | None = Field(default=None, ge=0, le=1500)
    missing: tuple[str, ...] = ("", "n.d.", "n.e.", "na", "n/a", "nan", "-", "—", "null", "none")

    @model_validator(mode="after")
    def _distinct(self) -> Data:
        keys = [name for name in (self.unit, self.period, self.known_from) if name]
        if len(set(keys)) < len(keys):
            raise _fault(N_("unit, period and known_from must be different columns"))
        return self


class Target(_Part):
    """What is predicted.

    Attributes
    ----------
    kind : {"entry", "status", "event"}
        Entry: not in the class now, in it at any of the next ``horizon`` periods. Status: in the
        class ``horizon`` periods on. Event: an event of the user's own list within the horizon.
    horizon : int
        Periods.
    ratio, line, operator
        The class as a ratio beyond a line.
    class_column, worse
        The class as published in a column, and the classes that count as worse (``class`` in TOML).
    rulebook, columns, worse
        The class by a rulebook, in the version valid at the target date; ``columns`` says which
        column holds each field or indicator of the rulebook.
    event : str or None
        Column of events, 1 or 0.
    unlisted : {"no event", "censored"}
        What a unit and period without a row in the list of events means.
    unreported : {"censored", "event"}
        What it means when a government does not report in the window and did not enter before.
    """

    kind: Literal["entry", "status", "event"]
    horizon: int = Field(ge=1, le=40)
    ratio: str | None = None
    line: FiniteFloat | None = None
    operator: Literal[">=", ">", "<=", "<"] = ">="
    class_column: str | None = Field(default=None, alias="class")
    worse: tuple[str, ...] = ()
    rulebook: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    event: str | None = None
    unlisted: Literal["no event", "censored"] = "no event"
    unreported: Literal["censored", "event"] = "censored"

    @model_validator(mode="after")
    def _one_source(self) -> Target:
        sources = [n for n in ("ratio", "class_column", "rulebook", "event") if getattr(self, n)]
        if len(sources) != 1:
            raise _fault(N_("give exactly one of ratio, class, rulebook and event"))
        if (self.kind == "event") != (self.event is not None):
            raise _fault(N_('kind = "event" and a column of events belong together'))
        if self.ratio is not None and self.line is None:
            raise _fault(N_("a ratio needs a line"))
        if (self.class_column or self.rulebook) and not self.worse:
            raise _fault(N_("worse must list the classes that count as worse"))
        return self


class Feature(_Part):
    """One explanatory figure of a government at an origin.

    Attributes
    ----------
    id : str
    of : str or None
        A column of the table, or a derived one of ``[columns]``. Of a ``projection``: a column of
        probabilities; without it the projection of a store.
    measure : str
        ``level``; ``distance`` to the target's line, positive on the safe side; ``change`` over
        ``periods``; ``volatility``, the standard deviation of one-period changes over ``periods``;
        ``highest`` of the last ``periods``; ``peers``, mean of the other governments of the group;
        ``gap`` to it; ``national``, the median of all; ``is`` (``value`` gives the word);
        ``missing`` (1 where not reported); ``delay`` in days; ``revision``, size of the latest
        revision over the first figure; ``projection``, the probability that the projection gives.
    periods : int or None
    lag : int
        Periods back from the latest known one.
    log : bool
        Natural logarithm of the figure first; nothing at or below 0 has one.
    value : str or None
    sign : {"+", "-", "0"}
        Whether more of it raises the risk, lowers it, or is left open.
    label : Bilingual
    """

    id: Identifier
    of: str | None = None
    measure: Measure = "level"
    periods: int | None = Field(default=None, ge=1, le=40)
    lag: int = Field(default=0, ge=0, le=40)
    log: bool = False
    value: str | None = None
    sign: Sign = "0"
    label: Bilingual

    @model_validator(mode="after")
    def _complete(self) -> Feature:
        if self.of is None and self.measure != "projection":
            raise _fault(N_("of names a column; only the measure projection can do without"))
        if (self.periods is not None) != (self.measure in OVER_PERIODS):
            raise _fault(
                N_("periods belongs to the measures {names}, which need it"),
                names=", ".join(OVER_PERIODS),
            )
        if (self.value is not None) != (self.measure == "is"):
            raise _fault(N_("value belongs to the measure is, which needs it"))
        return self


class Origins(_Part):
    """From which periods the model is judged.

    Attributes
    ----------
    first, last : str or None
        Periods. By default the earliest one with enough to learn from, and the last one with an
        outcome.
    most : int
        At most so many origins, the latest.
    step : int
        Periods from one origin to the next.
    embargo : int
        Periods left out between the label windows of the training rows and the origin.
    least_periods : int
        Training periods that an origin needs.
    """

    first: str | None = None
    last: str | None = None
    most: int = Field(default=40, ge=1, le=200)
    step: int = Field(default=1, ge=1, le=40)
    embargo: int = Field(default=0, ge=0, le=8)
    least_periods: int = Field(default=1, ge=1, le=60)


class Logit(_Part):
    """Settings of the champion.

    Attributes
    ----------
    c : float
        Inverse strength of the L2 penalty on standardised features.
    knots : tuple of int
        Inner knots of the piecewise-linear effect of each feature, 0 for a straight one; of several
        numbers out-of-fold log-loss by province chooses, the smaller one where they tie.
    winsor : float
        Share of the training rows cut off at each end of a feature; 0 cuts nothing.
    """

    c: FiniteFloat = Field(default=0.1, gt=0, le=1e6)
    winsor: float = Field(default=0.01, ge=0, le=0.2)
    knots: tuple[Annotated[int, Field(ge=0, le=8)], ...] = Field(default=(0, 1, 2, 3), min_length=1)


class Trees(_Part):
    """Settings of the challenger, small trees that keep the features' signs.

    Attributes
    ----------
    leaves : tuple of int
        Sizes tried; out-of-fold log-loss by province chooses.
    rounds : int
    rate : float
    least_rows : int
        Rows a leaf needs.
    l2 : float
    """

    leaves: tuple[Annotated[int, Field(ge=2, le=31)], ...] = Field(default=(3, 4, 6), min_length=1)
    rounds: int = Field(default=200, ge=1, le=2000)
    rate: float = Field(default=0.03, gt=0, le=1)
    least_rows: int = Field(default=100, ge=1, le=10**9)
    l2: FiniteFloat = Field(default=5.0, ge=0, le=1e6)


class Signals(_Part):
    """Thresholds and lists.

    Attributes
    ----------
    miss_weight : float
        Weight mu of a missed event against a false alarm (1 - mu): the signal threshold is 1 - mu.
    alert : float
        Probability of the stronger signal.
    capacity : float
        Share of governments on the list of those to look at first.
    """

    miss_weight: float = Field(default=0.8, gt=0, lt=1)
    alert: float = Field(default=0.5, gt=0, lt=1)
    capacity: float = Field(default=0.1, gt=0, lt=1)


class Spec(_Part):
    """A classifier, described.

    Attributes
    ----------
    id : str
    title : Bilingual
    country : str
        ISO 3166 code of the governments it is about; it is applied to no others.
    synthetic : bool
        Whether the data are invented; every page then says so.
    owner : str
    data : Data
    columns : dict of str to str
        Derived columns, in the formula language of the rulebooks.
    target : Target
    feature : tuple of Feature
        At most :data:`MOST_FEATURES`.
    members : tuple of {"logit", "trees", "projection", "distance"}
        Models whose log-odds are averaged into the score that is used.
    distance, trend : str or None
        Ids of the features that the rules of thumb use: the distance to the line or its level, and
        its change. By default the first of that measure (the first ``level`` where none is a
        distance).
    sha256 : str
        Of the file.
    """

    id: Identifier
    title: Bilingual
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    synthetic: bool = False
    owner: str = ""
    note: Bilingual | None = None
    data: Data = Data()
    columns: dict[str, str] = Field(default_factory=dict)
    target: Target
    feature: tuple[Feature, ...] = Field(min_length=1, max_length=MOST_FEATURES)
    distance: str | None = None
    trend: str | None = None
    origins: Origins = Origins()
    logit: Logit = Logit()
    trees: Trees = Trees()
    members: tuple[Member, ...] = Field(default=("logit", "trees"), min_length=1)
    signals: Signals = Signals()
    sha256: str = ""

    def feature_named(self, name: str) -> Feature:
        """Feature by id."""
        return next(f for f in self.feature if f.id == name)

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the features, in order."""
        return tuple(f.id for f in self.feature)

    @property
    def distance_feature(self) -> Feature | None:
        """Feature that tells how near the line is: the one named, else a distance, else a level."""
        return self._one(self.distance, ("distance", "level"))

    @property
    def trend_feature(self) -> Feature | None:
        """Feature that tells where the figure is going: the one named, else the first change."""
        return self._one(self.trend, ("change",))

    def _one(self, named: str | None, measures: tuple[Measure, ...]) -> Feature | None:
        if named is not None:
            return self.feature_named(named)
        found = [f for m in measures for f in self.feature if f.measure == m and f.sign != "0"]
        return found[0] if found else None

    def formula(self, column: str) -> Formula | None:
        """Parse the formula of a derived column; None for a column of the table."""
        text = self.columns.get(column)
        return None if text is None else parse(text)

    def columns_read(self) -> tuple[str, ...]:
        """Columns of the table that the figures need, keys apart, in order of first use."""
        target = self.target
        asked = [f.of for f in self.feature if f.of]
        asked += [c for c in (target.ratio, target.class_column, target.event) if c]
        asked += list(target.columns.values())
        found: dict[str, None] = {}
        for name in asked:
            formula = self.formula(name)
            for part in (name,) if formula is None else formula.names():
                found[part] = None
        return tuple(found)

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        faults = [*self._twice(), *self._formula_faults(), *self._measure_faults()]
        if faults:
            raise SpecFault(*faults)
        return self

    def _twice(self) -> list[Note]:
        seen: set[str] = set()
        twice = [f.id for f in self.feature if f.id in seen or seen.add(f.id)]  # type: ignore[func-returns-value]
        missing = [n for n in (self.distance, self.trend) if n and n not in self.names]
        repeated = [m for k, m in enumerate(self.members) if m in self.members[:k]]
        return [
            *(Note(N_("feature {name} is given twice"), {"name": n}) for n in twice),
            *(Note(N_("{name} is not a feature"), {"name": n}) for n in missing),
            *(Note(N_("member {name} is given twice"), {"name": n}) for n in repeated),
        ]

    def _formula_faults(self) -> list[Note]:
        faults = []
        for name, text in self.columns.items():
            try:
                used = parse(text).names()
            except RulebookProblem as error:
                values = {"name": name, "reason": reason_of(error)}
                faults.append(Note(N_("columns.{name}: {reason}"), values))
            else:
                faults += [
                    Note(
                        N_("columns.{name} uses {other}, itself derived: write its formula out"),
                        {"name": name, "other": n},
                    )
                    for n in used
                    if n in self.columns
                ]
        return faults

    def _measure_faults(self) -> list[Note]:
        """Find distances to a line that is not there."""
        return [
            Note(N_("feature {name}: a distance needs target.line"), {"name": f.id})
            for f in self.feature
            if f.measure == "distance" and self.target.line is None
        ]


def load_spec(path: Path) -> Spec:
    """Read and check a specification.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Spec

    Raises
    ------
    ModelProblem
        When the file cannot be read, is not TOML, or is not valid; every fault is named.
    """
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise ModelProblem(
            N_("The specification {path} cannot be read: {reason}."),
            path=path, reason=error.strerror or str(error),
        ) from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise ModelProblem(
            N_("The specification {path} is not in UTF-8; save it again in that encoding."),
            path=path,
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason = N_("it is nested too deeply") if isinstance(error, RecursionError) else str(error)
        raise ModelProblem(
            N_("The specification {path} is not TOML in UTF-8: {reason}."),
            path=path, reason=lambda words: words(reason),
        ) from error  # fmt: skip
    try:
        return Spec.model_validate({**table, "sha256": sha256_of_bytes(content)})
    except ValidationError as error:
        raise ModelProblem(
            N_("The specification {path} is not valid: {faults}."),
            path=path, faults=faults_in_words(error, Spec),
        ) from error  # fmt: skip


def _fault(template: str, **values: object) -> SpecFault:
    return SpecFault(Note(template, values))

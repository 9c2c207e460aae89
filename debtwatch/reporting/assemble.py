"""Cut a report's context from its figures: the index page."""

from __future__ import annotations

import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from statistics import median

import numpy as np

from debtwatch import resources
from debtwatch.early_warning.applied import Applied
from debtwatch.language import N_, Language
from debtwatch.panel.defaults import defaults
from debtwatch.panel.fields import field_named
from debtwatch.panel.panel import ESTIMATED
from debtwatch.panel.period import quarter_text
from debtwatch.panel.problem import RULES, Problem
from debtwatch.panel.register import Register
from debtwatch.reporting.attention import AttentionParts
from debtwatch.reporting.context import (
    Assumption,
    AttentionRow,
    Flag,
    LevelCount,
    Meta,
    Missing,
    Moved,
    ProblemCount,
    ProblemRow,
    ReportContext,
    RulebookUsed,
    Simulated,
    Source,
    Tile,
    UnitRow,
)
from debtwatch.reporting.figures import Figures, choose_size
from debtwatch.reporting.outlook_part import OutlookParts
from debtwatch.reporting.register_part import register_section
from debtwatch.reporting.study import (
    ChosenRulebook,
    Study,
    binding_limit,
    rows_to_print,
    severity_of,
    thresholds,
)
from debtwatch.reporting.unit_page import TIERS, UnitPages
from debtwatch.rules.describe import STATUS_WORDS
from debtwatch.rules.rulebook import UNKNOWN, Bilingual
from debtwatch.screening.impact import ANYWAY, BROUGHT_FORWARD, CAUSED, LineEffect
from debtwatch.screening.pipeline import Pipeline
from debtwatch.sustainability.drivers import REVENUES
from debtwatch.sustainability.settings import outlook_settings

HISTORY_LENGTH = 12


@dataclass(frozen=True)
class Options:
    """What a user asked of a report."""

    seed: int = 20260930
    units: tuple[str, ...] = ()
    all_units: bool = False
    pipelines: tuple[Pipeline, ...] = field(default_factory=tuple)
    register: Register = field(default_factory=Register)
    classifiers: tuple[Applied, ...] = ()


def build_context(
    study: Study, language: Language, options: Options, version: str
) -> ReportContext:
    """Cut the whole report from a study.

    Parameters
    ----------
    study : Study
    language : Language
    options : Options
    version : str
        Version of debtwatch.

    Returns
    -------
    ReportContext
    """
    return _Assembler(study, language, options, version).context()


class _Assembler:
    def __init__(self, study: Study, language: Language, options: Options, version: str) -> None:
        self.study, self.language, self.options, self.version = study, language, options, version
        self.codes = [str(u) for u in study.panel.units.index]
        self.names = [str(n) for n in study.panel.units["name"]]
        self.printed = rows_to_print(study, options.units, all_units=options.all_units)
        self.now, self.before = study.levels(study.column), study.levels(study.before)
        self.value_before = study.value(study.headline.id, study.before)
        if study.before == study.column:  # no quarter to compare with
            self.before = [UNKNOWN] * len(self.codes)
            self.value_before = np.full(len(self.codes), np.nan)
        headline = study.headline.id
        with_projects = {
            row: impact.with_projects[headline]
            for row, impact in enumerate(study.impacts)
            if len(impact.with_projects)
        }
        self.ahead_with = study.worst_levels(with_projects)
        self.ahead_without = study.worst_levels()
        self.value = study.value(headline, study.column)
        self.rows_of = {code: row for row, code in enumerate(self.codes)}
        self.attention: dict[str, list[AttentionRow]] = {}
        self.project_names = {p.code: p.name for own in study.projects.values() for p in own}

    def pick(self, text: Bilingual) -> str:
        return self.language.pick(text.zh, text.en)

    def context(self) -> ReportContext:
        effects = [self.study.main_effect(row) for row in range(len(self.codes))]
        problems = [
            *self.study.panel.problems,
            *self.study.problems,
            *(p for pipe in self.options.pipelines for p in pipe.problems),
        ]
        by_unit = self._problems_by_unit(problems)
        has_page = dict(zip(self.codes, map(bool, self.printed), strict=True))
        attention = AttentionParts(
            self.options.classifiers, self.study, self.language, has_page,
            levels=dict(zip(self.codes, self.now, strict=True)),
        )  # fmt: skip
        self.attention = attention.by_unit()
        pages = UnitPages(self.study, self.language, by_unit, self.attention)
        rows = [int(row) for row in np.flatnonzero(self.printed)]
        return ReportContext(
            meta=self._meta(),
            counts=self._counts(),
            flagged=self._flagged(),
            quota=self._sorted(
                [
                    self._flag(r, e)
                    for r in range(len(self.codes))
                    for e in self.study.limits(r)
                    if e.effect == CAUSED
                ]
            ),
            anyway=self._sorted(
                [
                    self._flag(r, e)
                    for r, e in enumerate(effects)
                    if e is not None and e.effect == ANYWAY
                ]
            ),
            expected=pages.ahead.expected(),
            totals=pages.ahead.totals(),
            missing=self._missing(),
            moved=self._moved(),
            pipeline_counts=self._pipeline_counts(),
            units=[self._row(row, effects[row], pages.ahead) for row in range(len(self.codes))],
            tiles=self._tiles(),
            problem_counts=self._problem_counts(problems),
            problems=[self._problem_row(p) for p in problems if self._is_current(p)][:400],
            pages=pages.pages(
                rows, [(self.now[r], self.before[r], self.ahead_with[r]) for r in rows]
            ),
            register=register_section(
                self.options.register, self.study, self.language, has_page=has_page,
            ),
            attention=attention.section(),
        )  # fmt: skip

    # -- what the report is about --------------------------------------------------------------

    def _meta(self) -> Meta:
        study = self.study
        outlook, known = study.outlook, study.panel.known
        projects = [p for own in study.projects.values() for p in own]
        debt = study.inputs["debt_balance"][:, study.column]
        typical = float(np.nanmedian(debt)) if not np.isnan(debt).all() else 0.0
        figures = Figures(self.language.code, choose_size(typical))
        source = defaults().source
        return Meta(
            quarter=quarter_text(study.quarter),
            compare_quarter=quarter_text(study.compare),
            as_of=study.panel.as_of.isoformat(),
            language=self.language.code,
            version=self.version,
            seed=self.options.seed,
            synthetic=known.synthetic or any(p.illustrative == "synthetic" for p in projects),
            illustrative=any(p.illustrative == "illustrative" for p in projects),
            annual_source=study.annual_source,
            horizon_end=quarter_text(outlook.first_quarter + outlook.quarters - 1),
            money_unit=figures.money_unit,
            thresholds=list(thresholds(study)),
            headline_label=self.pick(study.headline.label),
            rulebooks=[self._rulebook(chosen) for chosen in study.rulebooks],
            assumptions=self._assumptions(),
            simulated=self._simulated(),
            new_bond_rate=float(median(outlook.new_rate)),
            new_bond_tenor=float(median(outlook.new_tenor)),
            refinanced_share=defaults().maturity.refinanced_share,
            defaults_source=self.language.pick(source.zh, source.en),
            sources=[
                Source(str(i.file), str(i.sha256), bool(i.synthetic))
                for i in known.imports.itertuples()
            ],
            pipelines=[
                Source(
                    p.path.name, p.sha256, any(x.illustrative == "synthetic" for x in p.projects)
                )
                for p in self.options.pipelines
            ],
        )

    def _rulebook(self, chosen: ChosenRulebook) -> RulebookUsed:
        book = chosen.rulebook
        note = self.language.text(N_("; ")).join(
            self.pick(t) for t in (book.note, book.confidence_note) if t is not None
        )
        return RulebookUsed(
            id=book.id,
            reference=book.reference,
            title=self.pick(book.title),
            status=book.status,
            status_label=self.language.text(STATUS_WORDS[book.status]),
            pinned=chosen.pinned,
            in_force=chosen.in_force,
            sources=[self.pick(source) for source in book.legal_source],
            note=note,
            indicators=[
                {"label": self.pick(i.label), "formula": i.formula, "text": self.pick(i.text)}
                for i in book.indicator
            ],
        )

    # -- first screen --------------------------------------------------------------------------

    def _assumptions(self) -> list[Assumption]:
        """List the drivers as estimated, of those that anybody reports."""
        drivers = self.study.outlook.drivers
        rows = np.flatnonzero(drivers.years > 0)
        found = []
        for k, driver in enumerate(outlook_settings().driver):
            if not len(rows) or not drivers.yearly_spread[rows, k].any():
                continue
            found.append(
                Assumption(
                    label=self.pick(driver.label),
                    is_growth=k < REVENUES,
                    pooled=float(np.median(drivers.pool[rows, k])),
                    first_year=float(np.median(drivers.growth[rows, k, 0])),
                    last_year=float(np.median(drivers.growth[rows, k, -1])),
                    spread=float(np.median(drivers.yearly_spread[rows, k])),
                    national_share=float(drivers.national_share[k]),
                    carried=float(drivers.factors.dynamics[k, k]),
                    units=len(rows),
                )
            )
        return found

    def _simulated(self) -> Simulated:
        settings, draws = outlook_settings(), self.study.fan.draws
        return Simulated(
            paths=draws.paths,
            method=draws.method,
            step=self.study.outlook.drivers.step,
            consecutive=self.study.fan.watch.consecutive,
            inflation=settings.calibration.inflation,
            measured=self.pick(settings.calibration.measured),
            error=1.96 * 0.5 / draws.paths**0.5,
        )

    def _counts(self) -> list[LevelCount]:
        book = self.study.headline_book
        counted = [Counter(x) for x in (self.now, self.before, self.ahead_with, self.ahead_without)]
        outcomes = {o.id: o for version in (*self.study.versions, book) for o in version.outcome}
        return [
            LevelCount(o.id, self.pick(o.label), o.severity, *(c[o.id] for c in counted))
            for o in sorted(outcomes.values(), key=lambda o: o.severity)
        ]

    def _flagged(self) -> list[Flag]:
        """Every threshold that planned construction makes a unit cross, or cross sooner."""
        return self._sorted(
            [
                self._flag(row, effect)
                for row in range(len(self.codes))
                for effect in self.study.flagging(row)
                if effect.effect in {CAUSED, BROUGHT_FORWARD}
            ]
        )

    def _sorted(self, flags: list[Flag]) -> list[Flag]:
        """Caused before brought forward, gravest level first, then soonest."""
        book = self.study.headline_book
        return sorted(
            flags,
            key=lambda f: (
                f.effect != CAUSED,
                -severity_of(book, f.level_with),
                f.quarter_with or "",
                f.unit,
                f.line,
            ),
        )

    def _flag(self, row: int, effect: LineEffect) -> Flag:
        line = effect.line
        indicator = self.study.history[line.rulebook].rulebook.indicator_named(line.indicator)
        value = float(self.study.value(line.indicator, self.study.column)[row])
        return Flag(
            unit=self.codes[row],
            name=self.names[row],
            has_page=bool(self.printed[row]),
            level=self.now[row],
            level_with=self.ahead_with[row],
            effect=effect.effect,
            indicator=line.indicator,
            indicator_label=self.pick(indicator.label),
            line=line.value,
            line_label=self.band_label(line.rulebook, line.indicator, line.band),
            quarter_without=_quarter(effect.quarter_without),
            quarter_with=_quarter(effect.quarter_with),
            quarters_sooner=effect.quarters_sooner,
            value_now=_number(value),
            worst=effect.worst_with,
            worst_quarter=_quarter(effect.worst_quarter),
            excess=None if effect.worst_with is None else effect.worst_with - line.value,
            tipped_by=effect.tipped_by,
            tipped_by_name=self.project_names.get(effect.tipped_by, ""),
            headroom_before=effect.headroom_before,
            headroom_after=effect.headroom_after,
        )

    def band_label(self, rulebook: str, indicator: str, band: str) -> str:
        bands = self.study.history[rulebook].rulebook.indicator_named(indicator).bands
        label = next(b.label for b in bands if b.band == band)
        return self.pick(label) if label else band

    def _missing(self) -> list[Missing]:
        study = self.study
        found = []
        for row, level in enumerate(self.now):
            if level != UNKNOWN:
                continue
            variant = study.basis.variants[row]
            needed = ("general_debt_balance", "special_debt_balance", *variant.fields())
            absent = study.basis.absent_of(row)
            gone = [n for n in dict.fromkeys(needed) if n not in absent and self._gap(n, row)]
            doubtful = [n for n in gone if self._doubted(n, row)]
            found.append(
                Missing(
                    unit=self.codes[row],
                    name=self.names[row],
                    has_page=bool(self.printed[row]),
                    fields=[self.field_label(n) for n in gone if n not in doubtful],
                    doubtful=[self.field_label(n) for n in doubtful],
                    projects=len(study.projects.get(self.codes[row], ())),
                )
            )
        return found

    def _gap(self, name: str, row: int) -> bool:
        values = self.study.inputs.get(name)
        return values is None or bool(np.isnan(values[row, self.study.column]))

    def _doubted(self, name: str, row: int) -> bool:
        marks = self.study.panel.marks.get(name)
        if marks is None:
            return False
        first = max(self.study.column - 3, 0)
        return bool((marks[row, first : self.study.column + 1] & ~ESTIMATED).any())

    def field_label(self, name: str) -> str:
        item = field_named(name)
        return self.language.pick(item.zh, item.en)

    def _moved(self) -> list[Moved]:
        book = self.study.headline_book
        moved = [
            Moved(
                unit=self.codes[row],
                name=self.names[row],
                has_page=bool(self.printed[row]),
                before=before,
                now=now,
                worse=UNKNOWN in {before, now}
                or severity_of(book, now) > severity_of(book, before),
                value_before=_number(self.value_before[row]),
                value_now=_number(self.value[row]),
            )
            for row, (before, now) in enumerate(zip(self.before, self.now, strict=True))
            if before != now
        ]
        return sorted(moved, key=lambda m: (not m.worse, m.unit))

    def _pipeline_counts(self) -> dict[str, int]:
        return dict(
            sorted(
                Counter(
                    effect.effect for impact in self.study.impacts for effect in impact.projects
                ).items()
            )
        )

    # -- all units ------------------------------------------------------------------------------

    def _row(self, row: int, effect: LineEffect | None, ahead: OutlookParts) -> UnitRow:
        study = self.study
        impact = study.impacts[row]
        path = impact.with_projects.get(study.headline.id)
        if path is None:
            path = study.ahead[study.headline_book.id].values[study.headline.id][row]
        binding, room = binding_limit(study, row)
        first = next(iter(self.attention[self.codes[row]]), None)
        effects = [e.effect for e in impact.projects]
        return UnitRow(
            unit=self.codes[row],
            name=self.names[row],
            tier=self.language.text(TIERS.get(str(study.panel.units["level"].iloc[row]), "")),
            has_page=bool(self.printed[row]),
            level=self.now[row],
            level_before=self.before[row],
            level_with=self.ahead_with[row],
            value=_number(self.value[row]),
            change=_number(self.value[row] - self.value_before[row]),
            estimated=study.basis.variants[row].estimated,
            peak_with=None if np.isnan(path).all() else float(np.nanmax(path)),
            general_interest=_number(study.value("general_interest_ratio", study.column)[row]),
            special_interest=_number(study.value("special_interest_ratio", study.column)[row]),
            limit_usage=_number(
                np.maximum(
                    study.value("general_usage", study.column)[row],
                    study.value("special_usage", study.column)[row],
                )
            ),
            risk=ahead.risk(row),
            headroom=room,
            binding="" if binding is None else self._binding_label(binding),
            attention=first.probability if first else None,
            attention_signal=first.signal if first else "",
            projects=len(impact.projects),
            effect=effect.effect if effect is not None and effects else "",
            history=self._history(row),
        )

    def _binding_label(self, effect: LineEffect) -> str:
        line = effect.line
        indicator = self.study.history[line.rulebook].rulebook.indicator_named(line.indicator)
        return f"{self.pick(indicator.label)} {line.value:.0%}"

    def _history(self, row: int) -> list[float | None]:
        """Headline indicator of the last dates with figures, oldest first."""
        study = self.study
        step = 4 if study.annual_source else 1
        columns = range(study.column - step * (HISTORY_LENGTH - 1), study.column + 1, step)
        values = study.history[study.headline_book.id].values[study.headline.id][row]
        return [_number(round(values[c], 4)) if c >= 0 else None for c in columns]

    def _tiles(self) -> list[Tile]:
        placed = _tile_places(tuple(self.codes))
        return [
            Tile(code, name, _short(name), level, *placed[code], bool(self.printed[row]))
            for row, (code, name, level) in enumerate(
                zip(self.codes, self.names, self.now, strict=True)
            )
        ]

    # -- data problems --------------------------------------------------------------------------

    def _is_current(self, problem: Problem) -> bool:
        """Pick the flags about the four quarters of the report, and those about no quarter."""
        if problem.severity == "note":
            return False
        return problem.quarter is None or 0 <= self.study.quarter - problem.quarter < 4

    def _problem_counts(self, problems: Sequence[Problem]) -> list[ProblemCount]:
        now: Counter[str] = Counter()
        earlier: Counter[str] = Counter()
        for problem in problems:
            current = problem.quarter is None or 0 <= self.study.quarter - problem.quarter < 4
            (now if current else earlier)[problem.rule] += 1
        rules = sorted(set(now) | set(earlier), key=lambda r: (RULES[r].severity, r))
        return [
            ProblemCount(RULES[r].severity, r, self._rule_name(r), now[r], earlier[r])
            for r in rules
        ]

    def _rule_name(self, rule: str) -> str:
        return self.language.text(RULE_NAMES[rule])

    def _problems_by_unit(self, problems: Sequence[Problem]) -> dict[str, list[ProblemRow]]:
        printed = {code for code, p in zip(self.codes, self.printed, strict=True) if p}
        by_unit: defaultdict[str, list[Problem]] = defaultdict(list)
        for problem in problems:
            if problem.unit in printed:
                by_unit[problem.unit].append(problem)
        return {
            unit: [self._problem_row(p) for p in sorted(own, key=self._recent_first)]
            for unit, own in by_unit.items()
        }

    def _recent_first(self, problem: Problem) -> tuple[bool, int, str]:
        return (problem.severity == "note", -(problem.quarter or 10**6), problem.field)

    def _problem_row(self, problem: Problem) -> ProblemRow:
        row = self.rows_of.get(problem.unit)
        known = field_named(problem.field) if problem.field else None
        value = problem.value if isinstance(problem.value, float) else None
        return ProblemRow(
            severity=problem.severity,
            rule=problem.rule,
            unit=problem.unit,
            name=self.names[row] if row is not None else "",
            field=self.language.pick(known.zh, known.en) if known else "",
            quarter=problem.period,
            value=_number(value),
            is_money=bool(known and known.quantity == "money"),
            place=" · ".join(x for x in (problem.file, problem.sheet, problem.cell) if x),
            what=problem.what(self.language.text),
            mend=problem.mend(self.language.text),
            left_out=problem.excludes,
        )


RULE_NAMES = {
    "negative-value": N_("Negative value"),
    "magnitude": N_("Unit mix-up suspected"),
    "spike": N_("Out of line with neighbouring years"),
    "zero-for-missing": N_("Zero that reads like “not reported”"),
    "revenue-above-expenditure": N_("Own revenue above expenditure"),
    "year-repeated": N_("Figure repeats the year before"),
    "limit-exceeded": N_("Balance above its legal limit"),
    "interest-implausible": N_("Implausible interest rate"),
    "interest-unusual": N_("Unusual interest rate"),
    "revenue-per-resident": N_("Implausible revenue for each resident"),
    "parts-do-not-sum": N_("Parts do not sum to the total"),
    "balance-does-not-roll": N_("Balance does not follow from issues and repayments"),
    "quarter-negative": N_("Cumulative figure falls"),
    "jump": N_("Sudden change that stays"),
    "bonds-do-not-sum": N_("Bond list does not sum to the balance"),
    "project-invalid": N_("Project that cannot be screened"),
    "project-unit-unknown": N_("Project of an unknown government"),
    "proposals-unreadable": N_("File of proposals that cannot be read"),
}


def _number(value: float | np.floating | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _quarter(ordinal: int | None) -> str | None:
    return None if ordinal is None else quarter_text(ordinal)


def _short(name: str) -> str:
    """Name for a tile: two characters of a Chinese name, three letters of another."""
    if name.endswith("兵团"):  # the Corps lies in Xinjiang and would take its name
        return "兵团"
    return name[:2] if not name.isascii() else name[:3]


@cache
def _tile_places(codes: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    grids = tomllib.loads((resources.models() / "tiles.toml").read_text(encoding="utf-8"))
    for grid in grids.values():
        if set(codes) <= set(grid):
            return {code: (grid[code][0], grid[code][1]) for code in codes}
    width = 50 if len(codes) > 500 else 25 if len(codes) > 100 else 12
    return {code: divmod(k, width) for k, code in enumerate(sorted(codes))}

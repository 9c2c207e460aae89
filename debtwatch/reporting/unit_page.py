"""Cut the page of one government from a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from debtwatch.language import N_, Language
from debtwatch.panel.fields import STATUS_NAMES, field_named
from debtwatch.panel.implied import IMPLIED_FIELD
from debtwatch.panel.panel import ESTIMATED, IMPLIED, Place
from debtwatch.panel.period import parse_quarter, quarter_text
from debtwatch.reporting.context import (
    AnalogueIndicator,
    AnalogueRow,
    AttentionRow,
    CapacityRow,
    IndicatorCard,
    InputRow,
    Part,
    PathPoint,
    ProblemRow,
    ProjectCard,
    RuleSegment,
    SegmentLine,
    ServiceYear,
    Threshold,
    UnitPage,
)
from debtwatch.reporting.figures import Figures, choose_size
from debtwatch.reporting.outlook_part import OutlookParts
from debtwatch.reporting.study import (
    WIDE_RULEBOOK,
    ChosenRulebook,
    Study,
    binding_limit,
    thresholds,
)
from debtwatch.rules.analogue import Reading, analogue_book, read_by_others
from debtwatch.rules.assess import lines_of
from debtwatch.rules.capacity import CAPACITY, capacity_by_variant
from debtwatch.rules.expression import render, why_missing
from debtwatch.rules.rulebook import Band, Bilingual, Indicator, Rulebook
from debtwatch.screening.coverage import project_coverage
from debtwatch.screening.impact import (
    ALREADY,
    ANYWAY,
    BROUGHT_FORWARD,
    CAUSED,
    LineEffect,
    ProjectEffect,
)
from debtwatch.screening.sectors import sector_named
from debtwatch.sustainability.decompose import Decomposition, decompose_ratio
from debtwatch.sustainability.settings import outlook_settings

TIERS = {
    "province": N_("Province"),
    "city": N_("City"),
    "county": N_("County"),
    "corps": N_("Corps"),
    "": "",
}
PARTS = {
    "general": N_("Net borrowing, general debt"),
    "special": N_("Net borrowing, special debt"),
    "swap": N_("Swap of hidden debt"),
    "total": N_("Net borrowing"),
    "own": N_("Change of own revenue"),
    "transfers": N_("Change of transfers"),
    "land": N_("Change of land revenue"),
    "fund": N_("Change of other fund revenue"),
    "fund_all": N_("Change of government fund revenue"),
}
MOST_PROBLEMS = 40
_SENTENCES = {
    CAUSED: N_("With the planned projects, {indicator} crosses {line} in {quarter}; without them "
               "it does not cross it by {end}."),
    BROUGHT_FORWARD: N_("{indicator} would cross {line} in {without} even without the projects; "
                        "they bring it forward to {quarter} (quarters sooner: {sooner})."),
    ANYWAY: N_("{indicator} would cross {line} in {without} even without any planned project."),
    ALREADY: N_("{indicator} already stands beyond {line}."),
}  # fmt: skip


class UnitPages:
    """Pages of the units of one study.

    Parameters
    ----------
    study : Study
    language : Language
    problems : mapping from unit to its data problems
    attention : mapping from unit to what classifiers say of it
    """

    def __init__(
        self,
        study: Study,
        language: Language,
        problems: Mapping[str, Sequence[ProblemRow]],
        attention: Mapping[str, Sequence[AttentionRow]] | None = None,
    ) -> None:
        self.study, self.language, self.problems = study, language, problems
        self.attention = attention or {}
        self.codes = [str(u) for u in study.panel.units.index]
        debt = study.inputs["debt_balance"][:, study.column]
        typical = float(np.nanmedian(debt)) if not np.isnan(debt).all() else 0.0
        self.figures = Figures(language.code, choose_size(typical), thresholds(study))
        self.places: dict[str, list[Place]] = {}
        self._decomposition = _decomposition(study)
        self._capacities = capacity_by_variant(study.panel, study.basis, study.column)
        now = {name: values[:, study.column] for name, values in study.inputs.items()}
        self._others = read_by_others(now, study.known_rulebooks)
        names = {key: language.text(name) for key, name in PARTS.items()}
        self.ahead = OutlookParts(study, language, self.figures, names)

    def pages(self, rows: Sequence[int], levels: Sequence[tuple[str, str, str]]) -> list[UnitPage]:
        """Pages of some units; ``levels`` are now, before and the worst ahead with projects."""
        study = self.study
        first = study.quarter - study.quarter % 4 - 4  # the year before, for figures to date
        self.places = study.panel.places([self.codes[r] for r in rows], first, study.quarter)
        self.ahead.prepare(rows)
        return [self.page(r, *own) for r, own in zip(rows, levels, strict=True)]

    def pick(self, text: Bilingual) -> str:
        """Pick the language's form of a text."""
        return self.language.pick(text.zh, text.en)

    def page(self, row: int, level: str, level_before: str, level_with: str) -> UnitPage:
        """Page of one unit."""
        study, unit = self.study, self.codes[row]
        variant = study.basis.variants[row]
        problems = list(self.problems.get(unit, ()))
        room, left = binding_limit(study, row)
        path = self._path(row)
        parts = self._parts(row)
        parts_ahead, ahead_total = self.ahead.parts_ahead(row)
        own = study.outlook.own_terms[row]
        return UnitPage(
            unit=unit,
            name=str(study.panel.units["name"].iloc[row]),
            tier=self.language.text(TIERS.get(str(study.panel.units["level"].iloc[row]), "")),
            level=level,
            level_before=level_before,
            level_with=level_with,
            capacity_label=self.pick(variant.label),
            capacity_text=self.pick(variant.text),
            capacity_source=self.pick(variant.source),
            capacity_estimated=variant.estimated,
            absent=[self.field_label(name) for name in study.basis.absent_of(row)],
            sentences=self._sentences(row),
            binding="" if room is None else self._line_label(room),
            headroom=left,
            indicators=[
                self._card(row, book.rulebook, indicator)
                for book in study.rulebooks
                for indicator in book.rulebook.indicator
                if book.rulebook.id != WIDE_RULEBOOK or self._supplied(row, book, indicator)
            ],
            path=path,
            fan=self.ahead.fan(row),
            probabilities=self.ahead.probabilities(row),
            horizons=[self.ahead.quarters[k] for k in self.ahead.checkpoints],
            own_years=int(study.outlook.drivers.years[row]),
            pool_decides=bool(
                study.outlook.drivers.years[row] < outlook_settings().estimation.fewest_years
            ),
            stress=self.ahead.stress(row),
            reverse=self.ahead.reverse(row),
            wall=self.ahead.wall(row),
            parts_ahead=parts_ahead,
            parts_ahead_total=ahead_total,
            stability=self.ahead.stability(row),
            segments=self._segments(path),
            capacities=self._capacity_rows(row),
            analogues=self._analogues(row),
            analogue_notes=self._analogue_notes(row),
            parts=parts,
            parts_total=_number(self._decomposition.change[row]) if parts else None,
            service=self._service(row),
            ladder_synthetic=any(bool(s[row]) for s in study.outlook.synthetic.values()),
            own_terms=bool(own),
            new_rate=_number(study.outlook.new_rate[row]),
            new_tenor=_number(study.outlook.new_tenor[row]),
            projects=[self._project(row, effect) for effect in study.impacts[row].projects],
            attention=list(self.attention.get(unit, ())),
            problems=problems[:MOST_PROBLEMS],
            problems_left=max(len(problems) - MOST_PROBLEMS, 0),
        )

    def _supplied(self, row: int, book: ChosenRulebook, indicator: Indicator) -> bool:
        """Whether wide-calibre debt was supplied for a unit; without it nothing is shown."""
        values = self.study.history[book.rulebook.id].values[indicator.id]
        return bool(np.isfinite(values[row, self.study.column]))

    def field_label(self, name: str) -> str:
        """Name of a field or of a derived total."""
        derived = {
            CAPACITY: N_("Comprehensive fiscal capacity"),
            "general_capacity": N_("Capacity of the general budget"),
            "fund_capacity": N_("Capacity of the fund budget"),
        }
        if name in derived:
            return self.language.text(derived[name])
        item = field_named(name)
        return self.language.pick(item.zh, item.en)

    def _line_label(self, effect: LineEffect) -> str:
        line = effect.line
        indicator = self._indicator(line.rulebook, line.indicator)
        return f"{self.pick(indicator.label)} {self.figures.percent(line.value, 0)}"

    def _indicator(self, rulebook: str, name: str) -> Indicator:
        return self.study.history[rulebook].rulebook.indicator_named(name)

    def _sentences(self, row: int) -> list[str]:
        """Say the findings in words, gravest first: projects, then what happens anyway."""
        order = (CAUSED, BROUGHT_FORWARD, ANYWAY, ALREADY)
        effects = [
            e for e in [*self.study.flagging(row), *self.study.limits(row)] if e.effect in order
        ]
        already = [e for e in effects if e.effect == ALREADY]
        keep = [e for e in effects if e.effect != ALREADY]
        for indicator in dict.fromkeys(e.line.indicator for e in already):
            own = [e for e in already if e.line.indicator == indicator]
            keep.append(max(own, key=lambda e: e.line.value))
        end = quarter_text(self.study.outlook.first_quarter + self.study.outlook.quarters - 1)
        return [
            self.language.text(_SENTENCES[e.effect]).format(
                indicator=self.pick(self._indicator(e.line.rulebook, e.line.indicator).label),
                line=self.figures.percent(e.line.value, 0),
                quarter=_quarter(e.quarter_with),
                without=_quarter(e.quarter_without),
                sooner=e.quarters_sooner,
                end=end,
            )
            for e in sorted(keep, key=lambda e: (order.index(e.effect), -e.line.severity))
        ]

    # -- indicators -----------------------------------------------------------------------------

    def _card(self, row: int, book: Rulebook, indicator: Indicator) -> IndicatorCard:
        study = self.study
        history = study.history[book.id]
        values = history.values[indicator.id][row]
        value = _number(values[study.column])
        code = int(history.bands[indicator.id][row, study.column])
        band = indicator.bands[code] if code >= 0 else None
        label = "" if band is None else (self.pick(band.label) if band.label else band.band)
        inputs = {n: float(v[row, study.column]) for n, v in study.inputs.items()}
        level = str(study.panel.units["level"].iloc[row])
        return IndicatorCard(
            id=indicator.id,
            label=self.pick(indicator.label),
            value=value,
            before=_number(values[study.before]) if study.before != study.column else None,
            band=label,
            severity=9 if band is None or band.severity is None else band.severity,
            text=self.pick(indicator.text),
            formula=indicator.formula,
            put_in=render(indicator.parsed.root, lambda n: self.figures.money(inputs.get(n))),
            rulebook=book.reference,
            sources=[self.pick(source) for source in book.legal_source],
            addressed=not level or level in book.levels,
            edge="" if band is None else _edge(band, indicator.unit, self.figures),
            why_missing=[] if value is not None else self._why(indicator, inputs),
            inputs=self._inputs(row, indicator.parsed.names()),
            thresholds=[
                self._threshold(e, indicator, value)
                for e in study.impacts[row].lines
                if e.line.indicator == indicator.id and e.line.rulebook == book.id
            ],
        )

    def _why(self, indicator: Indicator, inputs: Mapping[str, float]) -> list[str]:
        words = {"missing": N_("{field} is missing"), "zero": N_("{field} is zero")}
        reasons = why_missing(indicator.parsed, inputs)
        return [
            self.language.text(words[reason]).format(field=self._name_or_text(what))
            for reason, what in reasons
        ]

    def _name_or_text(self, what: str) -> str:
        try:
            return self.field_label(what)
        except KeyError:
            return what

    def _threshold(
        self, effect: LineEffect, indicator: Indicator, value: float | None
    ) -> Threshold:
        line = effect.line
        label = next(b.label for b in indicator.bands if b.band == line.band)
        return Threshold(
            label=self.pick(label) if label else line.band,
            line=line.value,
            inclusive=line.inclusive,
            distance=None if value is None else line.value - value,
            effect=effect.effect,
            quarter_without=_quarter(effect.quarter_without),
            quarter_with=_quarter(effect.quarter_with),
            headroom_before=effect.headroom_before,
            headroom_after=effect.headroom_after,
        )

    def _inputs(self, row: int, names: Sequence[str]) -> list[InputRow]:
        """List the base figures of a formula: totals and capacity are opened up."""
        study = self.study
        variant = study.basis.variants[row]
        base: list[str] = []
        for name in names:
            if name == CAPACITY:
                base += [name, *variant.fields()]
            elif name == "debt_balance":
                base += [name, "general_debt_balance", "special_debt_balance"]
            else:
                base.append(name)
        return [self._input(row, name) for name in dict.fromkeys(base)]

    def _input(self, row: int, name: str) -> InputRow:
        study, panel = self.study, self.study.panel
        column = study.column
        values = study.inputs.get(name)
        absent = name in study.basis.absent_of(row)
        if name == CAPACITY or name not in panel.values:
            return InputRow(
                field=name,
                label=self.field_label(name),
                value=None if values is None else _number(values[row, column]),
                basis="four_quarters" if name == CAPACITY else "stock",
                status="",
                known_from="",
                known_from_estimated=False,
                estimated=name == CAPACITY and study.basis.variants[row].estimated,
                implied=False,
                absent=absent,
                places=[],
            )
        flow = field_named(name).kind == "flow"
        first = max(column - 3, 0) if flow else column
        bits = int(np.bitwise_or.reduce(panel.marks[name][row, first : column + 1]))
        days = panel.known_from[name][row, first : column + 1]
        own = [p for p in self.places.get(self.codes[row], []) if _behind(p, name, study.quarter)]
        statuses = {p.status for p in own if p.status}
        annual = any(p.basis == "year" for p in own)
        return InputRow(
            field=name,
            label=self.field_label(name),
            value=None if values is None else _number(values[row, column]),
            basis="stock" if not flow else "year" if annual else "four_quarters",
            status=" / ".join(self.language.pick(*STATUS_NAMES[s]) for s in sorted(statuses)),
            known_from="" if np.isnat(days).all() else str(np.nanmax(days)),
            known_from_estimated=any(p.known_from_estimated for p in own),
            # A year's total that was split into quarters is reported; only its split is estimated.
            estimated=bool(bits & ESTIMATED) and not (annual and study.quarter % 4 == 3),
            implied=bool(bits & IMPLIED),
            absent=absent,
            places=self._implied_terms(row)
            if name == IMPLIED_FIELD
            else [" · ".join(x for x in (p.file, p.sheet, p.cell) if x) for p in own],
        )

    def _implied_terms(self, row: int) -> list[str]:
        """How implied transfers follow from the figures of the year."""
        inputs, column = self.study.inputs, self.study.column
        balance = inputs["general_debt_balance"][row]
        terms = {
            "spent": inputs["gpb_expenditure"][row, column],
            "revenue": inputs["gpb_revenue"][row, column],
            "borrowed": balance[column] - balance[column - 4] if column >= 4 else float("nan"),
        }
        text = N_(
            "{spent} (expenditure) − {revenue} (own revenue) − {borrowed} (change of general debt)"
        )
        shown = {key: self.figures.money(float(value)) for key, value in terms.items()}
        return [self.language.text(text).format(**shown)]

    # -- rules beside the headline ----------------------------------------------------------------

    def _segments(self, path: Sequence[PathPoint]) -> list[RuleSegment]:
        """Versions of the headline rulebook over the quarters of the path."""
        quarters = [q for p in path if (q := parse_quarter(p.quarter)) is not None]
        if not quarters:
            return []
        return [
            RuleSegment(book.reference, quarter_text(first), quarter_text(last), self._lines(book))
            for book, first, last in self.study.segments(min(quarters), max(quarters))
        ]

    def _lines(self, book: Rulebook) -> list[SegmentLine]:
        indicator = book.indicator_named(book.headline or book.indicator[0].id)
        bands = {band.band: band for band in indicator.bands}
        lines = []
        for line in lines_of(book, indicator):
            label = bands[line.band].label
            words = self.pick(label) if label else line.band
            lines.append(
                SegmentLine(
                    line.value, f"{words} {self.figures.percent(line.value, 0)}", line.severity
                )
            )
        return lines

    def _capacity_rows(self, row: int) -> list[CapacityRow]:
        """Give the headline ratio under each definition of capacity that can be computed."""
        debt = float(self.study.inputs["debt_balance"][row, self.study.column])
        used = self.study.basis.variants[row].id
        rows = []
        for variant, capacities in self._capacities:
            capacity = _number(float(capacities[row]))
            ratio = debt / capacity if capacity and capacity > 0 else None
            if capacity is not None or variant.id == used:
                rows.append(
                    CapacityRow(
                        self.pick(variant.label),
                        self.pick(variant.text),
                        variant.id == used,
                        capacity,
                        _number(ratio),
                    )
                )
        return rows

    def _analogues(self, row: int) -> list[AnalogueRow]:
        """How other systems would read these accounts."""
        rows = []
        for reading in self._others.readings:
            book, result = reading.rulebook, reading.assessment
            outcome = str(np.ravel(result.outcome_ids())[row])
            known = next((o for o in book.outcome if o.id == outcome), None)
            rows.append(
                AnalogueRow(
                    title=self.pick(book.title),
                    reference=book.reference,
                    outcome=self.pick(known.label) if known else self.language.text(N_("No data")),
                    severity=known.severity if known else 9,
                    indicators=self._analogue_indicators(row, reading),
                    missing=list(reading.missing),
                )
            )
        return rows

    def _analogue_indicators(self, row: int, reading: Reading) -> list[AnalogueIndicator]:
        found = []
        for indicator in reading.rulebook.indicator:
            value = _number(float(np.ravel(reading.assessment.values[indicator.id])[row]))
            code = int(np.ravel(reading.assessment.bands[indicator.id])[row])
            if value is None or code < 0:
                continue
            band = indicator.bands[code]
            words = self.pick(band.label) if band.label else ""
            found.append(
                AnalogueIndicator(self.pick(indicator.label), value, indicator.unit, words)
            )
        return found

    def _analogue_notes(self, row: int) -> list[str]:
        """Say what stands for the quantities of other systems, and where something is left out."""
        left_out = {
            definition.name: definition.otherwise_text
            for definition, used in self._others.remarks
            if bool(np.ravel(used)[row])
        }
        notes = []
        for definition in analogue_book().definition:
            note, second = self.pick(definition.text), left_out.get(definition.name)
            notes.append(f"{note} ({self.pick(second)})" if second else note)
        return notes

    # -- history, change, service -----------------------------------------------------------------

    def _path(self, row: int) -> list[PathPoint]:
        study = self.study
        book, headline = study.headline_book.id, study.headline.id
        history = study.history[book].values[headline][row]
        first = study.panel.first_quarter
        points = [
            PathPoint(quarter_text(first + c), "history", float(history[c]))
            for c in range(study.column + 1)
            if np.isfinite(history[c])
        ]
        paths = {"without": study.ahead[book].values[headline][row]}
        with_projects = study.impacts[row].with_projects.get(headline)
        if with_projects is not None:
            paths["with"] = with_projects
        now = history[study.column]
        for kind, path in paths.items():
            if np.isnan(path).any() or not np.isfinite(now):
                continue
            points.append(PathPoint(quarter_text(study.quarter), kind, float(now)))
            points += [
                PathPoint(quarter_text(study.outlook.first_quarter + k), kind, float(v))
                for k, v in enumerate(path)
            ]
        return points

    def _parts(self, row: int) -> list[Part]:
        found = {k: float(v[row]) for k, v in self._decomposition.parts().items()}
        if not np.isfinite(self._decomposition.change[row]) or self.study.before == (
            self.study.column
        ):
            return []
        return [
            Part(self.language.text(PARTS[key]), value)
            for key, value in found.items()
            if np.isfinite(value) and (abs(value) > 5e-6 or key in {"own", "transfers"})
        ]

    def _service(self, row: int) -> list[ServiceYear]:
        outlook = self.study.outlook
        ledgers = outlook.ledgers.values()
        if any(np.isnan(ledger.interest[row]).any() for ledger in ledgers):
            return []
        capacity = outlook.inputs[CAPACITY][row]
        years = []
        for first in range(0, outlook.quarters, 4):
            last = first + 3
            total = {
                name: float(sum(getattr(x, name)[row, first : last + 1].sum() for x in ledgers))
                for name in ("interest", "principal", "refinanced")
            }
            fiscal = total["principal"] - total["refinanced"]
            paid = total["interest"] + fiscal
            share = paid / capacity[last] if capacity[last] > 0 else None
            label = "–".join(quarter_text(outlook.first_quarter + k) for k in (first, last))
            years.append(
                ServiceYear(label, total["interest"], total["refinanced"], fiscal, _number(share))
            )
        return years

    def _sector(self, name: str) -> str:
        """Label of a sector of the table; the name itself else."""
        sector = sector_named(name)
        return name if sector is None else self.pick(sector.label)

    def _project(self, row: int, effect: ProjectEffect) -> ProjectCard:
        project = effect.project
        covered = project_coverage(project)
        line = effect.line
        label = ""
        if line is not None:
            indicator = self._indicator(line.rulebook, line.indicator)
            label = f"{self.pick(indicator.label)} {self.figures.percent(line.value, 0)}"
        tipped = {e.tipped_by for e in self.study.impacts[row].lines}
        return ProjectCard(
            code=project.code,
            name=project.name,
            sector=self._sector(project.sector),
            start=quarter_text(project.start_quarter),
            build_quarters=project.build_quarters,
            total=project.total_investment,
            debt=project.public_debt,
            approved=project.approved_on.isoformat() if project.approved_on else "",
            marking=project.illustrative,
            effect=effect.effect,
            line_label=label,
            quarter=_quarter(effect.quarter_alone),
            quarters_sooner=effect.quarters_sooner,
            first_in=effect.first_in,
            last_in=effect.last_in,
            tips=project.code in tipped,
            coverage=None if covered is None else covered.coverage,
            minimum_dscr=None if covered is None else covered.minimum_dscr,
            top_ups=None if covered is None else float(covered.top_ups.sum()),
            top_up_years=None if covered is None else int((covered.top_ups > 0).sum()),
        )


def _edge(band: Band, unit: str, figures: Figures) -> str:
    """Edges of a band in words of mathematics, such as 120% ≤ x < 200%."""

    def shown(edge: float) -> str:
        return figures.percent(edge, 0) if unit == "ratio" else figures.decimal(edge, 2)

    low = next((f"{shown(e)} {s} " for e, s in ((band.ge, "≤"), (band.gt, "<")) if e is not None),
               "")  # fmt: skip
    high = next((f" {s} {shown(e)}" for e, s in ((band.le, "≤"), (band.lt, "<")) if e is not None),
                "")  # fmt: skip
    return f"{low}x{high}" if low or high else ""


def _behind(place: Place, name: str, quarter: int) -> bool:
    """Whether a reported figure is one of those behind a four-quarter sum or a balance."""
    if place.field != name:
        return False
    if place.basis in {"stock", "year"}:
        return place.quarter == quarter
    if place.basis == "quarter":
        return 0 <= quarter - place.quarter < 4
    # sum of four quarters = year to date + last year's total - last year's figure to the quarter
    year_end = quarter - quarter % 4 - 1
    wanted = {quarter} if quarter % 4 == 3 else {quarter, year_end, quarter - 4}
    return place.quarter in wanted


def _decomposition(study: Study) -> Decomposition:
    """Change of the debt ratio since the quarter compared with, for all units."""
    now, before = study.column, study.before

    def at(name: str, column: int) -> np.ndarray:
        values = study.inputs.get(name)
        if values is None:
            return np.full(len(study.panel.units), np.nan)
        return values[:, column]

    ledgers = ("general_debt_balance", "special_debt_balance")
    balances = [at(name, column) for name in ledgers for column in (now, before)]
    split = ~np.isnan(balances).any(axis=0)

    def debt(column: int) -> dict[str, np.ndarray]:
        return {
            "general": np.where(split, at("general_debt_balance", column), 0.0),
            "special": np.where(split, at("special_debt_balance", column), 0.0),
            "total": at("debt_balance", column)
            - np.where(
                split, at("general_debt_balance", column) + at("special_debt_balance", column), 0.0
            ),
        }

    land_known = ~np.isnan(at("land_revenue", now) + at("land_revenue", before))

    def capacity(column: int) -> dict[str, np.ndarray]:
        own = at("gpb_revenue", column)
        land = np.where(land_known, at("land_revenue", column), 0.0)
        fund = at("fund_capacity", column) - land
        return {
            "own": own,
            "transfers": at("general_capacity", column) - own,
            "land": land,
            "fund": np.where(land_known, fund, 0.0),
            "fund_all": np.where(land_known, 0.0, fund),
        }

    # Swaps over the time compared: four quarters, or the one quarter.
    over_year = study.compare == study.quarter - 4
    swapped = (study.inputs if over_year else study.panel.values).get("swap_bonds")
    return decompose_ratio(
        debt(before),
        debt(now),
        capacity(before),
        capacity(now),
        None if swapped is None else swapped[:, now],
    )


def _number(value: float | np.floating | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _quarter(ordinal: int | None) -> str | None:
    return None if ordinal is None else quarter_text(ordinal)

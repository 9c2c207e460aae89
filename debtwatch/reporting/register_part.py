"""The register in a report: decisions as records, and the section that says how they stand."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from debtwatch import provenance
from debtwatch.language import N_, Language, language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter_of, quarter_text
from debtwatch.panel.register import (
    ConditionRecord,
    DecisionRecord,
    OverrideRecord,
    Register,
)
from debtwatch.panel.store import Known
from debtwatch.reporting.context import (
    RegisterCondition,
    RegisterDecision,
    RegisterForecast,
    RegisterMove,
    RegisterOverride,
    RegisterPass,
    RegisterSection,
)
from debtwatch.reporting.study import Study, choose_rulebooks
from debtwatch.rules.assess import assess
from debtwatch.rules.capacity import CAPACITY, choose_basis, history_inputs
from debtwatch.rules.expression import Array
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.decision import Screened
from debtwatch.screening.project import Project
from debtwatch.screening.standing import (
    ConditionStanding,
    ConditionState,
    Forecast,
    Moved,
    Observed,
    PassCheck,
    RegisterStanding,
    standing,
)

TIERS_FAMILY = "cn-debt-tiers"
OUTCOME_WORDS = {
    "pass": N_("Pass"),
    "conditional": N_("Conditional pass"),
    "defer": N_("Defer"),
    "reject": N_("Reject"),
}
STATE_WORDS = {
    "met": N_("Met"),
    "waived": N_("Waived"),
    "broken": N_("Broken"),
    "overdue": N_("Overdue"),
    "due": N_("Due this quarter"),
    "open": N_("Not due yet"),
}
GROUND_WORDS = {
    "mandatory_safety": N_("Mandatory safety repair"),
    "ongoing": N_("Ongoing project near completion"),
    "upper_level_grant": N_("Paid wholly by upper-level grants"),
}
MOVE_WORDS = {
    "ratio": N_("Debt ratio"),
    "debt": N_("Debt balance"),
    "capacity": N_("Comprehensive fiscal capacity"),
}
#: What needs someone's attention first.
_URGENT: tuple[ConditionState, ...] = ("broken", "overdue", "due")


@dataclass(frozen=True)
class Accounts:
    """Debt and fiscal capacity of a government at a decision, yuan; None where not known."""

    debt: float | None = None
    capacity: float | None = None


# -- decisions as records ------------------------------------------------------------------------


def records_of(
    screened: Sequence[Screened],
    *,
    screened_on: dt.date,
    as_of: dt.date,
    version: str,
    seed: int,
    accounts: Mapping[str, Accounts] | None = None,
    synthetic: bool = False,
) -> list[DecisionRecord]:
    """Write screened proposals as records for the register.

    Parameters
    ----------
    screened : sequence of Screened
    screened_on : date
        Day of the decision.
    as_of : date
        Nothing published after this day was used.
    version : str
        Of debtwatch.
    seed : int
        Of the simulation.
    accounts : mapping from unit to Accounts, optional
        Debt and capacity at the decision; where it is silent they follow from the balances of
        both ledgers and the ratio.
    synthetic : bool
        Whether the accounts are synthetic.
    """
    own = accounts or {}
    return [
        _record(
            one,
            own.get(one.case.project.unit),
            screened_on=screened_on,
            as_of=as_of,
            version=version,
            seed=int(seed),
            synthetic=synthetic or one.case.project.illustrative == "synthetic",
        )
        for one in screened
    ]


def _record(one: Screened, accounts: Accounts | None, **given: Any) -> DecisionRecord:
    case, decision = one.case, one.decision
    project, tier, chance = case.project, case.impact.tier, case.impact.probability
    worst = np.asarray(tier.path_with, dtype=np.float64)
    known = accounts or _implied_accounts(one)
    return DecisionRecord(
        quarter=int(case.government.quarter),
        unit=project.unit,
        code=project.code,
        name=project.name,
        outcome=decision.outcome,
        before_override=decision.before_override,
        valid_until=_ordinal(decision.valid_until),
        earliest=_ordinal(decision.earliest),
        reasons=decision.reasons,
        project_sha256=project_sha256(project),
        rulebooks={b.reference: b.sha256 for b in case.rulebooks.values()},
        indicator=_indicator(one),
        line=None if tier.line is None else _finite(tier.line.value),
        line_inclusive=tier.line is None or tier.line.inclusive,
        ratio_now=_finite(tier.value_now),
        ratio_with_worst=None if np.isnan(worst).all() else _finite(np.nanmax(worst)),
        worst_quarter=_ordinal(tier.worst_quarter),
        probability_with=None if chance is None else _finite(chance.with_),
        probability_without=None if chance is None else _finite(chance.without),
        first_quarter=int(case.impact.first_quarter),
        path_without=tuple(_finite(v) for v in tier.path_without),
        path_with=tuple(_finite(v) for v in tier.path_with),
        debt_now=_finite(known.debt),
        capacity_now=_finite(known.capacity),
        total_investment=float(project.total_investment),
        public_debt=float(project.public_debt),
        start_quarter=int(project.start_quarter),
        build_quarters=int(project.build_quarters),
        illustrative=project.illustrative == "illustrative",
        conditions=_conditions(one),
        override=_override(one),
        **given,
    )


def _conditions(one: Screened) -> tuple[ConditionRecord, ...]:
    return tuple(
        ConditionRecord(
            number=number,
            key=condition.key,
            zh=condition.sentence.say(language("zh")),
            en=condition.sentence.say(language("en")),
            checks=condition.checks,
            due=_ordinal(condition.due),
        )
        for number, condition in enumerate(one.conditions, start=1)
    )


def _override(one: Screened) -> OverrideRecord | None:
    taken = one.decision.override
    if taken is None:
        return None
    return OverrideRecord(taken.ground, taken.name, taken.date, taken.reason, one.decision.lifted)


def _indicator(one: Screened) -> str:
    """Id of the indicator that the paths show."""
    line, book = one.case.impact.tier.line, one.case.rulebooks.get(TIERS_FAMILY)
    if line is not None:
        return line.indicator
    return "" if book is None else book.headline or book.indicator[0].id


def _implied_accounts(one: Screened) -> Accounts:
    """Debt of both ledgers, and the capacity that its ratio implies."""
    balances = {q.ledger: _finite(q.balance) for q in one.case.impact.quotas}
    ratio = _finite(one.case.impact.tier.value_now)
    known = [b for name in ("general", "special") if (b := balances.get(name)) is not None]
    if len(known) < 2:
        return Accounts()
    debt = sum(known)
    return Accounts(debt, debt / ratio if ratio and debt else None)


def project_sha256(project: Project) -> str:
    """Hash of what a proposal says, wherever it stands in its file."""
    content = dataclasses.asdict(project)
    del content["place"]
    text = json.dumps(_plain_keys(content), sort_keys=True, default=str, ensure_ascii=False)
    return provenance.sha256_of_bytes(text.encode("utf-8", "surrogatepass"))


def _plain_keys(value: Any) -> Any:
    """Write keys as text, which sort whatever they are."""
    if isinstance(value, Mapping):
        return {str(k): _plain_keys(v) for k, v in value.items()}
    return [_plain_keys(v) for v in value] if isinstance(value, list | tuple) else value


def _finite(value: float | np.floating[Any] | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _ordinal(value: int | None) -> int | None:
    return None if value is None else int(value)


# -- what happened -------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """Figures of every government and quarter, from which a decision picks its own.

    Attributes
    ----------
    first_quarter : int
        Ordinal of the first column.
    rows : mapping from unit to row
    names : mapping from unit to name
    inputs, values : mapping from name to ndarray, shape (units, quarters)
        Rule inputs and indicators.
    """

    first_quarter: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Array] = field(default_factory=dict)
    values: Mapping[str, Array] = field(default_factory=dict)

    def observed(self, decision: DecisionRecord, quarter: int) -> Observed:
        """Figures of a decision's government at a quarter."""
        row = self.rows.get(decision.unit)
        if row is None:
            return Observed()
        column = quarter - self.first_quarter
        return Observed(
            ratio=_cell(self.values.get(decision.indicator), row, column),
            debt=_cell(self.inputs.get("debt_balance"), row, column),
            capacity=_cell(self.inputs.get(CAPACITY), row, column),
        )


def _cell(values: Array | None, row: int, column: int) -> float | None:
    if values is None or not 0 <= column < values.shape[1]:
        return None
    return _finite(values[row, column])


def _of_study(study: Study) -> History:
    panel = study.panel
    values = {name: v for book in study.history.values() for name, v in book.values.items()}
    return _accounted(panel.first_quarter, panel.units, study.inputs, values)


def history_of_store(known: Known, quarter: int) -> History:
    """Figures of a store without the simulation of a whole report."""
    if known.observations.empty:
        return History()
    panel = build_panel(known)
    inputs = history_inputs(panel, choose_basis(panel))
    values: dict[str, Array] = {}
    for chosen in choose_rulebooks(load_rulebooks(), (), quarter):
        values |= assess(chosen.rulebook, inputs).values
    return _accounted(panel.first_quarter, panel.units, inputs, values)


def _accounted(
    first_quarter: int, units: Any, inputs: Mapping[str, Array], values: Mapping[str, Array]
) -> History:
    codes = [str(code) for code in units.index]
    return History(
        first_quarter,
        {code: row for row, code in enumerate(codes)},
        {code: str(name) for code, name in zip(codes, units["name"], strict=True)},
        inputs,
        values,
    )


# -- the section of a report ---------------------------------------------------------------------


def register_section(
    register: Register, study: Study, words: Language, *, has_page: Mapping[str, bool]
) -> RegisterSection:
    """Cut the register's section of a report.

    Parameters
    ----------
    register : Register
        As known on the day of the report.
    study : Study
    words : Language
    has_page : mapping from unit to bool
        Whether a government has a page of its own.
    """
    figures = _of_study(study)
    stands = standing(
        register,
        quarter=max(study.quarter, quarter_of(study.panel.as_of)),
        as_of=study.panel.as_of,
        actual=figures.observed,
    )
    return RegisterRows(stands, words, figures.names, has_page).section(len(register.decisions))


@dataclass(frozen=True)
class RegisterRows:
    """What the register says, cut into rows in one language.

    Attributes
    ----------
    stands : RegisterStanding
    words : Language
    names : mapping from unit to name
    has_page : mapping from unit to bool
        Whether a government has a page of its own.
    """

    stands: RegisterStanding
    words: Language
    names: Mapping[str, str]
    has_page: Mapping[str, bool]

    def section(self, decisions: int) -> RegisterSection:
        """Cut the section of a report: what somebody must look at."""
        stands = self.stands
        urgent = sorted(stands.in_state(*_URGENT), key=lambda c: _URGENT.index(c.state))
        checked = [p for p in stands.passes if p.lapsed is not False]
        return RegisterSection(
            decisions=decisions,
            in_force=len(stands.in_force),
            superseded=len(stands.superseded),
            expired=[self.decision(d) for d in stands.expired],
            passes=[self.passed(p) for p in sorted(checked, key=lambda p: not p.lapsed)],
            conditions=[self.condition(c) for c in urgent],
            returning=[self.decision(d) for d in stands.returning],
            overrides=[self.override(d, o) for d, o in stands.overrides],
            forecasts=[
                self.forecast(f)
                for f in sorted(stands.forecasts, key=lambda f: -f.decision.quarter)
            ],
        )

    def decision(self, one: DecisionRecord) -> RegisterDecision:
        """Name a decision and its project."""
        return RegisterDecision(
            unit=one.unit,
            government=shown(self.names.get(one.unit, one.unit)),
            has_page=self.has_page.get(one.unit, False),
            code=shown(one.code),
            name=shown(one.name),
            outcome=one.outcome,
            outcome_label=self.words.text(OUTCOME_WORDS[one.outcome]),
            screened_on=one.screened_on.isoformat(),
            quarter=quarter_text(one.quarter),
            valid_until=written(one.valid_until),
            earliest=written(one.earliest),
            invented=_invented(one),
        )

    def passed(self, check: PassCheck) -> RegisterPass:
        """Say how far the figures behind a pass moved."""
        return RegisterPass(
            decision=self.decision(check.decision),
            lapsed=bool(check.lapsed),
            quarter=written(check.quarter),
            moves=[self.move(m) for m in check.moves],
        )

    def move(self, one: Moved) -> RegisterMove:
        """Say how far one figure moved."""
        label = self.words.text(MOVE_WORDS[one.name])
        return RegisterMove(one.name, label, one.then, one.now, one.change, one.too_far)

    def condition(self, one: ConditionStanding) -> RegisterCondition:
        """Say what became of a condition."""
        event = one.event
        return RegisterCondition(
            decision=self.decision(one.decision),
            number=one.condition.number,
            text=shown(self.words.pick(one.condition.zh, one.condition.en)),
            due=written(one.condition.due),
            state=one.state,
            state_label=self.words.text(STATE_WORDS[one.state]),
            recorded_on=None if event is None else event.on.isoformat(),
            recorded_by="" if event is None else shown(event.by),
            note="" if event is None else shown(event.note),
        )

    def override(self, decision: DecisionRecord, one: OverrideRecord) -> RegisterOverride:
        """Say who lifted which checks, and why."""
        return RegisterOverride(
            decision=self.decision(decision),
            before=decision.before_override,
            before_label=self.words.text(OUTCOME_WORDS[decision.before_override]),
            ground=shown(one.ground),
            ground_label=self.words.text(GROUND_WORDS.get(one.ground, "")) or shown(one.ground),
            by=shown(one.name),
            date=one.date.isoformat(),
            reason=shown(one.reason),
            lifted=[shown(check) for check in one.lifted],
        )

    def forecast(self, one: Forecast) -> RegisterForecast:
        """Set an outlook beside what happened."""
        return RegisterForecast(
            decision=self.decision(one.decision),
            quarter=quarter_text(one.quarter),
            without=one.without,
            with_project=one.with_,
            actual=one.actual,
            miss_without=one.miss_without,
            miss_with=one.miss_with,
            line=one.decision.line,
            crossed=one.crossed,
            crossed_in=written(one.crossed_in),
            expected_without=written(one.expected_without),
            expected_with=written(one.expected_with),
        )


def shown(text: str) -> str:
    """Replace what cannot be seen, or would turn the text around it, by a mark.

    Examples
    --------
    >>> shown("a" + chr(27) + "[31mb" + chr(10) + "c" + chr(0x202E) + "d")
    'a�[31mb c�d'
    """
    return "".join(" " if c.isspace() else c if c.isprintable() else "�" for c in text)


def written(ordinal: int | None) -> str | None:
    """Text of a quarter; None for none."""
    return None if ordinal is None else quarter_text(ordinal)


def _invented(one: DecisionRecord) -> str:
    return "synthetic" if one.synthetic else "illustrative" if one.illustrative else ""

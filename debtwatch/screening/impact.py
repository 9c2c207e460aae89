"""What planned construction does to each threshold: with and without, breach quarter, headroom.

The same inputs, the same rulebook formulas, once without and once with the projects' money added::

    d_q(s) = (D_q + s (c_q - p_q)) / (F_q + s dF_q)

(c drawn, p repaid, dF income that enters the fund budget). A project's interest is added to the
interest ratios; its spending is not added to their denominators, so that bond money cannot pump
them. A limit is judged on the balance of the report's quarter plus the projects' draws: later
increases of the limit are taken up by the borrowing of the central outlook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Assessment, Line, assess, lines_of
from debtwatch.rules.capacity import Basis, rule_inputs
from debtwatch.rules.expression import Formula, Node, evaluate
from debtwatch.rules.rulebook import Indicator, Rulebook
from debtwatch.screening.debt_service import ProjectFlows, project_flows
from debtwatch.screening.project import Project
from debtwatch.sustainability.accounts import INTEREST, LEDGERS, Outlook

Array = NDArray[np.float64]
#: Effects of planned construction on one threshold.
NO_EFFECT, BROUGHT_FORWARD, CAUSED, ANYWAY, ALREADY, NO_DATA = (
    "no_effect", "brought_forward", "caused", "anyway", "already", "no_data",
)  # fmt: skip
WAN = 1e4


@dataclass(frozen=True)
class LineEffect:
    """One threshold of one unit, with and without its projects.

    Attributes
    ----------
    line : Line
    effect : str
        ``no_effect``, ``brought_forward``, ``caused``, ``anyway``, ``already`` or ``no_data``.
    quarter_without, quarter_with : int or None
        First breach, ordinal.
    worst_with : float or None
        Value with projects at its worst quarter.
    worst_quarter : int or None
    headroom_before, headroom_after : float or None
        Debt that still fits before and after the projects, yuan, floored to the 万元 below;
        negative when the outlook itself breaches.
    tipped_by : str
        Code of the project that tips the sum over, empty when none.
    """

    line: Line
    effect: str
    quarter_without: int | None = None
    quarter_with: int | None = None
    worst_with: float | None = None
    worst_quarter: int | None = None
    headroom_before: float | None = None
    headroom_after: float | None = None
    tipped_by: str = ""

    @property
    def quarters_sooner(self) -> int:
        """Quarters by which the projects bring the breach forward."""
        if self.quarter_with is None or self.quarter_without is None:
            return 0
        return self.quarter_without - self.quarter_with


@dataclass(frozen=True)
class ProjectEffect:
    """One project in its unit.

    Attributes
    ----------
    project : Project
    effect : str
        Worst effect on any threshold, the project alone.
    line : Line or None
        Threshold of that effect.
    quarter_alone : int or None
        First breach with this project alone.
    quarters_sooner : int
    first_in, last_in : float or None
        Highest rise of the headline indicator over the quarters ahead when the project comes first
        and when it comes last.
    """

    project: Project
    effect: str
    line: Line | None = None
    quarter_alone: int | None = None
    quarters_sooner: int = 0
    first_in: float | None = None
    last_in: float | None = None


@dataclass(frozen=True)
class UnitImpact:
    """Planned construction of one unit.

    Attributes
    ----------
    lines : tuple of LineEffect
        Every threshold that applies.
    projects : tuple of ProjectEffect
        In order of counting: approved first, then start quarter, then code.
    with_projects : mapping from indicator to ndarray, shape (quarters,)
        Path with all projects; empty without projects.
    """

    lines: tuple[LineEffect, ...]
    projects: tuple[ProjectEffect, ...] = ()
    with_projects: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class _Stack:
    """Stacked scenarios: a unit and the flows added to it, so that all are evaluated at once."""

    rows: list[int] = field(default_factory=list)
    flows: list[ProjectFlows | None] = field(default_factory=list)

    def add(self, row: int, chosen: Sequence[ProjectFlows]) -> int:
        """Add a scenario; returns its position."""
        self.rows.append(row)
        self.flows.append(sum_flows(chosen))
        return len(self.rows) - 1


def add_flows(
    figures: Mapping[str, Array], rows: NDArray[np.intp], flows: Sequence[ProjectFlows | None]
) -> dict[str, Array]:
    """Money of some units with the flows of projects added.

    Parameters
    ----------
    figures : mapping from field to ndarray, shape (units, quarters)
    rows : ndarray of int, shape (scenarios,)
        Unit of each scenario.
    flows : sequence of ProjectFlows or None, one for each scenario
    """
    taken = {name: values[rows].copy() for name, values in figures.items()}
    for k, flow in enumerate(flows):
        if flow is None:
            continue
        for ledger in LEDGERS:
            taken[f"{ledger}_debt_balance"][k] += flow.debt[ledger]
            if INTEREST[ledger] in taken:
                taken[INTEREST[ledger]][k] += flow.interest[ledger]
        if "debt_balance" in taken:
            taken["debt_balance"][k] += sum(flow.debt.values())
        if "gfb_revenue" in taken:
            taken["gfb_revenue"][k] += flow.fund_income
    return taken


def money_of(flows: ProjectFlows) -> dict[str, Array]:
    """List what projects add to each field, shape (quarters,): for simulated paths."""
    money = {f"{ledger}_debt_balance": flows.debt[ledger] for ledger in LEDGERS}
    money |= {INTEREST[ledger]: flows.interest[ledger] for ledger in LEDGERS}
    return money | {"gfb_revenue": flows.fund_income}


def sum_flows(flows: Sequence[ProjectFlows]) -> ProjectFlows | None:
    """Flows of several projects together; None for none."""
    if not flows:
        return None
    return ProjectFlows(
        debt={k: sum((f.debt[k] for f in flows[1:]), flows[0].debt[k]) for k in LEDGERS},
        drawn={k: sum((f.drawn[k] for f in flows[1:]), flows[0].drawn[k]) for k in LEDGERS},
        interest={
            k: sum((f.interest[k] for f in flows[1:]), flows[0].interest[k]) for k in LEDGERS
        },
        fund_income=sum((f.fund_income for f in flows[1:]), flows[0].fund_income),
    )


@dataclass(frozen=True)
class Evaluated:
    """Scenarios evaluated by every rulebook.

    Attributes
    ----------
    assessments : dict from rulebook id to Assessment
        Arrays of shape (scenarios, quarters).
    inputs : dict from rulebook id to the money they were computed from
    """

    assessments: dict[str, Assessment]
    inputs: dict[str, dict[str, Array]]


def evaluate_scenarios(
    figures: Mapping[str, Array],
    basis: Basis,
    rulebooks: Sequence[Rulebook],
    *,
    balances_now: Mapping[str, Array],
    rows: Sequence[int],
    flows: Sequence[ProjectFlows | None],
) -> Evaluated:
    """Evaluate stacked scenarios with every rulebook."""
    index = np.asarray(rows, dtype=np.intp)
    own_basis = basis.take(index)
    moving = rule_inputs(add_flows(figures, index, flows), own_basis)
    frozen_figures = {**figures, **balances_now}
    frozen = rule_inputs(add_flows(frozen_figures, index, flows), own_basis)
    inputs = {r.id: frozen if r.kind == "limit" else moving for r in rulebooks}
    return Evaluated({r.id: assess(r, inputs[r.id]) for r in rulebooks}, inputs)


def headroom(indicator: Indicator, line: Line, inputs: Mapping[str, Array]) -> Array:
    """Money by which the numerator may still grow in each quarter: ``tau * F - D``.

    Parameters
    ----------
    indicator : Indicator
        A ratio ``numerator / denominator``.
    line : Line
    inputs : mapping from field to ndarray

    Returns
    -------
    ndarray
        NaN where na, or where the formula is not one quotient.
    """
    root = indicator.parsed.root
    if root.kind != "arithmetic" or root.value != "/":
        return np.full(np.shape(next(iter(inputs.values()))), np.nan)
    numerator, denominator = (_part(part, inputs) for part in root.parts)
    room = np.where(denominator > 0, line.value * denominator - numerator, np.nan)
    return np.broadcast_to(room, np.shape(next(iter(inputs.values()))))


def _part(node: Node, inputs: Mapping[str, Array]) -> Array:
    return np.asarray(evaluate(Formula("", node), inputs), dtype=np.float64)


def floor_headroom(amount: float, *, inclusive: bool) -> float:
    """Largest whole 万元 that stays on the good side of a line.

    The supremum itself breaches an inclusive line, so that one 万元 less is printed.

    Examples
    --------
    >>> floor_headroom(776_780_000.0, inclusive=True), floor_headroom(15_000.0, inclusive=False)
    (776770000.0, 10000.0)
    """
    whole = np.floor(amount / WAN + 1e-9)
    if inclusive and abs(whole * WAN - amount) <= 1e-9 * max(abs(amount), WAN):
        whole -= 1
    return float(whole * WAN)


def first_breach(line: Line, values: Array, first_quarter: int) -> int | None:
    """Ordinal of the first quarter on the bad side of a line, None when there is none.

    Examples
    --------
    >>> line = Line("book", "ratio", "orange", 2.0, True, 2)
    >>> first_breach(line, np.array([1.99, 2.0, 2.1]), 8100)
    8101
    """
    hits = np.flatnonzero(line.breached(values))
    return first_quarter + int(hits[0]) if len(hits) else None


def judge(
    now: float, without: int | None, with_: int | None, line: Line, *, computable: bool
) -> str:
    """Attribute a breach: caused, brought forward, anyway, already there, or no effect."""
    if not computable:
        return NO_DATA
    if not np.isnan(now) and bool(line.breached(np.asarray(now))):
        return ALREADY
    if with_ is None:
        return NO_EFFECT
    if without is None:
        return CAUSED
    return BROUGHT_FORWARD if with_ < without else ANYWAY


_RANK = {CAUSED: 0, BROUGHT_FORWARD: 1, ANYWAY: 2, NO_DATA: 3, NO_EFFECT: 4, ALREADY: 5}


def worst_effect(effects: Sequence[LineEffect]) -> LineEffect | None:
    """Pick the effect to report first: caused, brought forward, anyway; then the gravest line."""
    return min(
        effects,
        key=lambda e: (_RANK[e.effect], -e.line.severity, e.quarter_with or 10**9),
        default=None,
    )


class ImpactStudy:
    """All projects of all units, evaluated in one stack.

    Parameters
    ----------
    outlook : Outlook
    basis : Basis
    rulebooks : sequence of Rulebook
        The first gives the headline indicator.
    balances_now : mapping from field to ndarray
        Balances of the report's quarter, repeated over the quarters ahead, for limits.
    now : mapping from (rulebook, indicator) to ndarray, shape (units,)
        Values at the report's quarter.
    levels : sequence of str
        Level of each unit: a rulebook's lines apply to the levels it addresses.
    """

    def __init__(
        self,
        outlook: Outlook,
        basis: Basis,
        rulebooks: Sequence[Rulebook],
        *,
        balances_now: Mapping[str, Array],
        now: Mapping[tuple[str, str], Array],
        levels: Sequence[str],
    ) -> None:
        self.outlook, self.basis, self.rulebooks = outlook, basis, tuple(rulebooks)
        self.balances_now, self.now, self.levels = balances_now, now, levels
        self.first, self.quarters = outlook.first_quarter, outlook.quarters

    def run(self, projects: Mapping[int, Sequence[Project]], units: int) -> list[UnitImpact]:
        """Impact of every unit's projects.

        Parameters
        ----------
        projects : mapping from row of the unit to its projects
        units : int
            Number of units.
        """
        stack = _Stack()
        plans = [self._plan(stack, row, projects.get(row, ())) for row in range(units)]
        evaluated = evaluate_scenarios(
            self.outlook.figures,
            self.basis,
            self.rulebooks,
            balances_now=self.balances_now,
            rows=stack.rows,
            flows=stack.flows,
        )
        rooms = self._headrooms(evaluated, np.asarray(stack.rows, dtype=np.intp))
        return [self._unit(plan, evaluated, rooms) for plan in plans]

    def _plan(self, stack: _Stack, row: int, projects: Sequence[Project]) -> _Plan:
        ordered = sorted(projects, key=Project.order)
        own = [project_flows(p, self.first, self.quarters) for p in ordered]
        return _Plan(
            row,
            ordered,
            base=stack.add(row, []),
            alone=[stack.add(row, [flow]) for flow in own],
            cumulative=[stack.add(row, own[: k + 1]) for k in range(len(own))],
            others=[stack.add(row, own[:k] + own[k + 1 :]) for k in range(len(own))],
        )

    def lines_of_unit(self, row: int) -> list[tuple[Rulebook, Indicator, Line]]:
        """Thresholds of the rulebooks that address a unit's level."""
        level = self.levels[row]
        return [
            (rulebook, indicator, line)
            for rulebook in self.rulebooks
            if not level or level in rulebook.levels
            for indicator in rulebook.indicator
            for line in lines_of(rulebook, indicator)
        ]

    def flags(self, line: Line) -> bool:
        """Whether crossing a line flags a unit: any line of the headline indicator, grave others.

        The mild lines of other indicators are reminders of this tool, not thresholds of law. A
        legal limit is no warning line: projects that need more of it are listed apart.
        """
        headline = self.rulebooks[0]
        if line.rulebook == headline.id:
            return line.indicator == headline.headline
        return line.severity >= 2 and not self.is_limit(line)

    def counts(self, effect: LineEffect) -> bool:
        """Whether an effect tells something: a lack of data counts for the headline alone."""
        headline = self.rulebooks[0]
        own = effect.line.rulebook == headline.id and effect.line.indicator == headline.headline
        return own or effect.effect != NO_DATA

    def is_limit(self, line: Line) -> bool:
        """Whether a line is a legal limit of the balance."""
        book = next(r for r in self.rulebooks if r.id == line.rulebook)
        return book.kind == "limit" and line.severity >= 2

    def _headrooms(self, evaluated: Evaluated, rows: NDArray[np.intp]) -> dict[Line, Array]:
        """Smallest headroom over the quarters ahead, as debt, for each line and scenario."""
        rooms: dict[Line, Array] = {}
        for rulebook in self.rulebooks:
            for indicator in rulebook.indicator:
                for line in lines_of(rulebook, indicator):
                    money = headroom(indicator, line, evaluated.inputs[rulebook.id])
                    missing = np.isnan(money).any(axis=1)
                    least = np.where(missing, np.nan, np.min(money, axis=1))
                    if set(indicator.parsed.names()) & set(INTEREST.values()):
                        least = least / self.outlook.new_rate[rows]  # interest room as debt
                    rooms[line] = least
        return rooms

    def _unit(self, plan: _Plan, evaluated: Evaluated, rooms: Mapping[Line, Array]) -> UnitImpact:
        effects = []
        for rulebook, indicator, line in self.lines_of_unit(plan.row):
            values = evaluated.assessments[rulebook.id].values[indicator.id]
            effects.append(self._line(plan, line, values, rooms[line]))
        if not plan.projects:
            return UnitImpact(tuple(effects))
        headline = self.rulebooks[0].headline or self.rulebooks[0].indicator[0].id
        ratio = evaluated.assessments[self.rulebooks[0].id].values[headline]
        projects = [self._project(plan, k, evaluated, ratio) for k in range(len(plan.projects))]
        paths = {
            indicator.id: evaluated.assessments[r.id].values[indicator.id][plan.last]
            for r in reversed(self.rulebooks)  # the first rulebook's name wins
            for indicator in r.indicator
        }
        return UnitImpact(tuple(effects), tuple(projects), paths)

    def _line(self, plan: _Plan, line: Line, values: Array, rooms: Array) -> LineEffect:
        now = float(self.now[line.rulebook, line.indicator][plan.row])
        ahead = values[plan.last]
        computable = not bool(np.isnan(values[plan.base]).all())
        without = first_breach(line, values[plan.base], self.first)
        with_ = first_breach(line, ahead, self.first)
        effect = judge(now, without, with_, line, computable=computable)
        if not computable:
            return LineEffect(line, effect)
        worst = int(np.nanargmax(ahead))
        tips = effect in {CAUSED, BROUGHT_FORWARD}
        return LineEffect(
            line,
            effect,
            quarter_without=without,
            quarter_with=with_,
            worst_with=float(ahead[worst]),
            worst_quarter=self.first + worst,
            headroom_before=_floored(line, float(rooms[plan.base])),
            headroom_after=_floored(line, float(rooms[plan.last])),
            tipped_by=self._tipping(plan, line, values, without) if tips else "",
        )

    def _tipping(self, plan: _Plan, line: Line, values: Array, without: int | None) -> str:
        """First project, in order of counting, with which the breach comes (sooner)."""
        for project, position in zip(plan.projects, plan.cumulative, strict=True):
            breach = first_breach(line, values[position], self.first)
            if breach is not None and (without is None or breach < without):
                return project.code
        return ""

    def _project(self, plan: _Plan, k: int, evaluated: Evaluated, ratio: Array) -> ProjectEffect:
        effects = []
        for rulebook, indicator, line in self.lines_of_unit(plan.row):
            values = evaluated.assessments[rulebook.id].values[indicator.id]
            computable = not bool(np.isnan(values[plan.base]).all())
            without = first_breach(line, values[plan.base], self.first)
            alone = first_breach(line, values[plan.alone[k]], self.first)
            now = float(self.now[line.rulebook, line.indicator][plan.row])
            effect = judge(now, without, alone, line, computable=computable)
            effects.append(LineEffect(line, effect, without, alone))
        worst = worst_effect([e for e in effects if self.flags(e.line) and self.counts(e)])
        if worst is None or worst.effect == NO_DATA:
            return ProjectEffect(plan.projects[k], NO_DATA)
        judged = ProjectEffect(
            plan.projects[k],
            worst.effect,
            first_in=_rise(ratio[plan.alone[k]], ratio[plan.base]),
            last_in=_rise(ratio[plan.last], ratio[plan.others[k]]),
        )
        if worst.effect in {NO_EFFECT, ALREADY}:
            return judged
        return replace(
            judged,
            line=worst.line,
            quarter_alone=worst.quarter_with,
            quarters_sooner=worst.quarters_sooner,
        )


def _floored(line: Line, room: float) -> float | None:
    return None if np.isnan(room) else floor_headroom(room, inclusive=line.inclusive)


def _rise(with_: Array, without: Array) -> float | None:
    rise = with_ - without
    return None if np.isnan(rise).all() else float(np.nanmax(rise))


@dataclass(frozen=True)
class _Plan:
    """A unit's projects in order and the positions of its scenarios; ``base`` has no project."""

    row: int
    projects: list[Project]
    base: int
    alone: list[int]
    cumulative: list[int]
    others: list[int]

    @property
    def last(self) -> int:
        """Position of the scenario with all projects."""
        return self.cumulative[-1] if self.cumulative else self.base


def balances_at(panel_values: Mapping[str, Array], column: int, quarters: int) -> dict[str, Array]:
    """Balances of one quarter repeated over the quarters ahead, for limits."""
    return {
        f"{ledger}_debt_balance": np.repeat(
            panel_values[f"{ledger}_debt_balance"][:, column][:, None], quarters, axis=1
        )
        for ledger in LEDGERS
        if f"{ledger}_debt_balance" in panel_values
    }

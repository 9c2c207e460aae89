"""Rows of the programme that chooses among projects: what each option takes, and what there is.

An option is one project at one start and one scale. Every limit becomes a row
``sum of coefficients of the chosen options <= right side``, in the unit of the limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from debtwatch.language import N_
from debtwatch.panel.period import quarter_text
from debtwatch.rules.expression import TOLERANCE, at_least
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.debt_service import (
    draws_of,
    operation_by_quarter,
    project_flows,
    tranche_flows,
)
from debtwatch.screening.project import FISCAL, Project, Tranche
from debtwatch.screening.sentence import Quarter, Sentence
from debtwatch.screening.settings import PortfolioSettings, ScreeningSettings
from debtwatch.screening.variants import delayed

Array = NDArray[np.float64]
WAN = 1e4
#: Rows whose unit is yuan; ``need`` is in units of service, the others count projects.
MONEY_ROWS = (
    "headroom", "general_quota", "special_quota", "general_interest", "special_interest", "ppp",
    "cash", "sanbao",
)  # fmt: skip
_LABELS = {
    "headroom": N_("Debt headroom in {when}"),
    "general_quota": N_("Quota of general bonds"),
    "special_quota": N_("Quota of special bonds"),
    "general_interest": N_("Interest on general debt, four quarters to {when}"),
    "special_interest": N_("Interest on special debt, four quarters to {when}"),
    "ppp": N_("Commitments to partnerships in {when}"),
    "cash": N_("Own fiscal money in {when}"),
    "sanbao": N_("Fiscal capacity above the three guarantees in {when}"),
    "need": N_("Need for service: {pool}"),
    "excludes": N_("{first} and {second} rule each other out"),
    "requires": N_("{first} needs {second} before it"),
}


@dataclass(frozen=True)
class Option:
    """A project at one start and one scale; yuan, and cumulative where it says so.

    Attributes
    ----------
    quarters_later : int
    scale : float
    debt : ndarray, shape (quarters,)
        Bonds drawn less principal repaid, cumulative.
    general_drawn, special_drawn : ndarray, shape (quarters,)
        Bonds drawn, cumulative.
    general_interest, special_interest : ndarray, shape (quarters,)
        Interest over four quarters.
    capacity : ndarray, shape (quarters,)
        Addition to fiscal capacity over four quarters.
    cash, ppp, topup : ndarray, shape (calendar years,)
        Own fiscal money, commitments to partnerships, and debt service that the project's own cash
        does not pay, from the year of the first quarter on.
    """

    quarters_later: int
    scale: float
    debt: Array
    general_drawn: Array
    special_drawn: Array
    general_interest: Array
    special_interest: Array
    capacity: Array
    cash: Array
    ppp: Array
    topup: Array

    def at(self, scale: float) -> Option:
        """Take a share of the full project: every flow is linear in scale."""
        flows = {f.name: getattr(self, f.name) * scale for f in fields(self)[2:]}
        return Option(self.quarters_later, scale, **flows)


@dataclass(frozen=True)
class Candidate:
    """A project that may be chosen.

    Attributes
    ----------
    code : str
    value : float
        Score at full scale without delay.
    options : tuple of Option
        At most one is chosen.
    mandatory : bool
        Exactly one is chosen: mandatory safety repairs and ongoing projects.
    stageable : bool
    requires, excludes : tuple of str
        Codes of projects that start before, and of those that rule it out.
    need_pool : str
        Need that several projects serve, empty for none.
    added_capacity : float
        Service added at full scale, in the unit of the need.
    start_quarter : int
        Ordinal of the start without delay; compared among projects that require each other.
    lag : int
        Quarters from the start of a required project to the own one, at least.
    """

    code: str
    value: float
    options: tuple[Option, ...]
    mandatory: bool = False
    stageable: bool = False
    requires: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    need_pool: str = ""
    added_capacity: float = 0.0
    start_quarter: int = 0
    lag: int = 1


@dataclass(frozen=True)
class Limits:
    """What a government can bear; NaN or None where nobody knows: that row is left out.

    Attributes
    ----------
    unit : str
    first_quarter : int
        Ordinal of the first quarter ahead.
    tau : float
        Line of the debt ratio.
    capacity, debt : ndarray, shape (quarters,)
        Fiscal capacity and debt without any project.
    buffer : float
        Share of capacity kept free below the line.
    general_quota, special_quota : float
        Bonds that may still be drawn.
    general_interest_room, special_interest_room : ndarray, shape (quarters,)
        Interest over four quarters that still fits.
    ppp_room, cash, sanbao_room : ndarray or None, shape (calendar years,)
        From the year of the first quarter on.
    need_rooms : mapping from need pool to float
        Service that all projects of the pool may add together.
    inclusive : bool
        Whether a ratio exactly at the line has crossed it.
    """

    unit: str
    first_quarter: int
    tau: float
    capacity: Array
    debt: Array
    buffer: float
    general_quota: float
    special_quota: float
    general_interest_room: Array
    special_interest_room: Array
    ppp_room: Array | None = None
    cash: Array | None = None
    sanbao_room: Array | None = None
    need_rooms: Mapping[str, float] = field(default_factory=dict)
    inclusive: bool = True

    @property
    def quarters(self) -> int:
        """Quarters ahead."""
        return len(self.capacity)

    @property
    def years(self) -> int:
        """Calendar years that the quarters ahead touch."""
        return calendar_years(self.first_quarter, self.quarters)


@dataclass(frozen=True)
class Row:
    """One limit.

    Attributes
    ----------
    key : str
        See :class:`debtwatch.screening.portfolio.BindingRow`.
    name : str
        Key and quarter, year or codes, the same in every language.
    label : Bilingual
    quarter : int or None
    coefficients : ndarray, shape (options,)
    right : float
    """

    key: str
    name: str
    label: Bilingual
    quarter: int | None
    coefficients: Array
    right: float

    @property
    def size(self) -> float:
        """Largest figure of the row: what its rounding is measured by."""
        return max(abs(self.right), float(np.abs(self.coefficients).max()))


@dataclass(frozen=True)
class Programme:
    """Options side by side, and the rows that they must keep to.

    Attributes
    ----------
    candidates : tuple of Candidate
        In order of their codes.
    options : tuple of Option
    group : ndarray of int, shape (options,)
        Candidate of each option.
    values : ndarray, shape (options,)
        ``value * scale * discount ** quarters later``.
    debts : ndarray, shape (options,)
        Highest debt of each option, yuan.
    rows : tuple of Row
    unknown : tuple of str
        Rows that are left out because their limit is not known.
    no_room : tuple of str
        Rows that are crossed without any project: they only forbid to worsen that.
    barred : tuple of str
        Codes of candidates that require a project which is no candidate.
    baseline_breaches : bool
    """

    candidates: tuple[Candidate, ...]
    options: tuple[Option, ...]
    group: NDArray[np.intp]
    values: Array
    debts: Array
    rows: tuple[Row, ...]
    unknown: tuple[str, ...] = ()
    no_room: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    baseline_breaches: bool = False
    matrix: Array = field(init=False, repr=False, compare=False)
    right: Array = field(init=False, repr=False, compare=False)
    slack: Array = field(init=False, repr=False, compare=False)
    mandatory: NDArray[np.bool_] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = (len(self.rows), len(self.options))
        stacked = np.array([r.coefficients for r in self.rows]).reshape(shape)
        object.__setattr__(self, "matrix", stacked)
        object.__setattr__(self, "right", np.array([r.right for r in self.rows]))
        rounding = np.array([TOLERANCE * r.size for r in self.rows])
        object.__setattr__(self, "slack", rounding)
        must = np.array([c.mandatory for c in self.candidates], dtype=bool)
        object.__setattr__(self, "mandatory", must)

    def fits(self, picks: Sequence[int]) -> bool:
        """Whether a set of options keeps to every row, up to rounding, and holds what it must."""
        chosen = list(picks)
        groups = self.group[chosen]
        if len(set(groups.tolist())) < len(chosen):
            return False
        if not set(np.flatnonzero(self.mandatory).tolist()) <= set(groups.tolist()):
            return False
        used = self.matrix[:, chosen].sum(axis=1)
        return bool(np.all(used <= self.right + self.slack))

    def value(self, picks: Sequence[int]) -> float:
        """Score of a set of options."""
        return float(sum(self.values[k] for k in sorted(picks)))

    def relaxed(self, row: int, factor: float) -> Programme:
        """Multiply the right side of one row."""
        changed = replace(self.rows[row], right=self.rows[row].right * factor)
        return replace(self, rows=(*self.rows[:row], changed, *self.rows[row + 1 :]))


def calendar_years(first_quarter: int, quarters: int) -> int:
    """Count the calendar years that some quarters touch.

    Examples
    --------
    >>> calendar_years(4 * 2026 + 3, 2)
    2
    """
    return (first_quarter + quarters - 1) // 4 - first_quarter // 4 + 1


def need_pool_of(project: Project) -> str:
    """Name the need that a project serves: its sector and unit; empty when it adds no service."""
    return f"{project.sector} {project.need.unit}".strip() if project.need.added else ""


def need_rooms_of(
    projects: Sequence[Project], gaps: Mapping[str, float | None], settings: ScreeningSettings
) -> dict[str, float]:
    """Service that the projects of each need may add together: gap times the pool's factor.

    Projects of one need that state different gaps are held to the smallest.

    Parameters
    ----------
    projects : sequence of Project
    gaps : mapping from code to float or None
        Missing service, in the unit of the need.
    settings : ScreeningSettings
    """
    rooms: dict[str, float] = {}
    for project in projects:
        pool, gap = need_pool_of(project), gaps.get(project.code)
        if pool and gap is not None and np.isfinite(gap):
            room = max(gap, 0.0) * settings.portfolio.need_pool
            rooms[pool] = min(room, rooms.get(pool, room))
    return rooms


def candidates_of(
    projects: Sequence[Project],
    *,
    first_quarter: int,
    quarters: int,
    settings: ScreeningSettings,
    values: Mapping[str, float],
    done: Collection[str] = (),
    lag: int = 1,
) -> tuple[Candidate, ...]:
    """Build the options of projects: every start, and every scale of those that can be staged.

    An ongoing project goes on at full scale without delay.

    Parameters
    ----------
    projects : sequence of Project
    first_quarter : int
        Ordinal of the first quarter ahead.
    quarters : int
    settings : ScreeningSettings
    values : mapping from code to score
    done : collection of str
        Codes of projects that stand already: requiring them asks for nothing.
    lag : int
        Quarters from the start of a required project to the own one, at least.

    Raises
    ------
    KeyError
        When a project has no value.
    """
    return tuple(
        Candidate(
            code=project.code,
            value=values[project.code],
            options=tuple(_options(project, first_quarter, quarters, settings.portfolio)),
            mandatory=project.priority.mandatory_safety or project.priority.ongoing,
            stageable=project.priority.stageable,
            requires=tuple(c for c in project.priority.requires if c not in done),
            excludes=project.priority.excludes,
            need_pool=need_pool_of(project),
            added_capacity=project.need.added or 0.0,
            start_quarter=project.start_quarter,
            lag=lag,
        )
        for project in projects
    )


def _options(
    project: Project, first_quarter: int, quarters: int, settings: PortfolioSettings
) -> Iterator[Option]:
    ongoing = project.priority.ongoing
    scales = settings.scales if project.priority.stageable and not ongoing else (1.0,)
    for later in range(1 if ongoing else settings.starts):
        full = full_option(project, later, first_quarter=first_quarter, quarters=quarters)
        yield from (full.at(scale) for scale in scales)


def full_option(project: Project, later: int, *, first_quarter: int, quarters: int) -> Option:
    """Flows of a whole project that starts some quarters later.

    Parameters
    ----------
    project : Project
    later : int
    first_quarter : int
    quarters : int
    """
    moved = delayed(project, later)
    flows = project_flows(moved, first_quarter, quarters)
    return Option(
        quarters_later=later,
        scale=1.0,
        debt=flows.debt["general"] + flows.debt["special"],
        general_drawn=flows.drawn["general"],
        special_drawn=flows.drawn["special"],
        general_interest=flows.interest["general"],
        special_interest=flows.interest["special"],
        capacity=flows.fund_income,
        cash=_own_money(moved, first_quarter, quarters),
        ppp=_commitments(project, later, first_quarter, quarters),
        topup=_top_ups(moved, first_quarter, quarters),
    )


def _own_money(project: Project, first_quarter: int, quarters: int) -> Array:
    by_year = np.zeros(calendar_years(first_quarter, quarters))
    for tranche in project.financing:
        if tranche.source not in FISCAL:
            continue
        for after, amount in draws_of(project, tranche).items():
            quarter = project.start_quarter + after
            year = quarter // 4 - first_quarter // 4
            if quarter >= first_quarter and year < len(by_year):
                by_year[year] += amount
    return by_year


def _commitments(project: Project, later: int, first_quarter: int, quarters: int) -> Array:
    by_year = np.zeros(calendar_years(first_quarter, quarters))
    for year, amount in project.ppp_commitments.items():
        for quarter in range(4 * year + later, 4 * year + 4 + later):
            at = quarter // 4 - first_quarter // 4
            if 0 <= at < len(by_year):
                by_year[at] += amount / 4
    return by_year


def _top_ups(project: Project, first_quarter: int, quarters: int) -> Array:
    """Debt service that own cash does not pay, by year, of the money that is still to be drawn."""
    years = calendar_years(first_quarter, quarters)
    year_start = first_quarter - first_quarter % 4
    length = max(4 * years - (project.start_quarter - year_start), 1)
    shift = project.start_quarter - year_start
    debts = [t for t in project.financing if t.is_debt and t.amount > 0]
    ahead = [_still_to_draw(project, t, first_quarter) for t in debts]
    operation = project.operation
    net = sum(
        (
            sign * operation_by_quarter(project, dict(yearly), length)
            for sign, yearly in (
                (1.0, operation.user_fees), (1.0, operation.fund_income),
                (0.0 if operation.is_net else -1.0, operation.opex), (-1.0, operation.taxes),
            )
        ),
        np.zeros(length),
    )  # fmt: skip
    cash = _by_year(net, shift, years)
    all_debt = _by_year(_service(project, debts, length), shift, years)
    new_debt = _by_year(_service(project, ahead, length), shift, years)
    # The service of what was drawn before stands in the accounts already.
    before = np.maximum(all_debt - new_debt - cash, 0.0)
    added: Array = np.maximum(all_debt - cash, 0.0) - before
    return added


def _service(project: Project, tranches: Sequence[Tranche], length: int) -> Array:
    flows = [tranche_flows(project, t, length) for t in tranches]
    return np.asarray(sum((f.interest + f.principal for f in flows), np.zeros(length)))


def _still_to_draw(project: Project, tranche: Tranche, first_quarter: int) -> Tranche:
    if project.start_quarter >= first_quarter:
        return tranche
    draws = draws_of(project, tranche).items()
    dated = ((project.start_quarter + after, amount) for after, amount in draws)
    kept = tuple((quarter, amount) for quarter, amount in dated if quarter >= first_quarter)
    return replace(tranche, schedule=kept or ((project.start_quarter, 0.0),))


def _by_year(flow: Array, shift: int, years: int) -> Array:
    """Sum a flow that begins ``shift`` quarters after the first January, by calendar year."""
    placed = np.zeros(4 * years)
    first, last = max(shift, 0), min(shift + len(flow), 4 * years)
    if first < last:
        placed[first:last] = flow[first - shift : last - shift]
    return np.asarray(placed.reshape(years, 4).sum(axis=1))


def programme(
    candidates: Sequence[Candidate],
    limits: Limits,
    settings: ScreeningSettings,
    *,
    chance_room: Array | None = None,
) -> Programme:
    """Put the options side by side and write down every row.

    Parameters
    ----------
    candidates : sequence of Candidate
    limits : Limits
    settings : ScreeningSettings
    chance_room : ndarray, optional
        Headroom in each quarter instead of ``tau * F - D - buffer * F``.

    Raises
    ------
    ValueError
        When a code appears twice, or lengths of limits and options differ, or a flow is missing.
    """
    ordered = tuple(sorted(candidates, key=lambda c: c.code))
    _check(ordered, limits)
    options = tuple(option for c in ordered for option in c.options)
    group = np.array([j for j, c in enumerate(ordered) for _ in c.options], dtype=np.intp)
    discount = settings.portfolio.discount
    values = [c.value * o.scale * discount**o.quarters_later for c in ordered for o in c.options]
    writer = _Writer(ordered, options, group, limits)
    if options:
        writer.money(chance_room)
        writer.needs()
        writer.order()
    known = limits.capacity > 0
    ratio = np.divide(limits.debt, limits.capacity, where=known, out=np.full_like(limits.debt, -1))
    return Programme(
        ordered, options, group, np.array(values, dtype=np.float64),
        np.array([max(float(o.debt.max()), 0.0) for o in options]),
        tuple(writer.rows), tuple(writer.unknown), tuple(writer.no_room), tuple(writer.barred),
        bool(at_least(ratio, limits.tau).any()),
    )  # fmt: skip


def headroom_sides(limits: Limits, chance_room: Array | None = None) -> Array:
    """Right side of the headroom rows before it is held at nought; NaN where it is not known.

    An inclusive line is crossed by a ratio equal to it, so that the largest whole 万元 below is
    taken; the buffer may be used up to its edge.

    Parameters
    ----------
    limits : Limits
    chance_room : ndarray, optional
    """
    capacity = np.where(limits.capacity > 0, limits.capacity, np.nan)
    room = limits.tau * capacity - limits.debt if chance_room is None else chance_room
    if limits.inclusive:
        # Twice the tolerance with which a ratio counts as equal to its line, in money.
        near = 4 * TOLERANCE * max(1.0, limits.tau) * np.nan_to_num(capacity)
        room_below: Array = np.floor((room - near) / WAN) * WAN
    else:
        room_below = room
    if chance_room is not None:
        return room_below
    return np.minimum(room_below, room - limits.buffer * capacity)


def _check(candidates: Sequence[Candidate], limits: Limits) -> None:
    twice = [a.code for a, b in pairwise(candidates) if a.code == b.code]
    if twice:
        raise ValueError(f"candidate {twice[0]} appears twice")
    yearly = {"cash", "ppp", "topup"}
    for candidate in candidates:
        if not np.isfinite(candidate.value):
            raise ValueError(f"candidate {candidate.code} has no value")
        for option in candidate.options:
            for one in fields(Option)[2:]:
                flow = getattr(option, one.name)
                wanted = limits.years if one.name in yearly else limits.quarters
                if np.shape(flow) != (wanted,) or not np.isfinite(flow).all():
                    raise ValueError(f"{one.name} of {candidate.code}: {wanted} figures wanted")


class _Writer:
    """Writes rows one kind after the other, and notes what is not known."""

    def __init__(
        self,
        candidates: tuple[Candidate, ...],
        options: tuple[Option, ...],
        group: NDArray[np.intp],
        limits: Limits,
    ) -> None:
        self.candidates, self.options, self.group = candidates, options, group
        self.limits = limits
        self.starts = np.array(
            [c.start_quarter + o.quarters_later for c in candidates for o in c.options]
        )
        self.rows: list[Row] = []
        self.unknown: list[str] = []
        self.no_room: list[str] = []
        self.barred: list[str] = []

    def money(self, chance_room: Array | None) -> None:
        """Headroom, quotas, interest, partnerships, own money, the three guarantees."""
        limits = self.limits
        taken = self.stack("debt") - limits.tau * self.stack("capacity")
        self.by_quarter("headroom", taken, headroom_sides(limits, chance_room))
        for ledger in ("general", "special"):
            quota = getattr(limits, f"{ledger}_quota")
            self.add(f"{ledger}_quota", self.stack(f"{ledger}_drawn")[-1], quota)
            room = getattr(limits, f"{ledger}_interest_room")
            self.by_quarter(f"{ledger}_interest", self.stack(f"{ledger}_interest"), room)
        self.by_year("ppp", "ppp", limits.ppp_room)
        self.by_year("cash", "cash", limits.cash)
        self.by_year("sanbao", "topup", limits.sanbao_room)

    def needs(self) -> None:
        """Several projects for one need."""
        pools = [c.need_pool for c in self.candidates]
        for pool in sorted({p for p in pools if p}):
            added = [
                o.scale * c.added_capacity * (c.need_pool == pool)
                for c in self.candidates
                for o in c.options
            ]
            self.add("need", np.array(added), self.limits.need_rooms.get(pool, np.nan), pool)

    def order(self) -> None:
        """Precedence and exclusion."""
        place = {c.code: j for j, c in enumerate(self.candidates)}
        pairs = {
            tuple(sorted((c.code, other)))
            for c in self.candidates for other in c.excludes if other in place and other != c.code
        }  # fmt: skip
        for first, second in sorted(pairs):
            both = (self.group == place[first]) | (self.group == place[second])
            self.add("excludes", both.astype(float), 1.0, f"{first} {second}",
                     first=first, second=second)  # fmt: skip
        for candidate in self.candidates:
            for other in candidate.requires:
                self.precede(candidate, place[candidate.code], other, place.get(other))

    def precede(self, candidate: Candidate, j: int, other: str, i: int | None) -> None:
        """For every start: begun by then only if the other has begun ``lag`` earlier."""
        own = self.group == j
        named = {"first": candidate.code, "second": other}
        if i is None:
            self.barred.append(candidate.code)
            self.add("requires", own.astype(float), 0.0, f"{candidate.code} {other}", **named)
            return
        for start in sorted(set(self.starts[own].tolist())):
            begun = own & (self.starts <= start)
            before = (self.group == i) & (self.starts <= start - candidate.lag)
            self.add("requires", begun.astype(float) - before, 0.0,
                     f"{candidate.code} {other} {quarter_text(start)}", **named)  # fmt: skip

    def stack(self, name: str) -> Array:
        """One flow of all options, shape (quarters or years, options)."""
        return np.stack([getattr(o, name) for o in self.options], axis=1)

    def by_quarter(self, key: str, taken: Array, room: Array) -> None:
        """Add a row for each quarter."""
        if np.shape(room) != (self.limits.quarters,):
            raise ValueError(f"{key}: {self.limits.quarters} figures wanted")
        for k, side in enumerate(room):
            quarter = self.limits.first_quarter + k
            self.add(key, taken[k], float(side), quarter_text(quarter), quarter=quarter)

    def by_year(self, key: str, name: str, room: Array | None) -> None:
        """Add a row for each calendar year."""
        taken, years = self.stack(name), self.limits.years
        sides = np.full(years, np.nan) if room is None else np.asarray(room, dtype=np.float64)
        if sides.shape != (years,):
            raise ValueError(f"{key}: {years} figures wanted")
        for k, side in enumerate(sides):
            year = self.limits.first_quarter // 4 + k
            self.add(key, taken[k], float(side), str(year), year=str(year))

    def add(self, key: str, taken: Array, room: float, which: str = "", **named: str | int) -> None:
        """Add a row where some option can use it up; note it where its limit is not known."""
        if not (taken > 0).any() or room == np.inf:
            return
        name = f"{key} {which}".strip()
        if np.isnan(room):
            self.unknown.append(name)
            return
        if room < 0:
            self.no_room.append(name)
        quarter = named.get("quarter")
        when = Quarter(quarter) if isinstance(quarter, int) else str(named.get("year", ""))
        words = {"when": when, "pool": which, "first": str(named.get("first", "")),
                 "second": str(named.get("second", ""))}  # fmt: skip
        label = Bilingual(**Sentence(_LABELS[key], words).both())
        at = quarter if isinstance(quarter, int) else None
        # Without room even the empty set would be out; so the row only forbids to worsen it.
        self.rows.append(Row(key, name, label, at, np.asarray(taken, float), max(room, 0.0)))

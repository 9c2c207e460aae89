"""Where a government stands without a project: its accounts, its outlook, its simulated paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.rules.assess import Line, indicator_value, lines_of
from debtwatch.rules.capacity import CAPACITY, Basis, history_inputs, rule_inputs
from debtwatch.rules.expression import TOLERANCE
from debtwatch.rules.rulebook import Bilingual, Indicator, Rulebook
from debtwatch.screening.breach import breached_by
from debtwatch.screening.case import Government
from debtwatch.screening.debt_service import last_four
from debtwatch.screening.impact import balances_at, headroom
from debtwatch.sustainability.accounts import LEDGERS, Outlook

Array = NDArray[np.float64]
Paths = NDArray[np.floating]
#: Families of the rulebooks that the debt checks rest on.
TIERS, WIDE, QUOTA, RESTRUCTURING, PPP = (
    "cn-debt-tiers", "cn-debt-tiers-wide", "cn-debt-quota", "cn-fiscal-restructuring", "cn-ppp-cap",
)  # fmt: skip


@dataclass(frozen=True)
class Stress:
    """Money of one stress scenario on the central path, by name, shape (quarters,)."""

    label: Bilingual
    inputs: Mapping[str, Array]


@dataclass(frozen=True)
class Province:
    """The other governments of the province, for the effect on the whole.

    Attributes
    ----------
    debt, capacity : ndarray, shape (quarters,)
        Sums of the central outlook without this government.
    expected : float
        Expected number of the others beyond their next line within the horizon.
    """

    debt: Array
    capacity: Array
    expected: float


@dataclass(frozen=True)
class Position:
    """One government without the project.

    Attributes
    ----------
    government : Government
    first_quarter : int
        Ordinal of the first quarter ahead.
    basis : Basis
        Of this government alone.
    rulebooks : mapping from family to Rulebook
        The version in force of each; :data:`WIDE` only where hidden debt is known.
    figures : mapping from field to ndarray, shape (1, quarters)
        Central outlook.
    balances_now : mapping from field to ndarray, shape (1, quarters)
        Balances of the quarter of the accounts, for limits.
    now : mapping from name to float
        Rule inputs at the quarter of the accounts; NaN where missing.
    new_rate : float
        Rate of new bonds, decimal a year.
    financing_need : ndarray, shape (quarters,)
        Gross financing need of each quarter: principal due and net borrowing, both ledgers.
    general_service : ndarray, shape (quarters,)
        Interest, and principal met by own money, of the general ledger in each quarter.
    pipeline : mapping from ledger to float
        Draws of projects approved already, yuan.
    paths : mapping from name to ndarray, shape (quarters, paths)
        Simulated money that the tiers' formula names; empty without simulation.
    seed : int
    stresses : tuple of Stress
    province : Province or None
    kept : dict
        What has been computed from the position and may be needed again.
    """

    government: Government
    first_quarter: int
    basis: Basis
    rulebooks: Mapping[str, Rulebook]
    figures: Mapping[str, Array]
    balances_now: Mapping[str, Array]
    now: Mapping[str, float]
    new_rate: float
    financing_need: Array
    general_service: Array
    pipeline: Mapping[str, float] = field(default_factory=dict)
    paths: Mapping[str, Paths] = field(default_factory=dict)
    seed: int = 0
    stresses: tuple[Stress, ...] = ()
    province: Province | None = None
    # A position that is changed by `replace` begins with nothing kept.
    kept: dict[object, Any] = field(init=False, default_factory=dict, compare=False, repr=False)

    @property
    def quarters(self) -> int:
        """Quarters ahead."""
        return int(next(iter(self.figures.values())).shape[1])

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """Rule inputs of the central outlook, shape (1, quarters) each."""
        shape = (1, self.quarters)
        found = rule_inputs(self.figures, self.basis)
        return {name: np.broadcast_to(values, shape) for name, values in found.items()}

    def ahead(self, quarters: int) -> Position:
        """Cut the outlook to the first quarters ahead."""
        if quarters >= self.quarters:
            return self
        cut = self.kept.get(quarters)
        if cut is None:
            cut = self.kept[quarters] = self._cut(quarters)
            cut.kept["whole"] = self  # what is computed on paths is computed once, on all quarters
        assert isinstance(cut, Position)  # noqa: S101 - the key is a number of quarters
        return cut

    def _cut(self, quarters: int) -> Position:
        return replace(
            self,
            figures={n: v[:, :quarters] for n, v in self.figures.items()},
            balances_now={n: v[:, :quarters] for n, v in self.balances_now.items()},
            financing_need=self.financing_need[:quarters],
            general_service=self.general_service[:quarters],
            paths={n: v[:quarters] for n, v in self.paths.items()},
            stresses=tuple(
                Stress(s.label, {n: v[:quarters] for n, v in s.inputs.items()})
                for s in self.stresses
            ),
        )

    def room_on_paths(self, line: Line) -> Array:
        """Headroom under a line of the tiers on every path, shape (quarters, paths).

        The line is moved by the tolerance with which values are compared everywhere.
        """
        whole = self.kept.get("whole")
        if whole is not None:
            return np.asarray(whole.room_on_paths(line)[: self.quarters])
        found = self.kept.get(line)
        if found is None:
            slack = TOLERANCE * max(1.0, abs(line.value))
            moved = line.value - slack if line.inclusive else line.value + slack
            headline = headline_of(self.rulebooks[TIERS])
            money = {n: np.asarray(v, dtype=np.float64) for n, v in self.paths.items()}
            found = headroom(headline, replace(line, value=moved), money)
            self.kept[line] = found
        return np.asarray(found)

    def hits_without(self, line: Line, consecutive: int) -> NDArray[np.bool_]:
        """Whether each path has breached a line by each quarter without any project."""
        whole = self.kept.get("whole")
        if whole is not None:
            return np.asarray(whole.hits_without(line, consecutive)[: self.quarters])
        key = (line, consecutive)
        if key not in self.kept:
            self.kept[key] = breached_by(
                self.room_on_paths(line), inclusive=line.inclusive, consecutive=consecutive
            )
        return np.asarray(self.kept[key])

    @cached_property
    def value_now(self) -> float:
        """Headline indicator at the quarter of the accounts; NaN where missing."""
        headline = headline_of(self.rulebooks[TIERS])
        return float(np.asarray(indicator_value(headline, self.now)))

    @property
    def next_line(self) -> Line | None:
        """First line of the tiers that the government has not crossed; None beyond the last."""
        return next_line(self.rulebooks[TIERS], self.value_now)

    def left_above_guarantees(self, capacity: Array | None) -> Array | None:
        """General capacity left after general debt service and the three guarantees, yuan a year.

        The guarantees are held at their latest yearly amount.

        Parameters
        ----------
        capacity : ndarray or None, shape (quarters,)
            General capacity over four quarters, with or without a project.

        Returns
        -------
        ndarray or None
            NaN in the first three quarters, whose sums are no years ahead; None without figures.
        """
        guarantees = self.now.get("sanbao_expenditure", np.nan)
        if capacity is None or np.isnan(guarantees):
            return None
        left = capacity - last_four(self.general_service) - guarantees
        left[: min(3, self.quarters - 1)] = np.nan
        return None if np.isnan(left).all() else np.asarray(left)

    @property
    def partnership_share_left(self) -> float:
        """Share of general expenditure that new partnerships may still take; NaN if not known."""
        share = self.government.ppp_share
        return np.nan if share is None else partnership_cap(self.rulebooks[PPP]) - share

    @property
    def capacity_now(self) -> float:
        """Fiscal capacity of the last four quarters, yuan."""
        return self.now.get(CAPACITY, float("nan"))


def headline_of(book: Rulebook) -> Indicator:
    """Find the indicator whose bands are the levels."""
    return book.indicator_named(book.headline or book.indicator[0].id)


def partnership_cap(book: Rulebook) -> float:
    """Highest line of the rulebook on partnerships: a share of general expenditure."""
    bands = book.indicator_named("ppp_share").bands
    return max(b.gt for b in bands if b.gt is not None)


def next_line(book: Rulebook, value: float) -> Line | None:
    """First line of the headline indicator that a value has not crossed; None beyond the last."""
    if np.isnan(value):
        return None
    lines = lines_of(book, headline_of(book))
    return next((x for x in lines if not x.breached(np.asarray(value))), None)


def position_of(
    panel: Panel,
    outlook: Outlook,
    basis: Basis,
    row: int,
    *,
    government: Government,
    rulebooks: Mapping[str, Rulebook],
    seed: int,
    paths: Mapping[str, Paths] | None = None,
    pipeline: Mapping[str, float] | None = None,
    stresses: tuple[Stress, ...] = (),
    province: Province | None = None,
    inputs_now: Mapping[str, Array] | None = None,
) -> Position:
    """Cut one government out of an outlook.

    Parameters
    ----------
    panel : Panel
    outlook : Outlook
    basis : Basis
        Of all units of the panel.
    row : int
    government : Government
    rulebooks : mapping from family to Rulebook
    seed : int
        Of the paths.
    paths : mapping from name to ndarray, shape (quarters, paths), optional
    pipeline : mapping from ledger to yuan, optional
    stresses : tuple of Stress
    province : Province, optional
    inputs_now : mapping from name to ndarray, shape (units, columns), optional
        Rule inputs of the panel's history, where they are computed already.
    """
    column = government.quarter - panel.first_quarter
    inputs = history_inputs(panel, basis) if inputs_now is None else inputs_now
    shape = (len(panel.units), panel.quarters)
    now = {n: float(np.broadcast_to(v, shape)[row, column]) for n, v in inputs.items()}
    frozen = balances_at(panel.yearly, column, outlook.quarters)
    index = np.array([row], dtype=np.intp)
    return Position(
        government=government,
        first_quarter=outlook.first_quarter,
        basis=basis.take(index),
        rulebooks=rulebooks,
        figures={name: values[index] for name, values in outlook.figures.items()},
        balances_now={name: values[index] for name, values in frozen.items()},
        now=now,
        new_rate=float(outlook.new_rate[row]),
        financing_need=np.sum(
            [outlook.ledgers[k].principal[row] + outlook.ledgers[k].net_borrowing[row]
             for k in LEDGERS], axis=0,
        ),
        general_service=_service(outlook, row),
        pipeline=dict(pipeline or {}),
        paths=dict(paths or {}),
        seed=seed,
        stresses=stresses,
        province=province,
    )  # fmt: skip


def _service(outlook: Outlook, row: int) -> Array:
    """Interest of the general ledger, and principal that is not refinanced."""
    own = outlook.ledgers["general"]
    repaid = np.maximum(own.principal[row] - own.refinanced[row], 0.0)
    service: Array = own.interest[row] + repaid
    return service


def rulebooks_at(rulebooks: Sequence[Rulebook], quarter: int) -> dict[str, Rulebook]:
    """Choose the version of each family that applies to a quarter, else its latest one.

    Parameters
    ----------
    rulebooks : sequence of Rulebook
    quarter : int
    """
    chosen: dict[str, Rulebook] = {}
    for book in sorted(rulebooks, key=lambda b: b.effective_from):
        own = chosen.get(book.family)
        if own is None or book.covers(quarter) or not own.covers(quarter):
            chosen[book.family] = book
    return chosen

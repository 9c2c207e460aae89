"""The set of projects that fits one government, from the proposals as they were screened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import lines_of
from debtwatch.rules.capacity import CAPACITY
from debtwatch.screening.breach import breached_by
from debtwatch.screening.decision import Screened
from debtwatch.screening.desk import Desk
from debtwatch.screening.headroom import still_drawn
from debtwatch.screening.impact import headroom
from debtwatch.screening.portfolio import Portfolio, choose_portfolio, choose_with_chance
from debtwatch.screening.portfolio_rows import Limits, candidates_of, need_rooms_of
from debtwatch.screening.portfolio_score import missing_service, missing_share, scores_of
from debtwatch.screening.position import RESTRUCTURING, Position
from debtwatch.screening.project import Project
from debtwatch.screening.trials import OF_DEBT, hard_failures

Array = NDArray[np.float64]
#: Yuan that no row can reach.
NO_BOUND = 1e16


def portfolio_of(desk: Desk, screened: Sequence[Screened]) -> Portfolio | None:
    """Choose the set of projects with the highest score under every limit that is known.

    Candidates are the proposals without a hard failure, and those whose hard failures come from
    too much debt alone: the rows guard against exactly that, at a smaller scale or a later start.

    Parameters
    ----------
    desk : Desk
        Without any of the proposals in its position.
    screened : sequence of Screened
        Proposals of one government.

    Returns
    -------
    Portfolio or None
        None with fewer than two candidates, or where debt or capacity is not known.
    """
    candidates = [
        one for one in screened if set(hard_failures(one.checks)) <= set(OF_DEBT)
    ]  # fmt: skip
    settings = desk.settings
    ahead = settings.impact.horizon + settings.portfolio.starts - 1
    position = desk.position.ahead(ahead)
    limits = limits_of(desk, position, candidates)
    if len(candidates) < 2 or limits is None:
        return None
    projects = [_as_approved(one.case.project) for one in candidates]
    scores = scores_of(
        projects,
        {one.case.project.code: one.case.finance for one in candidates},
        need_gaps={
            one.case.project.code: missing_share(one.case.project.need, residents_of(one))
            for one in candidates
        },
        settings=settings,
    )
    options = candidates_of(
        projects,
        first_quarter=position.first_quarter,
        quarters=position.quarters,
        settings=settings,
        values={code: score.value for code, score in scores.items()},
    )
    if not position.paths or not {"debt_balance", CAPACITY} <= set(position.paths):
        alone = choose_portfolio(options, limits, settings)
        return replace(alone, quarters=position.quarters)
    chosen = choose_with_chance(
        options,
        limits,
        settings,
        paths={
            "capacity": np.asarray(position.paths[CAPACITY].T, dtype=np.float64),
            "debt": np.asarray(position.paths["debt_balance"].T, dtype=np.float64),
        },
        breach=lambda debt, capacity: _breach(position, desk, debt, capacity),
    )
    return replace(chosen, quarters=position.quarters)


def _breach(position: Position, desk: Desk, debt: Array, capacity: Array) -> float:
    """Probability of breach of the next line with debt and capacity added."""
    line = position.next_line
    if line is None:
        return float("nan")
    own = desk.settings.impact
    taken = debt - line.value * capacity
    hits = breached_by(
        position.room_on_paths(line), taken, inclusive=line.inclusive, consecutive=own.consecutive
    )
    return float(hits[-1].mean())


def residents_of(one: Screened) -> float | None:
    """Residents in the target year of a proposal's need, as stated or projected.

    Parameters
    ----------
    one : Screened
    """
    need, people = one.case.project.need, one.case.government.population
    if need.population_medium is not None or people is None or need.target_year is None:
        return need.population_medium
    return people.projected(need.target_year, "medium")


def limits_of(desk: Desk, position: Position, candidates: Sequence[Screened]) -> Limits | None:
    """Limits that a set of projects must keep to; None without debt, capacity or a line above.

    Parameters
    ----------
    desk : Desk
    position : Position
        Cut to the quarters that count.
    candidates : sequence of Screened
    """
    line, money = position.next_line, position.inputs
    if line is None or not {"debt_balance", CAPACITY} <= set(money):
        return None
    capacity, debt = money[CAPACITY][0], money["debt_balance"][0]
    if not (np.isfinite(capacity).all() and np.isfinite(debt).all()):
        return None
    gaps = {
        one.case.project.code: missing_service(one.case.project.need, residents_of(one))
        for one in candidates
    }
    return Limits(
        unit=position.government.unit,
        first_quarter=position.first_quarter,
        tau=line.value,
        capacity=capacity,
        debt=debt,
        buffer=desk.settings.portfolio.buffer,
        general_quota=_quota(position, "general", candidates),
        special_quota=_quota(position, "special", candidates),
        general_interest_room=_interest(position, "general"),
        special_interest_room=_interest(position, "special"),
        ppp_room=_partnerships(position),
        sanbao_room=_guarantees(position),
        need_rooms=need_rooms_of([c.case.project for c in candidates], gaps, desk.settings),
        inclusive=line.inclusive,
    )


def _as_approved(project: Project) -> Project:
    """Treat an approved project like one under way: it is in the set, as it was approved."""
    if project.approved_on is None:
        return project
    return replace(project, priority=replace(project.priority, ongoing=True))


def _quota(position: Position, ledger: str, candidates: Sequence[Screened]) -> float:
    """Limit less balance and less the draws of approved projects that are no candidates."""
    now = position.now
    limit = now.get(f"{ledger}_debt_limit", np.nan)
    approved = [c.case.project for c in candidates if c.case.project.approved_on is not None]
    own = sum(still_drawn(position, project, ledger) for project in approved)
    others = max(position.pipeline.get(ledger, 0.0) - own, 0.0)
    return limit - now.get(f"{ledger}_debt_balance", np.nan) - others


def _interest(position: Position, ledger: str) -> Array:
    """Interest over four quarters that still fits under the restructuring condition.

    Practically without end where the condition does not address the level.
    """
    book = position.rulebooks[RESTRUCTURING]
    if position.government.level not in book.levels:
        return np.full(position.quarters, NO_BOUND)
    indicator = book.indicator_named(f"{ledger}_interest_ratio")
    inputs = {name: values[0] for name, values in position.inputs.items()}
    return headroom(indicator, lines_of(book, indicator)[-1], inputs)


def _years(position: Position) -> NDArray[np.int_]:
    """Calendar year of each quarter, from 0."""
    quarters = position.first_quarter + np.arange(position.quarters)
    return quarters // 4 - position.first_quarter // 4


def _partnerships(position: Position) -> Array | None:
    """Yearly commitments that still fit under the cap on partnerships."""
    spending = position.inputs.get("gpb_expenditure")
    if spending is None or np.isnan(position.partnership_share_left):
        return None
    return _by_year(position, position.partnership_share_left * spending[0])


def _guarantees(position: Position) -> Array | None:
    """Yearly capacity left after general debt service and the three guarantees."""
    capacity = position.inputs.get("general_capacity")
    left = position.left_above_guarantees(None if capacity is None else capacity[0])
    return None if left is None else _by_year(position, np.where(np.isnan(left), np.inf, left))


def _by_year(position: Position, values: Array) -> Array:
    """Smallest value of each calendar year; a year without one takes that of the next."""
    years = _years(position)
    found = np.array([values[years == y].min() for y in range(int(years[-1]) + 1)])
    for y in range(len(found) - 2, -1, -1):
        if np.isinf(found[y]):
            found[y] = found[y + 1]
    return found

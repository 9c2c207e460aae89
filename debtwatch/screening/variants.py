"""The same proposal, changed in one respect: smaller, later, with other money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from debtwatch.screening.project import (
    GRANTS,
    LEDGER_OF,
    Flags,
    Operation,
    Project,
    Tranche,
)


def scaled(project: Project, scale: float) -> Project:
    """Build a share of the project: cost, money, income, land and service in proportion.

    What has been spent stays spent, and documents and approvals stay as they are.

    Parameters
    ----------
    project : Project
    scale : float

    Examples
    --------
    >>> one = Project("a", "a", "u", 0, 4, 20, 100.0, (Tranche("fiscal_general", 100.0),))
    >>> scaled(one, 0.4).total_investment
    40.0
    """
    land, need = project.land, project.need
    return replace(
        project,
        total_investment=project.total_investment * scale,
        financing=tuple(_scaled_tranche(t, scale) for t in project.financing),
        feasibility_estimate=_times(project.feasibility_estimate, scale),
        budget_estimate=_times(project.budget_estimate, scale),
        schedule=_amounts(project.schedule, scale),
        operation=_scaled_operation(project.operation, scale),
        land=replace(
            land,
            total_ha=_times(land.total_ha, scale),
            cultivated_ha=_times(land.cultivated_ha, scale),
            permanent_basic_farmland_ha=_times(land.permanent_basic_farmland_ha, scale),
        ),
        need=replace(need, added=_times(need.added, scale)),
        ppp_commitments={y: a * scale for y, a in project.ppp_commitments.items()},
        unit_cost_base=_times(project.unit_cost_base, scale),
    )


def delayed(project: Project, quarters: int) -> Project:
    """Start some quarters later; draws, spending and income move along.

    Yearly income is spread over quarters, moved, and added up again by calendar year.

    Parameters
    ----------
    project : Project
    quarters : int
        Not negative.
    """
    if not quarters:
        return project
    operation = project.operation
    return replace(
        project,
        start_quarter=project.start_quarter + quarters,
        schedule=_later(project.schedule, quarters),
        financing=tuple(
            replace(t, schedule=_later(t.schedule, quarters)) for t in project.financing
        ),
        ppp_commitments=_moved_years(project.ppp_commitments, quarters),
        operation=replace(
            operation,
            user_fees=_moved(project, operation.user_fees, quarters),
            fund_income=_moved(project, operation.fund_income, quarters),
            opex=_moved(project, operation.opex, quarters),
            taxes=_moved(project, operation.taxes, quarters),
        ),
    )


def with_own_money(project: Project, amount: float, source: str = "special_bond") -> Project:
    """Replace some money of a source of debt by fiscal money of the general budget.

    Parameters
    ----------
    project : Project
    amount : float
        Yuan; all of the source when it is more.
    source : str
    """
    of_source = project.amount_of(source)
    left = max(of_source - amount, 0.0) / of_source if of_source > 0 else 1.0
    kept = tuple(
        replace(_scaled_tranche(t, left), as_capital=min(t.as_capital, t.amount * left))
        if t.source == source
        else t
        for t in project.financing
    )
    moved = of_source * (1 - left)
    own = Tranche("fiscal_general", moved)
    return replace(project, financing=(*(t for t in kept if t.amount > 0), own))


def with_general_bonds(project: Project) -> Project:
    """Replace special bonds by general bonds on the same terms."""
    return replace(
        project,
        financing=tuple(
            replace(t, source="general_bond", as_capital=0.0) if t.source == "special_bond" else t
            for t in project.financing
        ),
    )


def with_income(project: Project, factor: float) -> Project:
    """Multiply all income."""
    operation = project.operation
    return replace(
        project,
        operation=replace(
            operation,
            user_fees={y: a * factor for y, a in operation.user_fees.items()},
            fund_income={y: a * factor for y, a in operation.fund_income.items()},
        ),
    )


def without_hidden_debt(project: Project) -> Project:
    """Leave out prefinancing, buy-backs, commitment letters, guarantees and government payment."""
    flags = Flags(
        **{
            **{name: getattr(project.flags, name) for name in Flags.__dataclass_fields__},
            "contractor_prefinancing": False,
            "guaranteed_buyback": False,
            "commitment_letter": False,
        }
    )
    return replace(
        project,
        flags=flags,
        financing=tuple(
            replace(
                t,
                guarantee="none" if t.guarantee else "",
                payment="user_pay" if t.payment else "",
            )
            for t in project.financing
        ),
    )


def without_open_grants(project: Project) -> Project:
    """Leave out grants that nobody has committed; the largest bond fills the gap.

    Without any bond the general budget fills it.
    """
    open_ = [t for t in project.financing if t.source in GRANTS and t.committed is not True]
    gap = sum(t.amount for t in open_)
    kept = [t for t in project.financing if t not in open_]
    bonds = [t for t in kept if t.source in LEDGER_OF and t.amount > 0]
    if not bonds:
        return replace(project, financing=(*kept, Tranche("fiscal_general", gap)))
    largest = max(bonds, key=lambda t: t.amount)
    larger = _scaled_tranche(largest, 1 + gap / largest.amount)
    return replace(project, financing=tuple(larger if t is largest else t for t in kept))


def with_tenor(project: Project, years: float) -> Project:
    """Give every special bond a tenor; the grace stays below it."""
    return replace(
        project,
        financing=tuple(
            replace(t, tenor_years=years, grace_years=min(t.grace_years, years - 1))
            if t.source == "special_bond"
            else t
            for t in project.financing
        ),
    )


def off_protected_land(project: Project) -> Project:
    """Move off permanent basic farmland and out of the ecological red line."""
    land = replace(project.land, permanent_basic_farmland_ha=0.0, ecological_red_line=False)
    return replace(project, land=land)


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _amounts(
    schedule: tuple[tuple[int, float], ...], scale: float
) -> tuple[tuple[int, float], ...]:
    return tuple((quarter, amount * scale) for quarter, amount in schedule)


def _later(schedule: tuple[tuple[int, float], ...], quarters: int) -> tuple[tuple[int, float], ...]:
    return tuple((quarter + quarters, amount) for quarter, amount in schedule)


def _scaled_tranche(tranche: Tranche, scale: float) -> Tranche:
    return replace(
        tranche,
        amount=tranche.amount * scale,
        schedule=_amounts(tranche.schedule, scale),
        as_capital=tranche.as_capital * scale,
        equity_like=tranche.equity_like * scale,
    )


def _scaled_operation(operation: Operation, scale: float) -> Operation:
    return replace(
        operation,
        user_fees={y: a * scale for y, a in operation.user_fees.items()},
        fund_income={y: a * scale for y, a in operation.fund_income.items()},
        opex={y: a * scale for y, a in operation.opex.items()},
        taxes={y: a * scale for y, a in operation.taxes.items()},
    )


def _moved(project: Project, yearly: Mapping[int, float], quarters: int) -> dict[int, float]:
    end = project.completion_quarter + round(4 * project.life_years)
    moved: dict[int, float] = {}
    for year, amount in yearly.items():
        first, last = max(4 * year, project.completion_quarter), min(4 * year + 4, end)
        for quarter in range(first, last):
            target = (quarter + quarters) // 4
            moved[target] = moved.get(target, 0.0) + amount / (last - first)
    return moved


def _moved_years(yearly: Mapping[int, float], quarters: int) -> dict[int, float]:
    """Move yearly money of any year, a quarter of it at a time."""
    moved: dict[int, float] = {}
    for year, amount in yearly.items():
        for quarter in range(4 * year, 4 * year + 4):
            target = (quarter + quarters) // 4
            moved[target] = moved.get(target, 0.0) + amount / 4
    return moved

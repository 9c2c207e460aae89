"""Coverage: how far a project's own cash pays its debt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from debtwatch.language import N_
from debtwatch.rules.expression import at_least
from debtwatch.screening.debt_service import (
    Service,
    debt_service,
    draws_of,
    operation_by_quarter,
    tranche_flows,
)
from debtwatch.screening.project import Project, Tranche
from debtwatch.screening.settings import ScreeningSettings

Array = NDArray[np.float64]
NAN = float("nan")
#: What each stress of a project's own cash assumes, for the page; sizes stand in the settings.
STRESS_NOTES = {
    "revenue": N_("All income is lower in every year."),
    "land_linked": N_("The part of the income that depends on land sales is lower."),
    "cost": N_(
        "Running cost is higher, and so is the cost of construction; the overrun is borrowed in "
        "the proportions of the original financing, so that debt service rises alike."
    ),
    "delay": N_("Operation starts later, while the debt is served as agreed."),
    "rate": N_("The rate of all debt is higher."),
}


@dataclass(frozen=True)
class Coverage:
    """How far a project pays its own debt.

    Attributes
    ----------
    coverage : float
        Net revenue over the life of the debt / (principal + interest), undiscounted.
    minimum_dscr : float
        Smallest yearly net / service in years with principal due.
    llcr : float
        Present value of net revenue at the debt's rate / debt.
    top_ups : ndarray
        ``max(0, service - max(net, 0))`` of each year, for the fund budget to pay.
    """

    coverage: float
    minimum_dscr: float
    llcr: float
    top_ups: Array


def coverage(
    net: Sequence[float] | Array, service: Service, rate: float, *, debt: float | None = None
) -> Coverage:
    """Coverage of a debt by a project's yearly net revenue.

    Parameters
    ----------
    net : sequence of float
        Income less running cost and taxes of each year of the debt's life.
    service : Service
    rate : float
        Discount rate of the LLCR: the debt's own rate.
    debt : float, optional
        Present value of what is drawn; by default the debt outstanding at the start.

    Examples
    --------
    >>> from debtwatch.screening.debt_service import debt_service
    >>> net = [0.0] * 3 + [5_500.0, 6_900.0] + [9_700.0] * 10
    >>> one = coverage(net, debt_service(84_000, 0.026, 15, grace=5,
    ...                repayment="equal_principal"), 0.026)
    >>> round(one.coverage, 3), round(one.minimum_dscr, 3), round(one.llcr, 3)
    (1.023, 0.916, 1.016)
    >>> int((one.top_ups > 0).sum()), round(float(one.top_ups.sum()))
    (8, 8788)
    """
    cash = np.asarray(net, dtype=np.float64)
    dscr = _dscr(cash, service)[service.principal > 0]
    return Coverage(
        coverage=float(cash.sum() / service.total.sum()),
        minimum_dscr=float(dscr.min()),
        llcr=_present(cash, rate) / (float(service.opening[0]) if debt is None else debt),
        top_ups=np.maximum(service.total - np.maximum(cash, 0.0), 0.0),
    )


def debt_capacity(cfads: float, rate: float, years: int, dscr: float) -> float:
    """Debt that a level yearly cash flow carries as an annuity at a coverage ratio.

    ``cfads / dscr * (1 - (1 + i)^-n) / i``.

    Parameters
    ----------
    cfads : float
        Cash flow available for debt service of each year, yuan.
    rate : float
        Decimal a year.
    years : int
    dscr : float
        Coverage ratio that has to be kept.

    Examples
    --------
    >>> round(debt_capacity(10.0, 0.05, 10, 1.2), 8)
    64.34779108
    """
    level = float(debt_service(1.0, rate, years, repayment="annuity").total[0])
    return cfads / dscr / level


def net_present_value(flows: Sequence[float], rate: float) -> float:
    """Present value of flows at the end of years 1, 2, ...

    Examples
    --------
    >>> flows = [-60_000.0, -60_000.0, 0.0, 5_500.0, 6_900.0] + [9_700.0] * 10
    >>> round(net_present_value(flows, 0.05))
    -42947
    """
    return _present(np.asarray(flows, dtype=np.float64), rate)


def _present(flows: Array, rate: float) -> float:
    return float((flows / (1 + rate) ** np.arange(1, len(flows) + 1)).sum())


def _dscr(net: Array, service: Service) -> Array:
    """Net over service by year; NaN where nothing is due."""
    none = np.full(len(net), np.nan)
    ratio: Array = np.divide(net, service.total, out=none, where=service.total > 0)
    return ratio


# -- flows of a project by project year ------------------------------------------------------------


@dataclass(frozen=True)
class Cash:
    """Money of operation by quarter or by year.

    Attributes
    ----------
    income, opex, taxes : ndarray
    net : ndarray
        Income that is stated net of running cost bears taxes only.
    """

    income: Array
    opex: Array
    taxes: Array
    net: Array

    def yearly(self, later: int = 0) -> Cash:
        """Add up by project year, everything some quarters later."""
        return Cash(*(_yearly(_shifted(f, later)) for f in
                      (self.income, self.opex, self.taxes, self.net)))  # fmt: skip


def _yearly(flow: Array) -> Array:
    total: Array = flow.reshape(-1, 4).sum(axis=1)
    return total


def _shifted(flow: Array, later: int) -> Array:
    if not later:
        return flow
    return np.concatenate([np.zeros(min(later, len(flow))), flow[:-later]])


def cash_of(project: Project, quarters: int) -> Cash:
    """Money of operation by quarter from the start of construction.

    Parameters
    ----------
    project : Project
    quarters : int
    """
    operation = project.operation
    fees, fund, opex, taxes = (
        operation_by_quarter(project, yearly, quarters)
        for yearly in (operation.user_fees, operation.fund_income, operation.opex, operation.taxes)
    )
    income = fees + fund
    net = income - taxes if operation.is_net else income - opex - taxes
    return Cash(income, opex, taxes, net)


def capex_by_year(project: Project, years: int) -> Array:
    """Investment by project year, in all exactly the total investment.

    Parameters
    ----------
    project : Project
    years : int
        At least as many as construction takes.

    Examples
    --------
    >>> one = Project("a", "a", "u", 0, 8, 20, 120.0, (), profile="s_curve")
    >>> capex_by_year(one, 3).tolist()
    [60.0, 60.0, 0.0]
    """
    build = project.build_quarters
    weights = np.zeros(4 * years)
    if project.schedule:
        for quarter, amount in project.schedule:
            weights[min(max(quarter - project.start_quarter, 0), len(weights) - 1)] += amount
    elif project.profile == "s_curve":
        done = np.arange(build + 1) / build
        weights[:build] = np.diff(3 * done**2 - 2 * done**3)
    elif project.profile == "front":
        weights[:build] = np.arange(build, 0, -1)
    else:
        weights[:build] = 1.0
    shares: Array = _yearly(weights / weights.sum())
    return project.total_investment * shares


def service_of(
    project: Project, tranches: Sequence[Tranche], years: int, *, more: float = 0.0
) -> Service:
    """Debt service of some tranches by project year.

    Principal due at the start of a quarter belongs to the year that ends there.

    Parameters
    ----------
    project : Project
    tranches : sequence of Tranche
    years : int
    more : float
        Added to every rate.
    """
    interest, principal, balance = np.zeros((3, 4 * years + 1))
    for tranche in tranches:
        flows = tranche_flows(project, tranche, 4 * years + 1, more=more)
        interest += flows.interest
        principal += flows.principal
        balance += flows.balance
    return Service(_yearly(interest[:-1]), _yearly(principal[1:]), balance[:-1:4])


def debts_of(project: Project) -> tuple[Tranche, ...]:
    """Tranches that have to be repaid."""
    return tuple(t for t in project.financing if t.is_debt and t.amount > 0)


def weighted_rate(tranches: Sequence[Tranche]) -> float:
    """Rate of some tranches weighted by amount; NaN without any."""
    total = sum(t.amount for t in tranches)
    return sum(t.amount * t.rate for t in tranches) / total if total else NAN


def _drawn_value(project: Project, tranches: Sequence[Tranche], rate: float) -> float:
    """Present value of the money drawn: later draws are worth less at the start."""
    return sum(
        amount * math.pow(1 + rate, -after / 4)
        for tranche in tranches
        for after, amount in draws_of(project, tranche).items()
    )


def years_of(project: Project) -> int:
    """Project years until both the life of the project and its debt have ended."""
    ends = [project.build_quarters + math.ceil(4 * project.life_years)]
    for tranche in debts_of(project):
        last = max(draws_of(project, tranche), default=0)
        begin = max(last, project.build_quarters) if tranche.capitalised else last
        ends.append(begin + 4 * max(1, round(tranche.tenor_years)))
    ends += [quarter - project.start_quarter + 1 for quarter, _ in project.schedule]
    return max(1, -(-max(ends) // 4))


def _life(service: Service) -> int:
    """Years until the last payment."""
    due = np.flatnonzero(service.total > 0)
    return int(due[-1]) + 1 if len(due) else 0


def project_coverage(project: Project) -> Coverage | None:
    """Coverage of all of a project's debt over its life; None without debt."""
    debts = debts_of(project)
    if not debts:
        return None
    years = years_of(project)
    service = service_of(project, debts, years)
    life, rate = _life(service), weighted_rate(debts)
    if not life:
        return None
    net = cash_of(project, 4 * years).yearly().net
    until = Service(service.interest[:life], service.principal[:life], service.opening[:life])
    return coverage(net[:life], until, rate, debt=_drawn_value(project, debts, rate))


# -- finance ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finance:
    """Finance of a project: coverage, value, stress; filled by :func:`finance_of`.

    Years are project years: four quarters from the start of construction; year 1 first.

    Attributes
    ----------
    years : int
        Length of the arrays.
    income, opex, taxes, net : ndarray, shape (years,)
    bond, total : Service
        Special bonds, and all debt that has to be repaid.
    bond_coverage, total_coverage : float
        Undiscounted over the life of each debt; NaN without that debt.
    minimum_dscr : float
        Smallest net / service in years with principal due; NaN without debt.
    average_dscr : float
        Mean over the same years.
    dscr : ndarray, shape (years,)
        NaN in years without service.
    years_below_one : int
        Years with service that net revenue does not pay in full.
    llcr : float
        Present value of net revenue over that of the money drawn, at the weighted rate.
    discounted_coverage : float
        Of the special bond, at its own coupon.
    top_ups : ndarray, shape (years,)
        ``max(0, service - max(net, 0) - reserve)``, for the fund budget to pay.
    reserve : float
        Sinking fund needed before the first principal: the largest cumulative top-up.
    fnpv, enpv : float
        Of net revenue less investment over the project's life, at the debt's weighted rate (NaN
        without debt) and at the social rate. Benefits that are not paid for are not counted.
    income_switch, cost_switch : float
        Factors of income and of running cost at which total coverage is 1.
    weighted_rate : float
    stresses : tuple of Stressed
    capex : ndarray, shape (years,)
        Investment.
    """

    years: int
    income: Array
    opex: Array
    taxes: Array
    net: Array
    bond: Service
    total: Service
    bond_coverage: float
    total_coverage: float
    minimum_dscr: float
    average_dscr: float
    dscr: Array
    years_below_one: int
    llcr: float
    discounted_coverage: float
    top_ups: Array
    reserve: float
    fnpv: float
    enpv: float
    income_switch: float
    cost_switch: float
    weighted_rate: float
    stresses: tuple[Stressed, ...] = ()
    capex: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Stressed:
    """Coverage under one stress of the project's own cash.

    Attributes
    ----------
    key : str
        ``revenue``, ``land_linked``, ``cost``, ``delay`` or ``rate``.
    bond_coverage, total_coverage, minimum_dscr : float
    top_ups : float
        Sum over the years, yuan.
    """

    key: str
    bond_coverage: float
    total_coverage: float
    minimum_dscr: float
    top_ups: float

    @property
    def note(self) -> str:
        """What the stress assumes, in English, for translation."""
        return STRESS_NOTES.get(self.key, "")


def finance_of(
    project: Project, settings: ScreeningSettings, *, long_benefit: bool = False,
    reserve: float = 0.0, discount_rate: float | None = None, stressed: bool = True,
) -> Finance:  # fmt: skip
    """Work out coverage, value and stresses of a project's own money.

    What the proposal does not state counts as no money here; the checks say where a figure rests
    on that.

    Parameters
    ----------
    project : Project
    settings : ScreeningSettings
    long_benefit : bool
        Whether the lower social rate applies.
    reserve : float
        Reserve fund at hand, yuan: it pays shortfalls until it is used up.
    discount_rate : float, optional
        Of the financial value; by default the debt's weighted rate.
    stressed : bool
        Whether to work out the stresses.
    """
    years = years_of(project)
    quarterly = cash_of(project, 4 * years)
    cash = quarterly.yearly()
    debts = debts_of(project)
    bonds = tuple(t for t in debts if t.source == "special_bond")
    total, bond = (service_of(project, some, years) for some in (debts, bonds))
    rate = weighted_rate(debts)
    capex = capex_by_year(project, years)
    value = settings.value
    social = value.long_benefit_rate if long_benefit else value.social_rate
    dscr = _dscr(cash.net, total)
    repaying = dscr[total.principal > 0]
    top_ups = _top_ups(cash.net, total, reserve)
    return Finance(
        years=years, income=cash.income, opex=cash.opex, taxes=cash.taxes, net=cash.net,
        bond=bond, total=total, bond_coverage=_covered(cash.net, bond),
        total_coverage=_covered(cash.net, total),
        minimum_dscr=float(repaying.min()) if len(repaying) else NAN,
        average_dscr=float(repaying.mean()) if len(repaying) else NAN,
        dscr=dscr,
        years_below_one=int((~at_least(dscr, 1.0) & (total.total > 0)).sum()),
        llcr=_over_life(cash.net, total, rate, _drawn_value(project, debts, rate)),
        discounted_coverage=_over_life(cash.net, bond, weighted_rate(bonds)),
        top_ups=top_ups, reserve=float(np.cumsum(top_ups).max()),
        fnpv=_present(cash.net - capex, rate if discount_rate is None else discount_rate),
        enpv=_present(cash.net - capex, social),
        income_switch=_switch(cash.net, total, cash.income, 1.0),
        cost_switch=_switch(cash.net, total, cash.opex, -1.0),
        weighted_rate=rate, capex=capex,
        stresses=_stresses(project, settings, quarterly, reserve, (bond, total))
        if stressed and debts else (),
    )  # fmt: skip


def _covered(net: Array, service: Service) -> float:
    life = _life(service)
    return float(net[:life].sum() / service.total.sum()) if life else NAN


def _over_life(net: Array, service: Service, rate: float, debt: float | None = None) -> float:
    """Present value of net revenue over the debt's life, over the debt or its service."""
    life = _life(service)
    if not life:
        return NAN
    return _present(net[:life], rate) / (_present(service.total, rate) if debt is None else debt)


def _switch(net: Array, service: Service, flow: Array, sign: float) -> float:
    """Factor of a flow at which net revenue over the debt's life pays the service exactly."""
    life = _life(service)
    lacking = float(service.total.sum() - net[:life].sum())
    size = float(flow[:life].sum())
    return 1 + sign * lacking / size if life and size > 0 else NAN


def _top_ups(net: Array, service: Service, reserve: float) -> Array:
    """Pay each year's shortfall out of the reserve fund; what remains is a top-up."""
    short = np.maximum(service.total - np.maximum(net, 0.0), 0.0)
    if reserve <= 0:
        return short
    return np.diff(np.maximum(np.cumsum(short) - reserve, 0.0), prepend=0.0)


def _stresses(
    project: Project, settings: ScreeningSettings, quarterly: Cash, reserve: float,
    services: tuple[Service, Service],
) -> tuple[Stressed, ...]:  # fmt: skip
    """Coverage under each stress alone; :data:`STRESS_NOTES` says what each assumes."""
    sizes, cash, (bond, total) = settings.stress, quarterly.yearly(), services
    linked = project.operation.land_linked_share
    dearer = [_times(s, 1 + sizes.cost) for s in services]
    debts = debts_of(project)
    bonds = [t for t in debts if t.source == "special_bond"]
    years = len(cash.net)
    at_higher_rate = [service_of(project, some, years, more=sizes.rate) for some in (bonds, debts)]
    runs: Mapping[str, tuple[Array, Service, Service]] = {
        "revenue": (cash.net + sizes.revenue * cash.income, bond, total),
        "land_linked": (cash.net + sizes.land_linked * linked * cash.income, bond, total),
        "cost": (cash.net - sizes.cost * cash.opex, dearer[0], dearer[1]),
        "delay": (quarterly.yearly(sizes.delay_quarters).net, bond, total),
        "rate": (cash.net, at_higher_rate[0], at_higher_rate[1]),
    }
    return tuple(_stressed(key, *run, reserve) for key, run in runs.items())


def _times(service: Service, factor: float) -> Service:
    return Service(service.interest * factor, service.principal * factor, service.opening * factor)


def _stressed(key: str, net: Array, bond: Service, total: Service, reserve: float) -> Stressed:
    repaying = _dscr(net, total)[total.principal > 0]
    return Stressed(
        key=key,
        bond_coverage=_covered(net, bond),
        total_coverage=_covered(net, total),
        minimum_dscr=float(repaying.min()) if len(repaying) else NAN,
        top_ups=float(_top_ups(net, total, reserve).sum()),
    )

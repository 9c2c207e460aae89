"""Stress tests on the books of the recursion.

A stress changes what the recursion reads and nothing else: the flows that rules see, the gap a loss
of revenue opens in its ledger, rates of new bonds, refinancing, recognised debt, and spending with
the borrowing that pays for it. Spending plans are held, so that the closing rule meets the gap:
reserve, bonds within the limit, cuts, arrears. Chance is the same in every scenario.

A government whose figures do not carry a scenario has no result, with the reason; it is never given
a blow of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability import kernel
from debtwatch.sustainability.scenarios import Driver, Scenario, Shock, check_scale, course
from debtwatch.sustainability.simulate import Books

Array = NDArray[np.float64]
Missing = tuple[str | None, ...]
#: Paths of indicators without chance: name -> (units, quarters). Higher is worse.
Evaluate = Callable[[Books], Mapping[str, Array]]
_GENERAL, _SPECIAL = 0, kernel.LEDGER_ROWS
_WORST_YEAR = Shock(driver="own_revenue", size=1.0, quarters=4, build_up="gradual", recovery="none")

#: Why a government has no result, by what is lacking.
REASONS: Mapping[str, str] = {
    "growth_sd": N_("The variation of own revenue is not known."),
    "spending_sd": N_("The variation of spending is not known."),
    "land_share": N_("The share of land in fund revenue is not known."),
    "transfers_received": N_("Transfers received are not known apart from remittances."),
    "lgfv_debt": N_("No debt of financing vehicles is reported."),
    "primary_balance": N_("The primary balance of the last four quarters is not known."),
    "worst_year": N_("There is no history to take the worst year from."),
    "unavailable": N_("The data do not contain what this scenario needs."),
}


@dataclass(frozen=True)
class StressBasis:
    """What the sizes of stresses are taken from; NaN where not known.

    Attributes
    ----------
    growth_sd : ndarray, shape (units,)
        Standard deviation of annual log growth of own revenue, shrunk.
    spending_sd : ndarray, shape (units,)
        Standard deviation of general spending, share of it a year.
    land_share : ndarray, shape (units,)
        Share of land in fund revenue.
    lgfv_debt : ndarray, shape (units,)
        Interest-bearing debt of financing vehicles, yuan; 0 is a report of none.
    primary_balance : ndarray, shape (units, 2)
        Net primary balance of each ledger over the last four quarters, yuan: interest paid less
        net borrowing.
    worst_year : ndarray, shape (units, 5)
        Worst four-quarter residual vector of similar governments: cumulated log points of own
        revenue, transfers and fund revenue; borrowing beyond plan as share of a year's capacity.
    labels : tuple of str
        Date of each worst year.
    """

    growth_sd: Array
    spending_sd: Array
    land_share: Array
    lgfv_debt: Array
    primary_balance: Array
    worst_year: Array
    labels: tuple[str, ...]

    def take(self, rows: NDArray[np.intp]) -> StressBasis:
        """Basis of some governments, in the order of the rows."""
        return StressBasis(
            self.growth_sd[rows], self.spending_sd[rows], self.land_share[rows],
            self.lgfv_debt[rows], self.primary_balance[rows], self.worst_year[rows],
            tuple(self.labels[row] for row in rows),
        )  # fmt: skip


@dataclass(frozen=True)
class StressRun:
    """Result of one scenario.

    Attributes
    ----------
    scenario : Scenario
    paths : mapping from indicator to ndarray, shape (units, quarters)
        NaN where the scenario cannot be applied.
    change : ndarray, shape (units, quarters)
        Headline less its central path.
    decided_by : ndarray of int, shape (units, quarters)
        Which path is shown: 0 the scenario's own, k the k-th part of a combined one.
    worst_quarter : ndarray of int, shape (units,)
        Quarter (0 the first ahead) of the highest headline, -1 without result.
    missing : tuple
        Key into :data:`REASONS` for each government, None where the scenario is applied.
    """

    scenario: Scenario
    paths: Mapping[str, Array]
    change: Array
    decided_by: NDArray[np.intp]
    worst_quarter: NDArray[np.intp]
    missing: Missing


def lacking(books: Books, scenario: Scenario, basis: StressBasis) -> Missing:
    """Tell what each government's figures lack for a scenario, None for nothing.

    Returns
    -------
    tuple of str or None
        The first lacking figure, a key of :data:`REASONS`.
    """
    reasons: list[str | None] = ["unavailable" if scenario.unavailable else None] * len(books.keys)
    for shock in scenario.shocks:
        name, known = _needed(books, shock, basis)
        reasons = [reason or (None if known[unit] else name) for unit, reason in enumerate(reasons)]
    return tuple(reasons)


def _needed(books: Books, shock: Shock, basis: StressBasis) -> tuple[str, NDArray[np.bool_]]:
    """Name and presence of the figure a shock rests on."""
    names: dict[str, str] = {
        "own_revenue": "growth_sd" if shock.sd is not None else "",
        "spending": "spending_sd" if shock.sd is not None else "",
        "land": "land_share",
        "transfers": "transfers_received",
        "contingent": "lgfv_debt" if shock.of == "lgfv_debt" else "",
        "primary_balance_held": "primary_balance",
        "history": "worst_year",
    }
    name = names.get(shock.driver, "")
    if not name:
        return name, np.ones(len(books.keys), dtype=np.bool_)
    figures: Array = _received(books) if name == "transfers_received" else getattr(basis, name)
    known = np.isfinite(figures).all(axis=tuple(range(1, figures.ndim)))
    return name, np.asarray(known, dtype=np.bool_)


def apply(
    books: Books, scenario: Scenario, basis: StressBasis, scale: ArrayLike = 1.0
) -> tuple[Books, Missing]:
    """Put a scenario into the books.

    With x the course of a shock (0 to 1), s its scale and v its size, a level is multiplied by
    ``1 - s v x``, or by ``exp(-s v sd x)`` where the size is in standard deviations; the same loss
    enters the gap of the ledger, ``gap = unstressed - stressed revenue``. Losses of one driver are
    multiplied. The other shocks add ``s v x`` to the rate of new bonds, to the share of principal
    without refinancing, and of spending to spending and planned borrowing; a contingent shock adds
    ``s v stock`` to the general debt recognised in its first quarter.

    Parameters
    ----------
    books : Books
        Central books.
    scenario : Scenario
        A combined one is applied as the sum of its shocks.
    basis : StressBasis
    scale : array_like, shape () or (units,)
        Factor of all sizes. 0 gives the central books exactly.

    Returns
    -------
    books : Books
        NaN throughout where the scenario cannot be applied.
    missing : tuple of str or None

    Raises
    ------
    ModelProblem
        When a scale is negative or would cut more than there is.

    Notes
    -----
    Land carries ``land_share`` of fund revenue; other fund revenue stays. Of transfers only those
    received by the general budget fall. Added spending cannot be cut again. Source of the
    catalogue: ``models/scenarios``.
    """
    times = np.broadcast_to(np.asarray(scale, dtype=np.float64), books.keys.shape)
    if len(times):
        check_scale(scenario, float(times.max()))
        check_scale(scenario, float(times.min()))
    missing = lacking(books, scenario, basis)
    changed = _lose(books, scenario, basis, times)
    for shock in scenario.shocks:
        changed = _strike(changed, shock, basis, times * shock.amount)
    return _without(changed, given(missing)), missing


def given(missing: Missing) -> NDArray[np.bool_]:
    """Where there is a reason for no result."""
    return np.array([reason is not None for reason in missing], dtype=np.bool_)


def _without(books: Books, rows: NDArray[np.bool_]) -> Books:
    """Books without the figures of some governments, so that nothing can be computed for them."""
    return replace(
        books,
        quarterly=np.where(rows[:, None, None], np.nan, books.quarterly),
        flow_base=np.where(rows[:, None, None], np.nan, books.flow_base),
    )


def _kept(
    scenario: Scenario, driver: Driver, basis: StressBasis, times: Array, quarters: int
) -> Array:
    """Share of a driver's level that its shocks leave, shape (units, quarters)."""
    left = np.ones((len(times), quarters))
    for shock in scenario.shocks:
        if shock.driver != driver:
            continue
        blow = (times * shock.amount)[:, None] * course(shock, quarters)
        if shock.sd is None:
            left = left * np.maximum(1.0 - blow, 0.0)
        else:
            left = left * np.exp(-blow * np.maximum(basis.growth_sd, shock.floor)[:, None])
    return left


def _lose(books: Books, scenario: Scenario, basis: StressBasis, times: Array) -> Books:
    """Take losses of own revenue, transfers received and land from flows and ledgers."""
    quarters = books.quarters
    own = _kept(scenario, "own_revenue", basis, times, quarters)
    transfers = _kept(scenario, "transfers", basis, times, quarters)
    land = _kept(scenario, "land", basis, times, quarters)
    # Without a shock to land an unknown share does no harm.
    fund = 1.0 - np.where(land < 1.0, basis.land_share[:, None], 0.0) * (1.0 - land)
    flows, quarterly = books.flow_base.copy(), books.quarterly.copy()
    lost = (1.0 - transfers) * np.where(transfers < 1.0, _received(books), 0.0)
    for n, name in enumerate(books.flows):
        ahead = flows[:, n, 3:]
        if books.flow_driver[n] == 0:
            ahead *= own
        elif books.flow_driver[n] == 2:
            ahead *= land if name == "land_revenue" else fund
        elif name == "implied_net_transfers":
            ahead -= lost
        elif books.flow_driver[n] == 1 and name.endswith("transfer_in"):
            ahead *= transfers  # earmarked and other parts of what is received
    for row, left in ((_GENERAL, own), (_SPECIAL, fund)):
        gap, revenue = quarterly[:, row + kernel.GAP_A], quarterly[:, row + kernel.REVENUE_A]
        gap += (revenue - gap) * (1.0 - left)
    quarterly[:, _GENERAL + kernel.GAP_B] += lost
    return replace(books, quarterly=quarterly, flow_base=flows)


def _received(books: Books) -> Array:
    """Transfers the general budget receives, yuan, shape (units, quarters); NaN where not known.

    Net transfers serve where gross ones are not reported, unless more is remitted than received.
    The books hold 0 for what is not reported: a government that receives nothing in any quarter
    counts as one that does not report.
    """
    received = np.full((len(books.keys), books.quarters), np.nan)
    for name in ("implied_net_transfers", "gpb_transfer_in"):  # the later one prevails
        if name in books.flows:
            amounts = books.flow_base[:, books.flows.index(name), 3:]
            known = (amounts.min(axis=1) >= 0.0) & (amounts.max(axis=1) > 0.0)
            received = np.where(known[:, None], amounts, received)
    return received


def _strike(books: Books, shock: Shock, basis: StressBasis, blow: Array) -> Books:
    """Put one shock that is no loss of revenue into the books; ``blow`` is its scaled size."""
    path = blow[:, None] * course(shock, books.quarters)
    quarterly = books.quarterly.copy()
    match shock.driver:
        case "rate":
            for row in (_GENERAL, _SPECIAL):
                quarterly[:, row + kernel.RATE] += path
        case "roll_over":
            for row in (_GENERAL, _SPECIAL):
                drop = quarterly[:, row + kernel.ROLL_DROP]
                quarterly[:, row + kernel.ROLL_DROP] = np.minimum(drop + path, 1.0)
        case "spending":
            if shock.sd is not None:
                path = path * np.maximum(basis.spending_sd, shock.floor)[:, None]
            more = path * quarterly[:, _GENERAL + kernel.SPENDING]
            for row in (kernel.SPENDING, kernel.RIGID, kernel.PLAN):
                quarterly[:, _GENERAL + row] += more
        case "contingent":
            if shock.first <= books.quarters:
                capacity = 4.0 * quarterly[:, kernel.CAPACITY_QUARTER, shock.first - 1]
                stock = basis.lgfv_debt if shock.of == "lgfv_debt" else capacity
                quarterly[:, _GENERAL + kernel.RECOGNISED, shock.first - 1] += blow * stock
        case "primary_balance_held":
            return _hold_balance(books, shock, basis.primary_balance, blow)
        case "history":
            return along_drivers(books, blow[:, None] * basis.worst_year, shock.first)
        case _:
            return books
    return replace(books, quarterly=quarterly)


def _hold_balance(books: Books, shock: Shock, balance: Array, blow: Array) -> Books:
    """Plan borrowing so that the primary balance stays, ``borrowing = interest - balance``.

    Interest on the borrowing added so far is planned for, at the rates it was borrowed at; the
    identity of the ledger holds as spending moves with borrowing.
    """
    quarterly = books.quarterly.copy()
    open_ = course(shock, books.quarters)
    for ledger, row in enumerate((_GENERAL, _SPECIAL)):
        more_interest = np.zeros(len(blow))
        for t in range(books.quarters):
            interest = quarterly[:, row + kernel.INTEREST_PLAN, t] + more_interest
            held = interest - balance[:, ledger] / 4.0
            more = blow * open_[t] * (held - quarterly[:, row + kernel.PLAN, t])
            quarterly[:, row + kernel.INTEREST_PLAN, t] += more_interest
            quarterly[:, row + kernel.PLAN, t] += more
            quarterly[:, row + kernel.SPENDING, t] += more
            more_interest = more_interest + quarterly[:, row + kernel.RATE, t] / 4.0 * more
    return replace(books, quarterly=quarterly)


def along_drivers(books: Books, vector: Array, first: int = 1) -> Books:
    """Move all drivers by given amounts over four quarters, as the recursion's own shocks do.

    Levels become ``exp(z x)`` with x rising from 1/4 to 1 and staying there; borrowing beyond plan
    and the spending it pays for rise by ``z`` times capacity in each of the four quarters.

    Parameters
    ----------
    books : Books
    vector : ndarray, shape (units, 5)
        z: log points of own revenue, transfers and fund revenue, then general and special
        borrowing as share of a year's capacity. Negative revenue and positive borrowing are worse.
    first : int
        First quarter, 1 the first ahead.

    Returns
    -------
    Books
    """
    shape = course(_WORST_YEAR.model_copy(update={"first": first}), books.quarters)
    levels = np.exp(vector[:, :3, None] * shape)
    flows, quarterly = books.flow_base.copy(), books.quarterly.copy()
    for n, driver in enumerate(books.flow_driver):
        if driver < 3:
            flows[:, n, 3:] *= levels[:, driver]
    places = (
        (_GENERAL + kernel.GAP_A, _GENERAL + kernel.REVENUE_A),
        (_GENERAL + kernel.GAP_B, _GENERAL + kernel.REVENUE_B),
        (_SPECIAL + kernel.GAP_A, _SPECIAL + kernel.REVENUE_A),
    )
    for driver, (gap, revenue) in enumerate(places):
        quarterly[:, gap] += (quarterly[:, revenue] - quarterly[:, gap]) * (1.0 - levels[:, driver])
    year = slice(first - 1, first + 3)
    for driver, row in ((3, _GENERAL), (4, _SPECIAL)):
        more = vector[:, driver, None] * quarterly[:, kernel.CAPACITY_QUARTER, year]
        quarterly[:, row + kernel.PLAN, year] += more
        quarterly[:, row + kernel.SPENDING, year] += more
    return replace(books, quarterly=quarterly, flow_base=flows)


def run_scenarios(
    books: Books,
    basis: StressBasis,
    scenarios: Sequence[Scenario],
    evaluate: Evaluate,
    headline: str = "debt_ratio",
) -> tuple[dict[str, Array], tuple[StressRun, ...]]:
    """Compute the central path and that of every scenario.

    A combined scenario shows, for each government and quarter, whichever of its half-size sum and
    its parts at full size has the higher headline; the other indicators are those of the same path.
    So it is at least as bad as each part in every quarter.

    Parameters
    ----------
    books : Books
    basis : StressBasis
    scenarios : sequence of Scenario
    evaluate : callable
        Gives the paths of indicators without chance; higher is worse.
    headline : str
        Indicator the scenarios are compared by.

    Returns
    -------
    central : dict from indicator to ndarray, shape (units, quarters)
    runs : tuple of StressRun
        In the order of the scenarios.

    Raises
    ------
    ModelProblem
        When ``evaluate`` does not give the headline.
    """
    central = dict(evaluate(books))
    if headline not in central:
        raise ModelProblem(
            N_("Indicator {name} is not among those computed: {known}."),
            name=headline,
            known=", ".join(central),
        )
    alone: dict[Scenario, tuple[Mapping[str, Array], Missing]] = {}

    def path(scenario: Scenario) -> tuple[Mapping[str, Array], Missing]:
        single = replace(scenario, parts=())
        if single not in alone:
            stressed, missing = apply(books, single, basis)
            alone[single] = evaluate(stressed), missing
        return alone[single]

    runs = []
    for scenario in scenarios:
        paths = [path(one) for one in (scenario, *scenario.parts)]
        runs.append(_shown(scenario, paths, central[headline], headline))
    return central, tuple(runs)


def _shown(
    scenario: Scenario,
    paths: Sequence[tuple[Mapping[str, Array], Missing]],
    central: Array,
    headline: str,
) -> StressRun:
    """Choose the worst path by unit and quarter; a missing ratio is never the better one."""
    missing = tuple(
        next((reason for reason in reasons if reason), None)
        for reasons in zip(*(lack for _, lack in paths), strict=True)
    )
    out = given(missing)
    ratios = np.array([found[headline] for found, _ in paths])
    decided = np.argmax(np.where(np.isnan(ratios), np.inf, ratios), axis=0)
    shown = {}
    for name in paths[0][0]:
        values = np.array([found[name] for found, _ in paths])
        chosen = np.take_along_axis(values, decided[None], axis=0)[0]
        shown[name] = np.where(out[:, None], np.nan, chosen)
    there = np.isfinite(shown[headline])
    worst = np.argmax(np.where(there, shown[headline], -np.inf), axis=1)
    return StressRun(
        scenario, shown, shown[headline] - central, decided,
        np.where(there.any(axis=1), worst, -1), missing,
    )  # fmt: skip

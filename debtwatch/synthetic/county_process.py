"""A simulated panel of county finances whose true risk is known: a ruler for classifiers.

Revenue of three kinds grows with the province and with the county's own luck; a budget plan follows
revenue only slowly, so that a shortfall becomes debt; projects come in waves. The one function
:func:`_next_quarter` makes the history and, from the true state of any quarter, the futures by
which :func:`oracle_probability` counts how often the debt ratio reaches the line. No classifier
that sees the published figures alone can rank better than this, except by luck; one that does has
seen the future.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.period import quarter, quarter_text
from debtwatch.synthetic.paths import LAND_SEASON, REVENUE_SEASON, SPENDING_SEASON, TRANSFER_SEASON

Floats = NDArray[np.float64]

#: Debt over the revenue of four quarters at and above which a county is in the worse class.
LINE = 2.0
FIRST_QUARTER = quarter(2014, 1)
#: Quarters simulated before the first published one, so that starting values are forgotten.
BURN_IN = 24
#: Of these, the ones kept, so that growth over a year is known from the first published quarter on.
EARLY = 8
#: Codes are two digits of the province and three of the county.
MAX_COUNTIES = 29_970
MAX_QUARTERS = 200
_PROVINCES = 30


@dataclass(frozen=True)
class Parameters:
    """Numbers of the process, for one quarter unless stated; shocks are normal, revenue in logs.

    They were set once, from what county finances look like, and not by what a classifier can make
    of the result. Only `target_median` was set to a result: the share of counties below the line
    that reach it, about 4 % within four quarters and 6 to 7 % within eight.

    Attributes
    ----------
    growth : float
        Trend of own revenue and transfers: 4 % a year.
    province_memory, province_shock, national_share : float
        AR(1) of each province's growth, and the part of its shocks' variance that all provinces
        share.
    county_memory, county_shock : float
        AR(1) of each county's own growth; with the province's, own revenue over four quarters
        varies by about 5 % around its trend.
    transfer_memory, transfer_shock, equalisation : float
        AR(1) of the growth of transfers, and the part of a lag in own growth that they make good.
    land_memory, land_shock, land_loading : float
        AR(1) of land revenue around its normal share of own revenue, and how much the province's
        growth moves it.
    bust_chance, bust_low, bust_high : float
        Chance that a land market breaks, once in about thirty years, and the fall of land revenue
        in logs, 26 % to 59 %.
    own_noise, transfer_noise, land_noise : float
        Passing part of what is collected in a quarter: early and late receipts, single plots sold.
    plan_speed : float
        Part of the distance to what revenue allows by which spending plans move: half in five
        quarters.
    correction : float
        Part of the distance between the debt ratio and the one a county tends to that its plan
        means to close in a year; debt is corrected only weakly.
    project_memory, project_shock : float
        AR(1) of spending on projects beyond the plan, as a part of revenue.
    target_median, target_spread : float
        Debt ratios that counties tend to: lognormal.
    coupon, coupon_spread : float
        Interest of a year on debt: mean and standard deviation over counties.
    """

    growth: float = 0.01
    province_memory: float = 0.85
    province_shock: float = 0.004
    national_share: float = 0.4
    county_memory: float = 0.75
    county_shock: float = 0.006
    transfer_memory: float = 0.5
    transfer_shock: float = 0.006
    equalisation: float = 0.2
    land_memory: float = 0.93
    land_shock: float = 0.08
    land_loading: float = 3.0
    bust_chance: float = 0.008
    bust_low: float = 0.3
    bust_high: float = 0.9
    own_noise: float = 0.03
    transfer_noise: float = 0.04
    land_noise: float = 0.2
    plan_speed: float = 0.12
    correction: float = 0.06
    project_memory: float = 0.8
    project_shock: float = 0.02
    target_median: float = 1.6
    target_spread: float = 0.35
    coupon: float = 0.034
    coupon_spread: float = 0.003


@dataclass(frozen=True)
class Traits:
    """What never changes of each county.

    Attributes
    ----------
    province : ndarray of int, shape (county,)
    own, land, transfer : ndarray, shape (county,)
        Normal revenue of a quarter at the start, in 万元.
    target : ndarray, shape (county,)
        Debt ratio that the county tends to.
    coupon : ndarray, shape (county,)
        Interest of a year on its debt.
    """

    province: NDArray[np.intp]
    own: Floats
    land: Floats
    transfer: Floats
    target: Floats
    coupon: Floats


@dataclass(frozen=True)
class State:
    """All that the future depends on, at a quarter's end; arrays end in the axis of the counties.

    Attributes
    ----------
    quarter : int
        Ordinal.
    own, transfer : ndarray
        Level since the start, in logs.
    land : ndarray
        Land revenue against its normal share of own revenue, in logs.
    pace, transfer_pace : ndarray
        The county's own part of growth, beyond trend and province.
    province_pace : ndarray
        The province's part; ends in the axis of the provinces.
    project : ndarray
        Spending beyond the plan, as a part of revenue.
    plan : ndarray
        Planned spending of a quarter, without seasons, 万元.
    debt : ndarray
        万元.
    recent : ndarray
        Revenue collected in the last four quarters, along the first axis.
    """

    quarter: int
    own: Floats
    transfer: Floats
    land: Floats
    pace: Floats
    transfer_pace: Floats
    province_pace: Floats
    project: Floats
    plan: Floats
    debt: Floats
    recent: Floats

    @property
    def debt_ratio(self) -> Floats:
        """Debt over the revenue of four quarters."""
        return np.asarray(self.debt / self.recent.sum(axis=0))


@dataclass(frozen=True)
class Flows:
    """Money of one quarter, 万元.

    Attributes
    ----------
    own, land, transfer : ndarray
        Revenue.
    spending : ndarray
        Without interest.
    interest : ndarray
    """

    own: Floats
    land: Floats
    transfer: Floats
    spending: Floats
    interest: Floats

    @property
    def revenue(self) -> Floats:
        """All revenue."""
        return np.asarray(self.own + self.land + self.transfer)


@dataclass(frozen=True)
class Process:
    """A simulated history with its true states.

    Attributes
    ----------
    parameters : Parameters
    traits : Traits
    codes : tuple of str
        Counties, in the order of all arrays.
    provinces : tuple of str
        Code of each county's province.
    flows : tuple of Flows
        Quarter by quarter, `early` quarters before the first published one included.
    states : tuple of State
        At the end of each of the same quarters.
    early : int
        Quarters before the first published one.
    seed : int
    """

    parameters: Parameters
    traits: Traits
    codes: tuple[str, ...]
    provinces: tuple[str, ...]
    flows: tuple[Flows, ...]
    states: tuple[State, ...]
    early: int
    seed: int

    @property
    def quarters(self) -> range:
        """Ordinals of the published quarters."""
        return range(self.states[self.early].quarter, self.states[-1].quarter + 1)

    def state(self, ordinal: int) -> State:
        """Give the true state at the end of a published quarter.

        Raises
        ------
        ModelProblem
            When the quarter is not in the history.
        """
        if ordinal not in self.quarters:
            raise ModelProblem(
                N_("The simulated history holds no quarter {period}. Choose {low} to {high}."),
                period=quarter_text(ordinal), low=quarter_text(self.quarters[0]),
                high=quarter_text(self.quarters[-1]),
            )  # fmt: skip
        return self.states[self.early + ordinal - self.quarters[0]]

    @property
    def debt_ratio(self) -> Floats:
        """True debt ratio, shape (county, published quarter)."""
        return np.stack([s.debt_ratio for s in self.states[self.early :]], axis=1)


def simulate_process(
    counties: int = 1000,
    quarters: int = 48,
    *,
    seed: int,
    parameters: Parameters | None = None,
) -> Process:
    """Simulate the finances of counties.

    With revenue ``R``, spending ``S``, interest ``I = coupon / 4 * D`` and debt ``D`` of each
    county and quarter t::

        D[t] = max(D[t-1] + S[t] + I[t] - R[t], 0)
        ratio[t] = D[t] / (R[t] + R[t-1] + R[t-2] + R[t-3])

    Parameters
    ----------
    counties : int
        1 to 29,970, in up to 30 provinces.
    quarters : int
        Published quarters, 1 to 200, from 2014Q1.
    seed : int
        Seed of all chance; the same arguments give the same numbers.
    parameters : Parameters, optional

    Returns
    -------
    Process

    Raises
    ------
    ModelProblem
        When a number is out of range.

    Examples
    --------
    >>> process = simulate_process(40, 12, seed=1)
    >>> process.debt_ratio.shape
    (40, 12)
    """
    _check(counties, 1, MAX_COUNTIES, N_("{value} counties cannot be made. Ask for 1 to {high}."))
    _check(
        quarters, 1, MAX_QUARTERS, N_("{value} quarters cannot be simulated. Ask for 1 to {high}.")
    )
    _check(seed, 0, 2**63, N_("The seed {value} is negative. Give 0 or more."))
    law = Parameters() if parameters is None else parameters
    rng = np.random.default_rng(seed)
    provinces = min(_PROVINCES, counties)
    province = np.arange(counties) * provinces // counties
    rank = np.arange(counties) - np.searchsorted(province, province)
    traits = _traits(law, rng, province)
    state = _start(law, traits, rng)
    states, flows = [], []
    for t in range(BURN_IN + quarters):
        state, money = _next_quarter(law, traits, state, rng)
        if t >= BURN_IN - EARLY:
            states.append(state)
            flows.append(money)
    return Process(
        parameters=law,
        traits=traits,
        codes=tuple(f"{p + 1:02d}{r + 1:03d}" for p, r in zip(province, rank, strict=True)),
        provinces=tuple(f"{p + 1:02d}" for p in province),
        flows=tuple(flows),
        states=tuple(states),
        early=EARLY,
        seed=seed,
    )


def oracle_probability(
    process: Process, origin: int, horizon: int, *, draws: int = 200, seed: int
) -> Floats:
    """Probability that the debt ratio reaches the line within a horizon, from the true state.

    ``P(max over k in 1..h of ratio[t + k] >= 2.00 | state[t])``, as the share of `draws` futures
    of the true process that begin with the true state. Its standard error is
    ``sqrt(p (1 - p) / draws)``.

    Parameters
    ----------
    process : Process
    origin : int
        Ordinal of a published quarter, at the end of which the futures begin.
    horizon : int
        Quarters, 1 to 40.
    draws : int
        Futures of each county.
    seed : int
        The result depends on it and on `origin`, not on what else was asked for.

    Returns
    -------
    ndarray, shape (county,)
        NaN for a county at or beyond the line at the origin: it cannot enter.

    Raises
    ------
    ModelProblem
        When the origin is not in the history, or a number is out of range.

    Examples
    --------
    >>> process = simulate_process(40, 12, seed=1)
    >>> p = oracle_probability(process, process.quarters[-1], 4, draws=50, seed=1)
    >>> float(np.nanmin(p)), int(np.isnan(p).sum())
    (0.0, 5)
    """
    by_horizon = entry_by_horizon(process, origin, horizon, draws=draws, seed=seed)
    return np.asarray(by_horizon[-1])


def entry_by_horizon(
    process: Process, origin: int, horizon: int, *, draws: int = 200, seed: int
) -> Floats:
    """Probability of entry within 1, 2, ... quarters: :func:`oracle_probability` of each.

    Parameters
    ----------
    process, origin, horizon, draws, seed
        As for :func:`oracle_probability`.

    Returns
    -------
    ndarray, shape (horizon, county)
    """
    _check(
        horizon, 1, 40, N_("A horizon of {value} quarters is not possible. Ask for 1 to {high}.")
    )
    _check(draws, 1, 100_000, N_("{value} draws cannot be made. Ask for 1 to {high}."))
    now = process.state(origin)
    rng = np.random.default_rng([seed, origin])
    state, entered, share = _copies(now, draws), np.zeros((draws, len(process.codes)), bool), []
    for _ in range(horizon):
        state, _money = _next_quarter(process.parameters, process.traits, state, rng)
        entered |= state.debt_ratio >= LINE
        share.append(entered.mean(axis=0))
    return np.where(now.debt_ratio < LINE, np.array(share), np.nan)


def entry(process: Process, horizon: int) -> Floats:
    """Tell what happened: which counties below the line reached it within a horizon.

    Parameters
    ----------
    process : Process
    horizon : int
        Quarters.

    Returns
    -------
    ndarray, shape (county, published quarter)
        1 or 0; NaN at or beyond the line, and where the window reaches beyond the history: there
        an entry could be seen and its absence could not.
    """
    beyond = process.debt_ratio >= LINE
    quarters = beyond.shape[1]
    found = np.full(beyond.shape, np.nan)
    if quarters > horizon:
        windows = sliding_window_view(beyond[:, 1:], horizon, axis=1)
        found[:, : quarters - horizon] = windows.any(axis=-1)
    return np.where(beyond, np.nan, found)


# -- the process itself --------------------------------------------------------------------------


def _traits(law: Parameters, rng: Generator, province: NDArray[np.intp]) -> Traits:
    """Draw counties: about 40 亿元 a year, a third of it own, a fifth from land, the rest sent."""
    n = len(province)
    size = 100_000 * np.exp(0.6 * rng.normal(size=n))
    shares = rng.dirichlet([7.0, 4.0, 9.0], size=n)
    return Traits(
        province=province,
        own=size * shares[:, 0],
        land=size * shares[:, 1],
        transfer=size * shares[:, 2],
        target=law.target_median * np.exp(law.target_spread * rng.normal(size=n)),
        coupon=np.maximum(law.coupon + law.coupon_spread * rng.normal(size=n), 0.02),
    )


def _start(law: Parameters, traits: Traits, rng: Generator) -> State:
    """Begin on the trend, with slow parts drawn from their long-run spread."""
    n, zero = len(traits.own), np.zeros(len(traits.own))
    revenue = traits.own + traits.land + traits.transfer
    return State(
        quarter=FIRST_QUARTER - BURN_IN - 1,
        own=zero,
        transfer=zero,
        land=_long_run(law.land_shock, law.land_memory) * rng.normal(size=n),
        pace=_long_run(law.county_shock, law.county_memory) * rng.normal(size=n),
        transfer_pace=zero,
        province_pace=np.zeros(traits.province.max() + 1),
        project=_long_run(law.project_shock, law.project_memory) * rng.normal(size=n),
        plan=revenue * (1 - _steady_balance(law, traits, traits.target)),
        debt=4 * revenue * traits.target,
        recent=np.stack([revenue] * 4),
    )


def _long_run(shock: float, memory: float) -> float:
    return float(shock / np.sqrt(1 - memory**2))


def _steady_balance(law: Parameters, traits: Traits, ratio: Floats) -> Floats:
    """Primary balance, as a part of revenue, that would hold a debt ratio where it is."""
    return np.asarray((traits.coupon - 4 * law.growth) * ratio)


def _next_quarter(
    law: Parameters, traits: Traits, state: State, rng: Generator
) -> tuple[State, Flows]:
    """Take every county one quarter on; leading axes, such as draws, are carried along."""
    shape, season = state.own.shape, (state.quarter + 1) % 4
    province_pace = law.province_memory * state.province_pace + law.province_shock * (
        _partly_shared(rng, state.province_pace.shape, law.national_share)
    )
    province = province_pace[..., traits.province]
    pace = law.county_memory * state.pace + law.county_shock * rng.normal(size=shape)
    transfer_pace = law.transfer_memory * state.transfer_pace
    transfer_pace = transfer_pace + law.transfer_shock * rng.normal(size=shape)
    own = state.own + law.growth + province + pace
    transfer = state.transfer + law.growth - law.equalisation * (province + pace) + transfer_pace
    bust = (rng.uniform(size=shape) < law.bust_chance) * rng.uniform(
        law.bust_low, law.bust_high, shape
    )
    land = law.land_memory * state.land + law.land_loading * province - bust
    land = land + law.land_shock * rng.normal(size=shape)

    normal = (
        traits.own * np.exp(own),
        traits.land * np.exp(own + land),
        traits.transfer * np.exp(transfer),
    )
    noises = (law.own_noise, law.land_noise, law.transfer_noise)
    seasons = (REVENUE_SEASON, LAND_SEASON, TRANSFER_SEASON)
    own_cash, land_cash, transfer_cash = (
        4 * s[season] * level * np.exp(noise * rng.normal(size=shape))
        for s, level, noise in zip(seasons, normal, noises, strict=True)
    )

    revenue = state.recent.sum(axis=0) / 4
    ratio = state.debt_ratio
    balance = _steady_balance(law, traits, ratio) + law.correction * (ratio - traits.target)
    plan = state.plan * np.exp(law.growth)
    plan = plan + law.plan_speed * (revenue * (1 - balance) - plan)
    project = law.project_memory * state.project + law.project_shock * rng.normal(size=shape)
    money = Flows(
        own=own_cash,
        land=land_cash,
        transfer=transfer_cash,
        spending=4 * SPENDING_SEASON[season] * (plan + project * revenue),
        interest=traits.coupon / 4 * state.debt,
    )
    debt = np.maximum(state.debt + money.spending + money.interest - money.revenue, 0.0)
    following = State(
        quarter=state.quarter + 1, own=own, transfer=transfer, land=land, pace=pace,
        transfer_pace=transfer_pace, province_pace=province_pace, project=project, plan=plan,
        debt=debt, recent=np.concatenate([state.recent[1:], money.revenue[None]]),
    )  # fmt: skip
    return following, money


def _partly_shared(rng: Generator, shape: tuple[int, ...], share: float) -> Floats:
    """Draw standard normals of which the last axis shares a part of the variance."""
    common, single = rng.normal(size=(*shape[:-1], 1)), rng.normal(size=shape)
    return np.asarray(np.sqrt(share) * common + np.sqrt(1 - share) * single)


def _copies(state: State, draws: int) -> State:
    """Give a state for each draw: an axis before that of the counties."""
    arrays = {f.name: getattr(state, f.name) for f in fields(state) if f.name != "quarter"}
    return State(
        quarter=state.quarter,
        **{name: np.repeat(a[..., None, :], draws, axis=-2) for name, a in arrays.items()},
    )


def _check(value: int, low: int, high: int, message: str) -> None:
    if not low <= value <= high:
        raise ModelProblem(message, value=value, high=high)

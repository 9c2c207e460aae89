"""Closed forms of the plain annual debt path: what holds the ratio, and when it meets a limit.

With constant parameters and ``phi = (1 + i)/(1 + g)`` the ratio follows
``d_h = phi^h d_0 - pb (phi^h - 1)/(phi - 1)``. All forms here hold for phi = 1 too and stay
accurate near it. Rates and ratios are decimals; the period is a year, or a quarter with rates a
quarter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.annual import (
    Array,
    as_finite,
    check_growth,
    leading_shape,
    on_years,
)


def _together(**inputs: ArrayLike) -> list[Array]:
    """Read inputs of one value a unit and broadcast them."""
    arrays = [as_finite(name, value) for name, value in inputs.items()]
    shape = leading_shape(", ".join(inputs), *(a.shape for a in arrays))
    return [np.broadcast_to(a, shape) for a in arrays]


def _excess(interest_rate: Array, growth: Array) -> Array:
    """Return ``phi - 1 = (i - g) / (1 + g)``; taking the difference first keeps it accurate."""
    check_growth(growth[..., None])
    if np.any(interest_rate <= -1.0):
        raise ModelProblem(
            N_("The interest rate is at or below -100 %. Give decimals, such as 0.03 for 3 %.")
        )
    return np.asarray((interest_rate - growth) / (1.0 + growth))


def _accumulation(excess: Array, years: ArrayLike) -> Array:
    """Return ``1 + phi + ... + phi^(h-1) = (phi^h - 1)/(phi - 1)``, h when phi = 1."""
    flat = excess == 0.0
    safe = np.where(flat, 1.0, excess)
    return np.asarray(np.where(flat, years, np.expm1(years * np.log1p(safe)) / safe))


def debt_stabilising_balance(
    debt_ratio: ArrayLike, interest_rate: ArrayLike, growth: ArrayLike
) -> Array:
    """Primary balance that keeps the ratio where it is: ``pb* = d (i - g) / (1 + g)``.

    Parameters
    ----------
    debt_ratio, interest_rate, growth : array_like
        Decimals, shapes that broadcast.

    Returns
    -------
    ndarray
        Share of the denominator; a surplus is positive. The fiscal gap is ``pb* - pb``.

    Raises
    ------
    ModelProblem
        When growth or the rate is at or below -100 %, or an input is missing.

    Examples
    --------
    >>> round(float(debt_stabilising_balance(1.20, 0.010, 0.0125)), 10)
    -0.002962963
    """
    d, i, g = _together(debt_ratio=debt_ratio, interest_rate=interest_rate, growth=growth)
    return np.asarray(d * _excess(i, g))


def constant_path(
    debt_ratio: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    primary_balance: ArrayLike,
    years: int,
) -> Array:
    """Path of the ratio when nothing changes, in closed form.

    Computes ``d_h = phi^h d_0 - pb (phi^h - 1)/(phi - 1)``, phi = (1 + i)/(1 + g); with phi = 1,
    ``d_h = d_0 - h pb``.

    Parameters
    ----------
    debt_ratio, interest_rate, growth, primary_balance : array_like
        Decimals, one value a unit, shapes that broadcast.
    years : int
        Number of years (or of quarters, with rates a quarter).

    Returns
    -------
    ndarray
        Years 1 .. years, shape (..., years).

    Raises
    ------
    ModelProblem
        When growth or the rate is at or below -100 %, or an input is missing.

    Examples
    --------
    >>> constant_path(1.20, 0.010, 0.0125, -0.004, 20)[[3, 19]].round(10)
    array([1.20413281, 1.22026136])
    """
    start, i, g, balance = _together(
        debt_ratio=debt_ratio,
        interest_rate=interest_rate,
        growth=growth,
        primary_balance=primary_balance,
    )
    if years < 1:
        raise ModelProblem(N_("The number of years is {years}. Give 1 or more."), years=years)
    excess = _excess(i, g)
    # The first step, repeated with factor phi, so that a ratio at rest stays exactly at rest.
    step = np.asarray(start * excess - balance)
    h = np.arange(1, years + 1)
    return np.asarray(start[..., None] + step[..., None] * _accumulation(excess[..., None], h))


def breach_time(
    debt_ratio: ArrayLike,
    limit: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    primary_balance: ArrayLike,
) -> Array:
    """Time at which the constant-parameter path reaches a limit from below.

    Solves ``d_h = limit``: ``h* = ln(1 + k (phi - 1)) / ln phi`` with
    ``k = (limit - d_0) / (d_0 (phi - 1) - pb)``, and ``h* = k`` when phi = 1.

    Parameters
    ----------
    debt_ratio, limit, interest_rate, growth, primary_balance : array_like
        Decimals, one value a unit, shapes that broadcast.

    Returns
    -------
    ndarray
        Years (or quarters, with rates a quarter), a real number; 0 where the ratio starts at the
        limit or above, infinite where it never gets there.

    Raises
    ------
    ModelProblem
        When growth or the rate is at or below -100 %, or an input is missing.

    Examples
    --------
    >>> round(float(breach_time(1.20, 1.21, 0.010, 0.0125, -0.004)), 4)
    9.7475
    """
    start, top, i, g, balance = _together(
        debt_ratio=debt_ratio,
        limit=limit,
        interest_rate=interest_rate,
        growth=growth,
        primary_balance=primary_balance,
    )
    excess = _excess(i, g)
    step = start * excess - balance
    room = top - start
    rising = step > 0.0
    needed = room / np.where(rising, step, 1.0)
    inside = 1.0 + needed * excess
    reached = rising & (inside > 0.0)
    flat = excess == 0.0
    rate = np.log1p(np.where(flat, 1.0, excess))
    time = np.where(flat, needed, np.log(np.where(reached, inside, 1.0)) / rate)
    return np.asarray(np.where(room <= 0.0, 0.0, np.where(reached, time, np.inf)))


def first_breach(
    debt_ratio: ArrayLike,
    limit: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    primary_balance: ArrayLike,
) -> Array:
    """First whole year in which the constant-parameter path is at a limit or above.

    The ceiling of :func:`breach_time`; same inputs, shapes and errors.

    Returns
    -------
    ndarray
        Whole numbers of years; 0 where already there, infinite where never.

    Examples
    --------
    >>> float(first_breach(1.20, 1.21, 0.010, 0.0125, -0.004))
    10.0
    """
    # A path that meets the limit in a whole year must not wait another one for rounding.
    time = breach_time(debt_ratio, limit, interest_rate, growth, primary_balance)
    return np.asarray(np.ceil(time - 1e-9) + 0.0)


def required_balance(
    debt_ratio: ArrayLike,
    target: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    years: ArrayLike,
) -> Array:
    """Constant primary balance that brings the ratio to a target in a number of years.

    Computes ``pb = (phi^H d_0 - target)(phi - 1)/(phi^H - 1)``; with phi = 1,
    ``(d_0 - target)/H``.

    Parameters
    ----------
    debt_ratio, target, interest_rate, growth : array_like
        Decimals, one value a unit, shapes that broadcast.
    years : array_like
        Horizon H, 1 or more.

    Returns
    -------
    ndarray
        Share of the denominator; a surplus is positive.

    Raises
    ------
    ModelProblem
        When the horizon is below 1, growth or the rate at or below -100 %, or an input missing.

    Examples
    --------
    >>> round(float(required_balance(0.90, 0.60, 0.025, 0.015, 20)), 10)
    0.0225111981
    """
    start, aim, i, g, horizon = _together(
        debt_ratio=debt_ratio,
        target=target,
        interest_rate=interest_rate,
        growth=growth,
        years=years,
    )
    if np.any(horizon < 1):
        raise ModelProblem(
            N_("The number of years is {years}. Give 1 or more."), years=float(horizon.min())
        )
    excess = _excess(i, g)
    return np.asarray(start * excess + (start - aim) / _accumulation(excess, horizon))


def fiscal_gap_s1(
    debt_ratio: ArrayLike,
    structural_balance: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    *,
    target: ArrayLike,
    years: int,
    ageing_cost: ArrayLike = 0.0,
) -> Array:
    """Permanent adjustment that brings the ratio to a target in a number of years (S1).

    ``S1 = required_balance - structural_balance + sum_t A_t phi^(H-t) / sum_t phi^(H-t)``.

    Parameters
    ----------
    debt_ratio, structural_balance, interest_rate, growth, target : array_like
        Decimals, one value a unit, shapes that broadcast.
    years : int
        Horizon H.
    ageing_cost : array_like
        Rise of annual spending A_t over the starting year, share of the denominator: one number
        for every year, (years,) or (..., years). A cost that comes in gradually needs its path.

    Returns
    -------
    ndarray
        Share of the denominator; positive means an adjustment is needed.

    Raises
    ------
    ModelProblem
        As :func:`required_balance`; also when the costs differ in length from the horizon.

    Notes
    -----
    The sustainability-gap indicator of the European Commission's Fiscal Sustainability Reports,
    with the adjustment made at once.

    Examples
    --------
    >>> gap = fiscal_gap_s1(0.90, -0.01, 0.025, 0.015, target=0.60, years=20, ageing_cost=0.01)
    >>> round(float(gap), 10)
    0.0425111981
    """
    start, structural, i, g, aim = _together(
        debt_ratio=debt_ratio,
        structural_balance=structural_balance,
        interest_rate=interest_rate,
        growth=growth,
        target=target,
    )
    (cost,) = on_years(years, ageing_cost=ageing_cost)
    leading_shape("debt_ratio, ageing_cost", start.shape, cost.shape[:-1])
    to_end = np.arange(years - 1, -1, -1)
    weights = np.exp(np.log1p(_excess(i, g))[..., None] * to_end)
    averaged = (cost * weights).sum(axis=-1) / weights.sum(axis=-1)
    return np.asarray(required_balance(start, aim, i, g, years) - structural + averaged)


def fiscal_gap_s2(
    debt_ratio: ArrayLike,
    structural_balance: ArrayLike,
    interest_rate: ArrayLike,
    growth: ArrayLike,
    *,
    ageing_cost: ArrayLike = 0.0,
) -> Array:
    """Permanent adjustment that meets the intertemporal budget constraint for ever (S2).

    ``S2 = r d_0 - structural_balance + r sum_(t>=1) A_t / (1 + r)^t`` with
    ``r = (i - g)/(1 + g)``; the last cost given stays for ever.

    Parameters
    ----------
    debt_ratio, structural_balance, interest_rate, growth : array_like
        Decimals, one value a unit, shapes that broadcast.
    ageing_cost : array_like
        Rise of annual spending A_t over the starting year: one number, (years,) or (..., years).

    Returns
    -------
    ndarray
        Share of the denominator; positive means an adjustment is needed.

    Raises
    ------
    ModelProblem
        When the rate does not exceed growth: the sum over an infinite future does not exist.

    Examples
    --------
    >>> round(float(fiscal_gap_s2(0.90, -0.01, 0.025, 0.015, ageing_cost=0.02)), 10)
    0.0388669951
    """
    start, structural, i, g = _together(
        debt_ratio=debt_ratio,
        structural_balance=structural_balance,
        interest_rate=interest_rate,
        growth=growth,
    )
    excess = _excess(i, g)
    if np.any(excess <= 0.0):
        raise ModelProblem(
            N_("The interest rate must exceed growth for an infinite horizon. Use a finite one.")
        )
    cost = np.atleast_1d(as_finite("ageing_cost", ageing_cost))
    leading_shape("debt_ratio, ageing_cost", start.shape, cost.shape[:-1])
    discount = np.exp(-np.log1p(excess)[..., None] * np.arange(1, cost.shape[-1] + 1))
    weights = excess[..., None] * discount
    # The last cost goes on: r (v^n + v^(n+1) + ...) = v^(n-1).
    weights[..., -1] = discount[..., -1] * (1.0 + excess)
    return np.asarray(start * excess - structural + (cost * weights).sum(axis=-1))


def breach_probability(
    debt: ArrayLike, median_capacity: ArrayLike, log_sd: ArrayLike, limit: ArrayLike
) -> Array:
    """Probability that debt over an uncertain capacity is at a limit or above.

    ``P(D / R >= limit) = Phi(ln(D / (limit m)) / s)`` for ``ln R ~ N(ln m, s^2)``.

    Parameters
    ----------
    debt, median_capacity : array_like
        Same money, positive; shapes that broadcast.
    log_sd : array_like
        Standard deviation s of the log of capacity, 0 or more.
    limit : array_like
        Limit of the ratio, decimals, positive.

    Returns
    -------
    ndarray
        Probabilities. Without uncertainty 1 at the limit or above, else 0.

    Raises
    ------
    ModelProblem
        When an amount or the limit is not positive, or the standard deviation is negative.

    Examples
    --------
    >>> breach_probability([120.0, 130.0], 100.0, 0.10, 1.4).round(10)
    array([0.06159674, 0.22932255])
    """
    d, m, sd, top = _together(
        debt=debt, median_capacity=median_capacity, log_sd=log_sd, limit=limit
    )
    if np.any(sd < 0.0) or any(np.any(x <= 0.0) for x in (d, m, top)):
        raise ModelProblem(
            N_("Debt, capacity and limit must be positive and the standard deviation not negative.")
        )
    distance = np.log(d / (top * m))
    sure = np.where(distance >= 0.0, 1.0, 0.0)
    return np.asarray(np.where(sd > 0.0, ndtr(distance / np.where(sd > 0.0, sd, 1.0)), sure))

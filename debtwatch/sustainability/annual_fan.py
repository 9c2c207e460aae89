"""Fan of the plain annual debt path: random shocks around a baseline, and what they imply.

A :class:`ShockRule` says how drawn shocks become annual shocks to growth, interest rate, primary
balance and exchange rates. They are added to the baseline paths and
:func:`debtwatch.sustainability.annual.project_ratio` runs every path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.annual import Array, as_finite, on_years, project_ratio
from debtwatch.sustainability.annual_stress import covariance_factor

KNOWN = ("growth", "interest_rate", "short_rate", "long_rate", "primary_balance")
QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
DEGREES_OF_FREEDOM = 5.0
# Draws of one block fit the cache of a small machine; results do not depend on it.
BLOCK = 20_000


@dataclass(frozen=True)
class ShockRule:
    """How shocks drawn each period turn into annual shocks.

    With p periods a year, the annual shock of a variable is the sum of the year's p shocks. Two
    kinds differ. A shock to the market rate of long-term debt reaches only what was refinanced::

        long_t = min(M, t)/M * sum of the last min(p t, round(p M)) shocks

    with M the average residual maturity in years; and the shock to the implicit rate is
    ``interest_rate + share_short * short_rate + (1 - share_short) * long_rate`` of those drawn.
    Shocks to an exchange rate move its level in that year, not for good.

    Attributes
    ----------
    variables : tuple of str
        Order of the covariance: ``growth``, ``interest_rate`` (implicit, at once),
        ``short_rate``, ``long_rate``, ``primary_balance``, or a currency of ``currency_levels``.
    periods : int
        Shocks drawn a year: 1 annual, 4 quarterly.
    short_share : float
        Share of short-term debt, 0 to 1.
    maturity : float
        Average residual maturity M of long-term debt, years.
    currency_shares : mapping from currency to float
        Share of debt in each foreign currency.
    currency_levels : mapping from currency to array_like
        Baseline price of the currency, starting year first, shape (years + 1,).
    """

    variables: tuple[str, ...] = ("growth", "interest_rate", "primary_balance")
    periods: int = 1
    short_share: float = 0.0
    maturity: float = 1.0
    currency_shares: Mapping[str, float] = field(default_factory=dict)
    currency_levels: Mapping[str, ArrayLike] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [v for v in self.variables if v not in KNOWN and v not in self.currency_levels]
        if unknown or len(set(self.variables)) != len(self.variables):
            raise ModelProblem(
                N_(
                    "The shocks {variables} are not distinct names out of {known} and the"
                    " currencies with levels."
                ),
                variables=", ".join(self.variables),
                known=", ".join(KNOWN),
            )
        missing = [c for c in self.currency_shares if c not in self.currency_levels]
        if missing:
            raise ModelProblem(
                N_("Give the baseline levels of the currencies {missing}, starting year first."),
                missing=", ".join(missing),
            )
        if self.periods < 1 or not 0.0 <= self.short_share <= 1.0 or not self.maturity > 0.0:
            raise ModelProblem(
                N_(
                    "A shock rule needs 1 or more periods a year, a short share from 0 to 1 and a"
                    " maturity above 0."
                )
            )

    def fx_factor(self, years: int, shocks: Mapping[str, Array] | None = None) -> Array:
        """Revaluation of debt a year: ``1 - sum(share) + sum(share E_t / E_(t-1))``.

        Parameters
        ----------
        years : int
            Number of years ahead.
        shocks : mapping from currency to ndarray, optional
            Shocks to the levels, shape (paths, years); without them, the baseline.

        Returns
        -------
        ndarray
            Shape (years,) or (paths, years).

        Raises
        ------
        ModelProblem
            When a currency has not one level a year, or a level falls to 0 or below.

        Examples
        --------
        >>> rule = ShockRule(currency_shares={"USD": 0.2}, currency_levels={"USD": [1.0, 1.1]})
        >>> rule.fx_factor(1)
        array([1.02])
        """
        factor = np.ones(years)
        for name, share in self.currency_shares.items():
            level = as_finite(f"currency_levels[{name}]", self.currency_levels[name])
            if level.shape != (years + 1,):
                raise ModelProblem(
                    N_("{currency} needs {needed} levels, starting year first; found {found}."),
                    currency=name,
                    needed=years + 1,
                    found=level.size,
                )
            moved = level[1:] + (shocks or {}).get(name, 0.0)
            start = np.broadcast_to(level[0], (*moved.shape[:-1], 1))
            before = np.concatenate([start, moved[..., :-1]], axis=-1)
            if min(before.min(), moved.min()) <= 0.0:
                raise ModelProblem(
                    N_("The price of {currency} falls to 0 or below. Check its level and shocks."),
                    currency=name,
                )
            factor = factor + share * (moved / before - 1.0)
        return factor


@dataclass(frozen=True)
class FanVariable:
    """One variable of a fan, by year.

    Attributes
    ----------
    baseline, mean, sd : ndarray
        Path without shocks; mean and standard deviation over paths, shape (years,).
    quantiles : ndarray
        Shape (levels, years), levels as asked for.
    """

    baseline: Array
    mean: Array
    sd: Array
    quantiles: Array


@dataclass(frozen=True)
class FanChart:
    """Distribution of the debt path and of its drivers.

    Attributes
    ----------
    start : float
        Ratio at the start.
    levels : tuple of float
        Levels of the quantiles, 0 to 1.
    debt_ratio, growth, interest_rate, primary_balance : FanVariable
        The years ahead.
    above_start : float
        Probability that the ratio ends above the start.
    any_rise : float
        Probability that it rises in at least one year.
    above : dict from float to ndarray
        By threshold, the probability of being above it in each year, shape (years,).
    ever_above : dict from float to ndarray
        By threshold, the probability of having been above it by each year, shape (years,).
    paths : int
        Number of paths. A probability p has the standard error ``sqrt(p (1 - p) / paths)``.
    draws : dict from str to ndarray, or None
        The four variables, shape (paths, years), where asked for.
    """

    start: float
    levels: tuple[float, ...]
    debt_ratio: FanVariable
    growth: FanVariable
    interest_rate: FanVariable
    primary_balance: FanVariable
    above_start: float
    any_rise: float
    above: dict[float, Array]
    ever_above: dict[float, Array]
    paths: int
    draws: dict[str, Array] | None


def _blocks(
    factor: Array,
    shape: tuple[int, int],
    seed: int,
    distribution: Literal["normal", "student"],
    persistence: Array | None,
) -> Iterator[tuple[slice, Array]]:
    """Draw shocks block by block, shape (block, periods, k); more paths only append to fewer."""
    # Philox: the stream of a seed is the same on every machine. Scale and direction have their
    # own streams, so that both distributions share the directions.
    direction, scale = (
        np.random.Generator(np.random.Philox(s)) for s in np.random.SeedSequence(seed).spawn(2)
    )
    paths, periods = shape
    for start in range(0, paths, BLOCK):
        stop = min(start + BLOCK, paths)
        draws = direction.standard_normal((stop - start, periods, len(factor))) @ factor.T
        if distribution == "student":
            chi2 = scale.chisquare(DEGREES_OF_FREEDOM, (stop - start, periods, 1))
            # sqrt(nu / chi2) gives the t; its variance nu / (nu - 2) is taken out again.
            draws *= np.sqrt((DEGREES_OF_FREEDOM - 2.0) / chi2)
        if persistence is not None:
            for t in range(1, periods):
                draws[:, t] += draws[:, t - 1] @ persistence.T
        yield slice(start, stop), draws


def annual_shocks(rule: ShockRule, draws: ArrayLike) -> dict[str, Array]:
    """Turn the shocks of each period into annual shocks.

    The equations stand at :class:`ShockRule`.

    Parameters
    ----------
    rule : ShockRule
        Order and meaning of the variables.
    draws : array_like
        Shape (paths, years x periods, variables).

    Returns
    -------
    dict from str to ndarray
        ``growth``, ``interest_rate`` (of all debt), ``primary_balance`` and each currency drawn,
        shape (paths, years).

    Raises
    ------
    ModelProblem
        When a draw is missing or the shape does not fit the rule.

    Examples
    --------
    >>> rule = ShockRule(("long_rate",), periods=2, short_share=0.5, maturity=4.0)
    >>> annual_shocks(rule, np.full((1, 4, 1), 0.01))["interest_rate"]
    array([[0.0025, 0.01  ]])
    """
    e = as_finite("draws", draws)
    if e.ndim != 3 or e.shape[1] % rule.periods or e.shape[2] != len(rule.variables):
        raise ModelProblem(
            N_("The draws have shape {shape}; it must be paths, periods, {variables} variables."),
            shape=e.shape,
            variables=len(rule.variables),
        )
    paths, years = e.shape[0], e.shape[1] // rule.periods
    yearly = e.reshape(paths, years, rule.periods, -1).sum(axis=2)
    shock = {name: yearly[..., k] for k, name in enumerate(rule.variables)}
    nothing = np.zeros((paths, years))
    short, long = shock.pop("short_rate", nothing), shock.pop("long_rate", nothing)
    if "long_rate" in rule.variables:
        long = _refinanced(rule, e[..., rule.variables.index("long_rate")], years)
    market = rule.short_share * short + (1.0 - rule.short_share) * long
    shock["interest_rate"] = shock.get("interest_rate", nothing) + market
    return {"growth": nothing, "primary_balance": nothing, **shock}


def _refinanced(rule: ShockRule, e: Array, years: int) -> Array:
    """Shock to the rate of long-term debt as it is refinanced, shape (paths, years)."""
    window = max(1, round(rule.periods * rule.maturity))
    summed = np.concatenate([np.zeros((len(e), 1)), np.cumsum(e, axis=1)], axis=1)
    t = np.arange(1, years + 1)
    last = t * rule.periods
    first = np.maximum(last - window, 0)
    return np.asarray(
        np.minimum(rule.maturity, t) / rule.maturity * (summed[:, last] - summed[:, first])
    )


def _describe(draws: Array, baseline: Array, levels: Sequence[float]) -> FanVariable:
    # Moments of the distance to the baseline: exact where there is no shock at all.
    off = draws - baseline
    return FanVariable(
        baseline=np.array(baseline),
        mean=baseline + off.mean(axis=0),
        sd=off.std(axis=0),
        quantiles=np.quantile(draws, np.asarray(levels), axis=0),
    )


def _check_options(
    paths: int, distribution: str, levels: Sequence[float], rule: ShockRule, covariance: Array
) -> None:
    if paths < 1 or distribution not in {"normal", "student"}:
        raise ModelProblem(N_("A fan needs 1 path or more and the distribution normal or student."))
    if not levels or min(levels) < 0.0 or max(levels) > 1.0:
        raise ModelProblem(N_("Quantiles lie between 0 and 1, such as 0.05 for the lowest 5 %."))
    if len(covariance) != len(rule.variables):
        raise ModelProblem(
            N_("The covariance has {found} rows for the {needed} shocks {variables}."),
            found=len(covariance),
            needed=len(rule.variables),
            variables=", ".join(rule.variables),
        )


def _check_persistence(persistence: ArrayLike | None, k: int) -> Array | None:
    if persistence is None:
        return None
    matrix = as_finite("persistence", persistence)
    if matrix.shape != (k, k) or np.abs(np.linalg.eigvals(matrix)).max() >= 1.0:
        raise ModelProblem(
            N_(
                "The persistence of shocks must be a {k} by {k} matrix whose eigenvalues lie inside"
                " the unit circle: else shocks grow for ever."
            ),
            k=k,
        )
    return matrix


def debt_fan(
    debt_ratio: float,
    growth: ArrayLike,
    interest_rate: ArrayLike,
    primary_balance: ArrayLike,
    covariance: ArrayLike,
    *,
    rule: ShockRule | None = None,
    stock_flow: ArrayLike = 0.0,
    persistence: ArrayLike | None = None,
    distribution: Literal["normal", "student"] = "normal",
    paths: int = 10_000,
    seed: int = 0,
    quantiles: Sequence[float] = QUANTILES,
    thresholds: Sequence[float] = (),
    keep_paths: bool = False,
    years: int | None = None,
) -> FanChart:
    """Simulate the debt ratio under random shocks around a baseline.

    ``d_t = fx_t d_(t-1) (1 + i_t + e^i_t)/(1 + g_t + e^g_t) - (pb_t + e^pb_t) + sf_t`` where the
    annual shocks e come by ``rule`` from draws with the given covariance.

    Parameters
    ----------
    debt_ratio : float
        Ratio at the start, decimals.
    growth, interest_rate, primary_balance, stock_flow : array_like
        Baseline paths of one unit, decimals, shape () or (years,).
    covariance : array_like
        Covariance of the shocks of one period in the units of the paths (exchange rates: of their
        levels), in the order of ``rule.variables``, shape (k, k).
    rule : ShockRule, optional
        By default annual shocks to growth, interest rate and primary balance.
    persistence : array_like, optional
        A of ``e_t = A e_(t-1) + u_t`` from one period to the next, shape (k, k); the covariance
        is then that of u. By default shocks are independent over time.
    distribution : {"normal", "student"}
        ``student``: multivariate t with 5 degrees of freedom a period, same covariance.
    paths, seed : int
        Number of paths and seed. The same seed gives the same fan; more paths extend fewer.
    quantiles : sequence of float
        Levels of the quantiles, 0 to 1.
    thresholds : sequence of float
        Ratios whose probability of being exceeded is wanted.
    keep_paths : bool
        Whether to return the paths too.
    years : int, optional
        Number of years; needed only where every path is a single number.

    Returns
    -------
    FanChart
        Quantiles, moments and probabilities; the years ahead only.

    Raises
    ------
    ModelProblem
        When the covariance is not symmetric and positive semidefinite or does not fit the rule,
        a shock takes growth to -100 % or a currency to 0, or an input is missing.

    Notes
    -----
    The scheme of Berti (2013), "Stochastic public debt projections using the historical
    variance-covariance matrix approach for EU countries", European Economy Economic Papers 480.

    Examples
    --------
    >>> fan = debt_fan(0.90, 0.03, 0.035, -0.01, np.diag([4e-4, 1e-4, 4e-4]), years=5, seed=1)
    >>> fan.debt_ratio.quantiles.shape, bool(0.5 < fan.above_start < 0.9)
    ((7, 5), True)
    >>> still = debt_fan(0.90, 0.03, 0.035, -0.01, np.zeros((3, 3)), years=5)
    >>> bool(np.all(still.debt_ratio.quantiles == project_ratio(0.90, 0.03, 0.035, -0.01, years=5)))
    True
    """
    rule = rule or ShockRule()
    factor = covariance_factor(covariance)
    _check_options(paths, distribution, quantiles, rule, factor)
    start = _one_number("debt_ratio", debt_ratio)
    names = {"growth": growth, "interest_rate": interest_rate, "primary_balance": primary_balance}
    *base, flow = on_years(years, **names, stock_flow=stock_flow)
    if any(path.ndim != 1 for path in (*base, flow)):
        raise ModelProblem(N_("A fan is drawn for one unit. Give one value a year."))
    periods = len(flow) * rule.periods
    kept = _check_persistence(persistence, len(factor))
    draws = {name: np.empty((paths, len(flow))) for name in ("debt_ratio", *names)}
    for rows, block in _blocks(factor, (paths, periods), seed, distribution, kept):
        shock = annual_shocks(rule, block)
        for name, path in zip(names, base, strict=True):
            draws[name][rows] = path + shock[name]
        shocked = [draws[name][rows] for name in names]
        fx = rule.fx_factor(len(flow), shock)
        draws["debt_ratio"][rows] = project_ratio(start, *shocked, stock_flow=flow, fx_factor=fx)
    central = project_ratio(start, *base, stock_flow=flow, fx_factor=rule.fx_factor(len(flow)))
    return _chart(
        start,
        draws,
        [central, *base],
        levels=quantiles,
        thresholds=thresholds,
        keep=keep_paths,
    )


def _one_number(name: str, value: ArrayLike) -> float:
    array = as_finite(name, value)
    if array.size != 1:
        raise ModelProblem(N_("{name} must be one number here."), name=name)
    return float(array.item())


def _chart(
    start: float,
    draws: dict[str, Array],
    baseline: list[Array],
    *,
    levels: Sequence[float],
    thresholds: Sequence[float],
    keep: bool,
) -> FanChart:
    """Summarise the paths."""
    debt = draws["debt_ratio"]
    described = {
        name: _describe(x, base, levels)
        for (name, x), base in zip(draws.items(), baseline, strict=True)
    }
    above = {float(c): debt > c for c in thresholds}
    return FanChart(
        start=start,
        levels=tuple(levels),
        **described,
        above_start=float(np.mean(debt[:, -1] > start)),
        any_rise=float(np.mean(np.any(np.diff(debt, axis=1, prepend=start) > 0.0, axis=1))),
        above={c: hit.mean(axis=0) for c, hit in above.items()},
        ever_above={c: np.logical_or.accumulate(hit, axis=1).mean(axis=0)
                    for c, hit in above.items()},
        paths=len(debt),
        draws=draws if keep else None,
    )  # fmt: skip

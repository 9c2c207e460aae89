"""Plain annual debt sustainability: the path of a debt ratio and why it moved.

The ratio d is debt over gross domestic product, or over the capacity of a local government::

    d_t = fx_t d_(t-1) (1 + i_t) / (1 + g_t) - pb_t + sf_t

with the implicit interest rate i, the nominal growth g of the denominator, the primary balance pb,
the stock-flow adjustment sf and the revaluation fx of debt in foreign currency. Rates and ratios
are decimals (0.03 = 3 %). The equation is standard; see Escolano (2010),
"A practical guide to public debt dynamics", IMF TNM/10/02.

Arrays of a path are scalars (the same every year), ``(years,)`` or ``(..., years)``; the leading
axes are units and broadcast. Year 1 is the first year ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_

Array = NDArray[np.float64]


def as_finite(name: str, value: ArrayLike) -> Array:
    """Turn an input into an array of float64 and refuse what is not a number.

    Parameters
    ----------
    name : str
        Name of the input, for the message.
    value : array_like
        Any shape.

    Returns
    -------
    ndarray
        The values, same shape.

    Raises
    ------
    ModelProblem
        When a value is missing, infinite or not a number.

    Examples
    --------
    >>> as_finite("growth", [0.02, 0.03])
    array([0.02, 0.03])
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelProblem(
            N_("{name} cannot be read as numbers. Give decimals, such as 0.03 for 3 %."), name=name
        ) from error
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ModelProblem(
            N_(
                "{name} has {count} missing or infinite values, the first at position {position}."
                " Fill or drop them first."
            ),
            name=name,
            count=len(bad),
            position=tuple(int(k) + 1 for k in bad[0]),
        )
    return array


def on_years(years: int | None, **inputs: ArrayLike) -> list[Array]:
    """Lay every input on the same years, the last axis.

    Parameters
    ----------
    years : int or None
        Number of years; None takes it from the inputs.
    **inputs : array_like
        Scalars, or arrays whose last axis is the years (or has length 1).

    Returns
    -------
    list of ndarray
        Shape (..., years) each, in the order given.

    Raises
    ------
    ModelProblem
        When the inputs differ in length, or none says how many years there are.

    Examples
    --------
    >>> [a.shape for a in on_years(None, growth=[0.02, 0.03], interest_rate=0.04)]
    [(2,), (2,)]
    """
    arrays = {name: np.atleast_1d(as_finite(name, value)) for name, value in inputs.items()}
    if years is None:
        if not any(np.ndim(value) for value in inputs.values()):
            raise ModelProblem(N_("All inputs are single numbers. Say how many years to project."))
        years = max(a.shape[-1] for a in arrays.values())
    if years < 1:
        raise ModelProblem(N_("The number of years is {years}. Give 1 or more."), years=years)
    for name, array in arrays.items():
        if array.shape[-1] not in {1, years}:
            raise ModelProblem(
                N_("{name} has {found} years where {years} are needed. Give one value a year."),
                name=name,
                found=array.shape[-1],
                years=years,
            )
    return [np.broadcast_to(a, (*a.shape[:-1], years)) for a in arrays.values()]


def check_growth(growth: Array) -> None:
    """Refuse a denominator that vanishes.

    Parameters
    ----------
    growth : ndarray
        Decimals, shape (..., years).

    Raises
    ------
    ModelProblem
        When growth is at or below -100 %; the message names the year.

    Examples
    --------
    >>> check_growth(np.array([0.02, -0.30]))
    """
    low = np.argwhere(growth <= -1.0)
    if len(low):
        year = int(low[:, -1].min()) + 1
        raise ModelProblem(
            N_(
                "Growth is {growth} in year {year}: the denominator vanishes at -100 %."
                " Correct the growth path."
            ),
            growth=f"{growth[..., year - 1].min():.1%}",
            year=year,
        )


def leading_shape(names: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the units that several inputs share.

    Parameters
    ----------
    names : str
        Names of the inputs, for the message.
    *shapes : tuple of int
        Their shapes without the years.

    Returns
    -------
    tuple of int
        The shape they broadcast to.

    Raises
    ------
    ModelProblem
        When they do not broadcast.

    Examples
    --------
    >>> leading_shape("debt_ratio, growth", (3,), ())
    (3,)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ModelProblem(
            N_("The units of {names} do not match: shapes {shapes}. Use one row a unit."),
            names=names,
            shapes=", ".join(map(str, shapes)),
        ) from error


def project_ratio(
    debt_ratio: ArrayLike,
    growth: ArrayLike,
    interest_rate: ArrayLike,
    primary_balance: ArrayLike,
    *,
    stock_flow: ArrayLike = 0.0,
    fx_factor: ArrayLike = 1.0,
    years: int | None = None,
) -> Array:
    """Project a debt ratio over the years ahead.

    Computes ``d_t = fx_t d_(t-1) (1 + i_t) / (1 + g_t) - pb_t + sf_t`` for t = 1 .. years.

    Parameters
    ----------
    debt_ratio : array_like
        Ratio at the start, shape () or (units...); a ratio, decimals. It is **not** repeated in
        the result.
    growth, interest_rate : array_like
        Nominal growth of the denominator and implicit interest rate of debt, a year, decimals;
        shape (), (years,) or (units..., years).
    primary_balance, stock_flow : array_like
        Primary balance (a surplus is positive) and stock-flow adjustment (raises debt), as shares
        of the same year's denominator; shapes as above.
    fx_factor : array_like
        Revaluation of last year's debt: ``domestic share + sum of share_k E_k,t / E_k,t-1``.
    years : int, optional
        Number of years; needed only where every path is a single number.

    Returns
    -------
    ndarray
        The years ahead only, shape (..., years).

    Raises
    ------
    ModelProblem
        When growth is at or below -100 % (the message names the year), when an input is missing
        or infinite, when lengths differ, or when the path itself overflows.

    Examples
    --------
    >>> project_ratio(0.90, [0.03, 0.03], 0.04, 0.01).round(6)
    array([0.898738, 0.897463])
    """
    debt = as_finite("debt_ratio", debt_ratio)
    paths = on_years(
        years,
        growth=growth,
        interest_rate=interest_rate,
        primary_balance=primary_balance,
        stock_flow=stock_flow,
        fx_factor=fx_factor,
    )
    check_growth(paths[0])
    names = "debt_ratio, growth, interest_rate, primary_balance, stock_flow, fx_factor"
    lead = leading_shape(names, debt.shape, *(p.shape[:-1] for p in paths))
    out = np.empty((*lead, paths[0].shape[-1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(out.shape[-1]):
            g, i, pb, sf, fx = (p[..., t] for p in paths)
            debt = fx * debt * (1.0 + i) / (1.0 + g) - pb + sf
            out[..., t] = debt
    # Finite inputs can still overflow; an infinite ratio must not travel on.
    return as_finite("The projected ratio", out)


@dataclass(frozen=True)
class AnnualDecomposition:
    """Contributions to the annual change of a debt ratio, arrays of shape (..., years).

    Attributes
    ----------
    change : ndarray
        Ratio of the year less ratio of the year before.
    interest, growth : ndarray
        ``i d_(t-1) / (1 + g)`` and ``-g d_(t-1) / (1 + g)``; their sum is the snowball effect.
    primary_balance : ndarray
        Minus the primary balance.
    stock_flow : ndarray
        The rest: revaluation, operations outside the budget, errors in the data.
    growth_by_source : dict from source to ndarray
        The growth effect by source of growth, where its parts were given.
    """

    change: Array
    interest: Array
    growth: Array
    primary_balance: Array
    stock_flow: Array
    growth_by_source: dict[str, Array]

    @property
    def snowball(self) -> Array:
        """Interest and growth together."""
        return self.interest + self.growth

    def parts(self) -> dict[str, Array]:
        """Contributions that sum to the change."""
        return {
            "interest": self.interest,
            "growth": self.growth,
            "primary_balance": self.primary_balance,
            "stock_flow": self.stock_flow,
        }


def decompose_annual(
    debt_ratio: ArrayLike,
    growth: ArrayLike,
    interest_rate: ArrayLike,
    primary_balance: ArrayLike,
    *,
    growth_by_source: Mapping[str, ArrayLike] | None = None,
) -> AnnualDecomposition:
    """Split each annual change of a debt ratio; the stock-flow adjustment is the residual.

    Computes ``d_t - d_(t-1) = i d_(t-1)/(1+g) - g d_(t-1)/(1+g) - pb + residual``.

    Parameters
    ----------
    debt_ratio : array_like
        Ratios with the starting year first, shape (..., years + 1), decimals.
    growth, interest_rate, primary_balance : array_like
        Of the years after the first, shape (), (years,) or (..., years), decimals.
    growth_by_source : mapping from source to array_like, optional
        Contributions to growth; they must sum to it.

    Returns
    -------
    AnnualDecomposition
        Parts sum to the change, to rounding.

    Raises
    ------
    ModelProblem
        When there are fewer than two ratios, when growth is at or below -100 %, when the
        contributions to growth do not sum to it, or when an input is missing.

    Examples
    --------
    >>> one = decompose_annual([1.2, 1.23], 0.02, 0.03, -0.01)
    >>> {k: round(float(v[0]), 6) for k, v in one.parts().items()}
    {'interest': 0.035294, 'growth': -0.023529, 'primary_balance': 0.01, 'stock_flow': 0.008235}
    """
    ratio = np.atleast_1d(as_finite("debt_ratio", debt_ratio))
    years = ratio.shape[-1] - 1
    if years < 1:
        raise ModelProblem(N_("A change needs two ratios or more, the starting year first."))
    sources = dict(growth_by_source or {})
    g, i, pb, *shares = on_years(
        years, growth=growth, interest_rate=interest_rate, primary_balance=primary_balance,
        **sources,
    )  # fmt: skip
    check_growth(g)
    if sources and not np.allclose(sum(shares), g, rtol=0.0, atol=1e-9):
        raise ModelProblem(
            N_(
                "The contributions to growth ({sources}) do not sum to growth. Add the missing one."
            ),
            sources=", ".join(sources),
        )
    carried = ratio[..., :-1] / (1.0 + g)
    change = np.diff(ratio, axis=-1)
    interest, effect = i * carried, -g * carried
    return AnnualDecomposition(
        change=change,
        interest=interest,
        growth=effect,
        primary_balance=-pb,
        stock_flow=change - interest - effect + pb,
        growth_by_source={k: -s * carried for k, s in zip(sources, shares, strict=True)},
    )

"""Shocks to the plain annual debt path: their sizes from a sample, stress tests, reverse stress.

Each stress is the baseline path of :mod:`debtwatch.sustainability.annual` with one driver made
worse. Rates and ratios are decimals; year 1 is the first year ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.annual import (
    Array,
    as_finite,
    leading_shape,
    on_years,
    project_ratio,
)

# A covariance read from a file with ten digits may miss symmetry or positivity by rounding.
ROUNDING = 1e-7


@dataclass(frozen=True)
class ShockEstimate:
    """Covariance of shocks, with the autoregression they are the residuals of, if any.

    Attributes
    ----------
    variables : tuple of str
        Names, in the order of every array.
    covariance : ndarray
        Shape (k, k).
    persistence : ndarray or None
        Coefficients A of ``x_t = c + A x_(t-1) + e_t``, shape (k, k); row: variable explained.
    intercept : ndarray or None
        c, shape (k,).
    """

    variables: tuple[str, ...]
    covariance: Array
    persistence: Array | None = None
    intercept: Array | None = None


def estimate_shocks(
    series: Mapping[str, ArrayLike], method: Literal["normal", "var"] = "normal"
) -> ShockEstimate:
    """Estimate the covariance of annual shocks from a sample.

    ``normal``: covariance of the levels, ``X'X / (n - 1)`` with X less its mean. ``var``: least
    squares of ``x_t = c + A x_(t-1) + e_t``; covariance ``E'E / (n - 1 - k - 1)`` of the residuals
    of n - 1 equations with k + 1 coefficients.

    Parameters
    ----------
    series : mapping from name to array_like
        Annual values, oldest first, shape (years,) each.
    method : {"normal", "var"}
        See above.

    Returns
    -------
    ShockEstimate
        Variables in the order of the mapping.

    Raises
    ------
    ModelProblem
        When the sample is too short, lengths differ, a value is missing, or the method is unknown.

    Examples
    --------
    >>> estimate_shocks({"growth": [0.01, 0.03, 0.05], "balance": [0.0, 0.0, 0.03]}).covariance
    array([[0.0004, 0.0003], [0.0003, 0.0003]])
    """
    columns = [np.ravel(as_finite(name, value)) for name, value in series.items()]
    if not columns or len({len(c) for c in columns}) != 1:
        raise ModelProblem(N_("The series of the sample differ in length. Align their years."))
    data, k = np.column_stack(columns), len(columns)
    needed = {"normal": 2, "var": k + 3}.get(method)
    if needed is None:
        raise ModelProblem(
            N_("Unknown method {method} of estimating shocks. Use normal or var."), method=method
        )
    if len(data) < needed:
        raise ModelProblem(
            N_("The sample has {years} years; {needed} are needed. Add years or use fewer series."),
            years=len(data),
            needed=needed,
        )
    if method == "normal":
        return ShockEstimate(tuple(series), np.atleast_2d(np.cov(data, rowvar=False)))
    before = np.column_stack([np.ones(len(data) - 1), data[:-1]])
    coefficients = np.linalg.lstsq(before, data[1:], rcond=None)[0]
    residuals = data[1:] - before @ coefficients
    covariance = residuals.T @ residuals / (len(residuals) - k - 1)
    return ShockEstimate(
        tuple(series),
        covariance,
        np.asarray(coefficients[1:].T, dtype=np.float64),
        np.asarray(coefficients[0], dtype=np.float64),
    )


def covariance_factor(covariance: ArrayLike) -> Array:
    """Factor a covariance, ``S = F F'``, also where a variance is zero or two shocks are one.

    Works on the eigenvalues of the correlations, so that units as different as an exchange rate
    and a percentage are judged alike.

    Parameters
    ----------
    covariance : array_like
        Symmetric and positive semidefinite up to rounding, shape (k, k).

    Returns
    -------
    ndarray
        F, shape (k, k).

    Raises
    ------
    ModelProblem
        When the matrix is not square, not symmetric or not positive semidefinite.

    Examples
    --------
    >>> f = covariance_factor([[4.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    >>> (f @ f.T).round(12)
    array([[4., 2., 0.], [2., 1., 0.], [0., 0., 0.]])
    """
    matrix = as_finite("covariance", covariance)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ModelProblem(
            N_("The covariance has shape {shape}; it must be square."), shape=matrix.shape
        )
    sd = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    scale = np.where(sd > 0.0, sd, 1.0)
    correlation = matrix / np.outer(scale, scale)
    if np.any(np.abs(correlation - correlation.T) > ROUNDING):
        raise ModelProblem(N_("The covariance is not symmetric. Check the order of its rows."))
    values, vectors = np.linalg.eigh((correlation + correlation.T) / 2.0)
    # A shock with no variance may have no covariance either; a negative variance is refused too.
    stray = np.any(np.abs(matrix[sd == 0.0]) > 0.0)
    if stray or values.min() < -ROUNDING * len(matrix):
        raise ModelProblem(
            N_(
                "The covariance is not positive semidefinite (smallest eigenvalue of the"
                " correlations {smallest}). Estimate all its entries from the same years."
            ),
            smallest=f"{values.min():.3g}",
        )
    factor = sd[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(factor)


Stress = Literal["growth", "interest_rate", "exchange_rate", "primary_balance", "contingent"]
STRESSES: tuple[Stress, ...] = (
    "growth", "interest_rate", "exchange_rate", "primary_balance", "contingent",
)  # fmt: skip


@dataclass(frozen=True)
class StressSizes:
    """Sizes of the stresses, decimals, all adverse when positive.

    Attributes
    ----------
    growth, primary_balance : float
        Fall in each of the first ``shock_years`` years.
    interest_rate : float
        Rise in every year.
    depreciation : float
        Loss of value of the currency in year 1.
    contingent : float
        Liabilities that come onto the budget in year 1, share of the denominator.
    shock_years : int
        Length of the temporary shocks.
    """

    growth: float = 0.01
    interest_rate: float = 0.02
    primary_balance: float = 0.01
    depreciation: float = 0.15
    contingent: float = 0.10
    shock_years: int = 2

    @classmethod
    def calibrated(cls, estimate: ShockEstimate, **others: float) -> StressSizes:
        """Set growth, interest rate and primary balance to one standard deviation each.

        Parameters
        ----------
        estimate : ShockEstimate
            Its variables include ``growth``, ``interest_rate`` and ``primary_balance``.
        **others : float
            Sizes that a covariance does not tell: ``depreciation``, ``contingent``.

        Raises
        ------
        ModelProblem
            When one of the three variables is missing.
        """
        wanted = ("growth", "interest_rate", "primary_balance")
        missing = [name for name in wanted if name not in estimate.variables]
        if missing:
            raise ModelProblem(
                N_("The estimate has no {missing}; name its series growth, interest_rate and"
                   " primary_balance."),
                missing=", ".join(missing),
            )  # fmt: skip
        sd = dict(zip(estimate.variables, np.sqrt(np.diag(estimate.covariance)), strict=True))
        return cls(**{name: float(sd[name]) for name in wanted}, **others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Baseline:
    debt: Array
    growth: Array
    interest_rate: Array
    primary_balance: Array
    stock_flow: Array

    def stressed(self, sizes: StressSizes, foreign_share: Array, scale: dict[str, float]) -> Array:
        """Path with each named stress at a multiple of its size."""
        year = np.arange(self.growth.shape[-1])
        temporary, first = 1.0 * (year < sizes.shock_years), 1.0 * (year == 0)
        times = {name: scale.get(name, 0.0) for name in STRESSES}
        # Debt in foreign currency is revalued at the end of year 1, on the stock carried into it.
        revalued = np.asarray(foreign_share * sizes.depreciation * self.debt)[..., None] * first
        return project_ratio(
            self.debt,
            self.growth - times["growth"] * sizes.growth * temporary,
            self.interest_rate + times["interest_rate"] * sizes.interest_rate,
            self.primary_balance - times["primary_balance"] * sizes.primary_balance * temporary,
            stock_flow=self.stock_flow
            + times["exchange_rate"] * revalued
            + times["contingent"] * sizes.contingent * first,
        )


def stress_paths(
    debt_ratio: ArrayLike,
    growth: ArrayLike,
    interest_rate: ArrayLike,
    primary_balance: ArrayLike,
    *,
    stock_flow: ArrayLike = 0.0,
    foreign_share: ArrayLike = 0.0,
    sizes: StressSizes | None = None,
    combined: Literal["worst", "half"] = "worst",
    combined_of: Sequence[Stress] = ("growth", "interest_rate"),
    years: int | None = None,
) -> dict[str, Array]:
    """Debt path under the baseline and under each standard stress.

    The stresses change one term of ``d_t = d_(t-1) (1 + i_t)/(1 + g_t) - pb_t + sf_t``: growth
    and the balance fall for two years, the rate rises for good, the currency falls once (adds
    ``foreign share x depreciation x d_0`` in year 1), liabilities are called once (year 1).

    Parameters
    ----------
    debt_ratio, growth, interest_rate, primary_balance, stock_flow, years
        As in :func:`debtwatch.sustainability.annual.project_ratio`.
    foreign_share : array_like
        Share of starting debt in foreign currency, shape () or (units...).
    sizes : StressSizes, optional
        By default the standard sizes; ``StressSizes.calibrated`` takes them from a sample.
    combined : {"worst", "half"}
        ``half``: the stresses of ``combined_of`` together, each at half size. That can be milder
        than one of them alone, so ``worst``, the default, takes in each year the highest of the
        half-size sum and of each of its parts at full size.
    combined_of : sequence of str
        Stresses that are combined.

    Returns
    -------
    dict from str to ndarray
        ``baseline``, each stress, ``combined``; the years ahead only, shape (..., years).

    Raises
    ------
    ModelProblem
        As ``project_ratio``; also for an unknown way or part of the combined stress.

    Examples
    --------
    >>> paths = stress_paths(0.90, 0.03, 0.04, 0.01, foreign_share=0.20, years=2)
    >>> {name: round(float(path[-1]), 4) for name, path in paths.items()}
    {'baseline': 0.8975, 'growth': 0.9154, 'interest_rate': 0.9329, 'exchange_rate': 0.9247,
     'primary_balance': 0.9176, 'contingent': 0.9984, 'combined': 0.9329}
    """
    if combined not in {"worst", "half"} or not combined_of or set(combined_of) - set(STRESSES):
        raise ModelProblem(
            N_("The combined stress must be worst or half, of one or more of {stresses}."),
            stresses=", ".join(STRESSES),
        )
    names = {"growth": growth, "interest_rate": interest_rate, "primary_balance": primary_balance}
    start = as_finite("debt_ratio", debt_ratio)
    base = _Baseline(start, *on_years(years, **names, stock_flow=stock_flow))
    size, share = sizes or StressSizes(), as_finite("foreign_share", foreign_share)
    leading_shape("debt_ratio, foreign_share", start.shape, share.shape)
    paths = {"baseline": base.stressed(size, share, {})}
    paths |= {name: base.stressed(size, share, {name: 1.0}) for name in STRESSES}
    half = base.stressed(size, share, dict.fromkeys(combined_of, 0.5))
    parts = [paths[name] for name in combined_of] if combined == "worst" else []
    paths["combined"] = np.maximum.reduce([half, *parts])
    return paths


@dataclass(frozen=True)
class ReverseStress:
    """Most likely way to a threshold.

    Attributes
    ----------
    beta : float
        Distance to the threshold in standard deviations of the outcome; below 0 is past it.
    shocks : ndarray
        Most likely shocks on the threshold, shape (k,), units of the shocks.
    probability : float
        Probability of the outcome at the threshold or above.
    """

    beta: float
    shocks: Array
    probability: float


def most_likely_path(
    covariance: ArrayLike, sensitivity: ArrayLike, level: float, threshold: float
) -> ReverseStress:
    """Find the most likely joint shocks that carry a linearised outcome to a threshold.

    With ``outcome = a + b'z``, z ~ N(0, S): ``z* = S b (tau - a)/(b'S b)``,
    ``beta = (tau - a)/sqrt(b'S b)``, ``probability = Phi(-beta)``.

    Parameters
    ----------
    covariance : array_like
        S, shape (k, k), positive semidefinite.
    sensitivity : array_like
        b, change of the outcome for one unit of each shock, shape (k,).
    level, threshold : float
        a, the outcome without shocks, and tau.

    Returns
    -------
    ReverseStress
        Distance, shocks and probability.

    Raises
    ------
    ModelProblem
        When the covariance is not one, shapes differ, or no shock moves the outcome.

    Notes
    -----
    The first-order reliability method: z* is the point of the threshold closest to the centre in
    the metric of the covariance.

    Examples
    --------
    >>> found = most_likely_path([[0.04, 0.01], [0.01, 0.09]], [-0.8, -0.3], 1.3, 1.6)
    >>> round(found.beta, 10), found.shocks.round(10), round(found.probability, 6)
    (1.5289415743, array([-0.27272727, -0.27272727]), 0.063139)
    """
    factor, b = covariance_factor(covariance), as_finite("sensitivity", sensitivity)
    if b.shape != factor.shape[:1]:
        raise ModelProblem(
            N_("There are {found} sensitivities for {needed} shocks. Give one a shock."),
            found=b.size,
            needed=len(factor),
        )
    distance = float(as_finite("threshold", threshold) - as_finite("level", level))
    loading = factor.T @ b
    variance = float(loading @ loading)
    if variance <= 0.0:
        raise ModelProblem(
            N_("No shock moves the outcome: its variance is 0. Check the sensitivities.")
        )
    beta = distance / float(np.sqrt(variance))
    return ReverseStress(beta, factor @ loading * distance / variance, float(ndtr(-beta)))

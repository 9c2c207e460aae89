"""Short panels borrow from the pool: means, spreads and common movements of many units.

A unit has a dozen quarters of its own; the pool has thousands of rows. Each estimate of a unit is
drawn towards the pool by as much as its own data are noisy. NaN marks a missing figure, and
infinities count as missing. The other pooled estimates are offered here too: `pooled_var`, how
shocks carry on, and `split_common`, how far units move together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from debtwatch.sustainability.dynamics import PooledVar, ar1_spread, pooled_var
from debtwatch.sustainability.factors import CommonSplit, split_common

__all__ = [
    "CommonSplit",
    "PooledVar",
    "ShrunkMeans",
    "ShrunkScales",
    "ar1_spread",
    "pooled_var",
    "shrink_means",
    "shrink_scales",
    "split_common",
    "variance_prior",
    "winsorise",
]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ShrunkMeans:
    """Means of units drawn towards their group, arrays of shape (units,).

    Attributes
    ----------
    mean : ndarray
        Shrunk mean; the pool where a unit has fewer than two figures.
    shrinkage : ndarray
        Weight B of the unit's own mean, 0 to 1.
    variance : ndarray
        Posterior variance of the unit's true mean, that of the pool mean included.
    pool : ndarray
        Pool mean of each unit's group.
    sigma2 : ndarray
        Variance of one figure around the unit's mean.
    effective : ndarray
        Effective number of figures.
    tau2 : float
        Variance of true means around the pool.
    """

    mean: Array
    shrinkage: Array
    variance: Array
    pool: Array
    sigma2: Array
    effective: Array
    tau2: float


@dataclass(frozen=True)
class ShrunkScales:
    """Standard deviations of units drawn towards the pool.

    Attributes
    ----------
    scale : ndarray, shape (units,) or (units, variables)
    pool : ndarray, shape () or (variables,)
        Standard deviation within units, all units together.
    observations : ndarray of int, the shape of ``scale``
    """

    scale: Array
    pool: Array
    observations: NDArray[np.int64]


def winsorise(values: Array, share: float = 0.01) -> Array:
    """Bring the extreme values of a pool in to its quantiles at ``share`` and ``1 - share``.

    The quantiles are figures of the pool, never a mean of two: an absurd one cannot move them. A
    pool of fewer than ``1 / share`` figures has no such quantiles; there the limits are no closer
    than five robust standard deviations, ``1.4826 median |x - median|``, from the median.

    Parameters
    ----------
    values : ndarray, shape (units, dates) or (units, dates, variables)
        Each variable has limits of its own. Infinities become NaN.
    share : float
        Below 0.5; 0 leaves all finite figures as they are.

    Returns
    -------
    ndarray, the shape of ``values``

    Examples
    --------
    >>> winsorise(np.array([[1.0, 2.0, 3.0, 4.0, 1e16]])).round(3)
    array([[ 1.   ,  2.   ,  3.   ,  4.   , 10.413]])
    """
    flat = np.where(np.isfinite(values), values, np.nan).reshape(*values.shape[:2], -1)
    result = flat.copy()
    for k in range(flat.shape[2]):
        pool = flat[..., k][np.isfinite(flat[..., k])]
        if len(pool) and share > 0:
            result[..., k] = np.clip(flat[..., k], *_limits(pool, share))
    return result.reshape(values.shape)


def _limits(pool: Array, share: float) -> tuple[float, float]:
    """Lowest and highest figure of a pool that are taken as they are."""
    low = float(np.quantile(pool, share, method="higher"))
    high = float(np.quantile(pool, 1 - share, method="lower"))
    if len(pool) * share >= 1:
        return low, high
    middle = float(np.median(pool))
    fence = 5 * 1.4826 * float(np.median(np.abs(pool - middle)))
    return min(low, middle - fence), max(high, middle + fence)


def shrink_scales(
    residuals: Array, prior_df: float | None = 20.0, winsor_share: float = 0.01
) -> ShrunkScales:
    """Draw the standard deviation of each unit towards that of the pool.

    ``var = (nu var_pool + n var_c) / (nu + n)`` with ``var_c`` the variance around the unit's mean
    (n - 1 degrees of freedom) and ``var_pool`` its mean over units weighted by these degrees. With
    ``prior_df=None`` nu and ``var_pool`` are those of :func:`variance_prior`: the pool counts for
    little where units differ much.
    Residuals are winsorised over the pool first, which takes 2 % off the scale of normal ones and
    more off units far more volatile than the pool.

    Parameters
    ----------
    residuals : ndarray, shape (units, dates) or (units, dates, variables)
    prior_df : float or None
        Weight nu of the pool, in figures; None to estimate it.
    winsor_share : float
        Share brought in at either end; 0 for none.

    Returns
    -------
    ShrunkScales
        A unit with fewer than two residuals has the pool's; NaN when there is no pool.

    Examples
    --------
    >>> shrink_scales(np.array([[-1.0, 1.0], [-3.0, 3.0]]), winsor_share=0.0).scale.round(3)
    array([3.045, 3.275])
    """
    kept = winsorise(residuals, winsor_share)
    present = np.isfinite(kept)
    count = present.sum(axis=1)
    total = np.where(present, kept, 0.0).sum(axis=1)
    centre = total / np.maximum(count, 1)
    squares = np.where(present, (kept - np.expand_dims(centre, 1)) ** 2, 0.0).sum(axis=1)
    degrees = np.maximum(count - 1, 0)
    pooled, all_degrees = squares.sum(axis=0), degrees.sum(axis=0)
    pool = np.where(all_degrees > 0, pooled / np.maximum(all_degrees, 1), np.nan)
    own = squares / np.maximum(degrees, 1)
    n = np.where(count > 1, count, 0)
    weight, towards = np.asarray(prior_df), pool
    if prior_df is None:
        weight, towards = variance_prior(own, degrees)
    share = n / np.maximum(weight + n, 1e-300)
    return ShrunkScales(np.sqrt(towards + share * (own - towards)), np.sqrt(pool), count)


#: Least and largest weight of the pool that is believed, in figures.
PRIOR_WEIGHTS = (1.0, 200.0)


def variance_prior(variances: Array, degrees: NDArray[np.int64]) -> tuple[Array, Array]:
    """Weight and size of the prior of unit variances, from how far they differ.

    Unit variances scatter as ``s2_c ~ s2_0 F(d_c, nu)``. From the moments of the log (Smyth 2004)::

        e_c = ln s2_c - psi(d_c / 2) + ln(d_c / 2)
        trigamma(nu / 2) = var(e) - mean trigamma(d_c / 2)
        ln s2_0 = mean(e) + psi(nu / 2) - ln(nu / 2)

    Parameters
    ----------
    variances : ndarray, shape (units,) or (units, variables)
        Unit variances; those at or near zero count as a millionth of the mean.
    degrees : ndarray of int, the same shape
        Degrees of freedom of each.

    Returns
    -------
    weight : ndarray, shape () or (variables,)
        nu, within :data:`PRIOR_WEIGHTS`: small where units differ much.
    size : ndarray, the same shape
        s2_0; NaN where no unit has a variance.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = 4.0 * 10 / rng.chisquare(10, 4000)  # nu = 10, s2_0 = 4
    >>> seen = truth * rng.chisquare(8, 4000) / 8
    >>> weight, size = variance_prior(seen, np.full(4000, 8))
    >>> abs(float(weight) - 10) < 1.5, abs(float(size) - 4) < 0.2
    (True, True)
    """
    flat = variances.reshape(len(variances), -1)
    free = degrees.reshape(len(degrees), -1)
    weight, size = np.full(flat.shape[1], PRIOR_WEIGHTS[1]), np.full(flat.shape[1], np.nan)
    for k in range(flat.shape[1]):
        use = (free[:, k] > 0) & np.isfinite(flat[:, k])
        if not use.any():
            continue
        seen, half = flat[use, k], free[use, k] / 2
        mean = float(np.average(seen, weights=half))
        if mean <= 0:
            size[k] = 0.0
            continue
        excess = np.log(np.maximum(seen, 1e-6 * mean)) - digamma(half) + np.log(half)
        spare = float(excess.var() - polygamma(1, half).mean())
        weight[k] = _freedom_of(spare)
        size[k] = np.exp(excess.mean() + digamma(weight[k] / 2) - np.log(weight[k] / 2))
    shape = variances.shape[1:]
    return weight.reshape(shape), size.reshape(shape)


def _freedom_of(spare: float) -> float:
    """Solve ``trigamma(nu / 2) = spare`` within the weights believed."""
    low, high = PRIOR_WEIGHTS
    if spare <= float(polygamma(1, high / 2)):
        return high
    if spare >= float(polygamma(1, low / 2)):
        return low
    return float(brentq(lambda nu: float(polygamma(1, nu / 2)) - spare, low, high))


def shrink_means(
    values: Array,
    group: NDArray[np.int64] | None = None,
    weights: Array | None = None,
    autocorrelation: float = 0.0,
    prior_df: float = 20.0,
) -> ShrunkMeans:
    """Draw the mean of each unit towards its group by empirical Bayes.

    ``mean = B mean_c + (1 - B) pool``, ``B = tau2 / (tau2 + sigma2_c / n_eff)``. ``tau2`` is the
    moment estimate ``max(0, (Q - (N - G)) / (sum w - sum_g (sum_g w^2 / sum_g w)))`` with
    ``w = n_eff / sigma2_c`` and Q the weighted squares around the G group means (DerSimonian and
    Laird 1986; Efron and Morris 1975). ``n_eff = n (1 - phi) / (1 + phi)``, at least 1, with
    ``n = (sum of weights)^2 / (sum of squared weights)``. The posterior variance is
    ``(1 - B) tau2 + (1 - B)^2 var(pool)``.

    Parameters
    ----------
    values : ndarray, shape (units, dates)
    group : ndarray of int, shape (units,), optional
        Group of each unit; one group by default.
    weights : ndarray, shape (dates,), optional
        Weight of each date, larger for recent ones; equal by default.
    autocorrelation : float
        First autocorrelation phi of the figures around their mean; negative counts as 0.
    prior_df : float
        Unit variances are themselves drawn to the pool as if it were so many figures of the unit;
        ``np.inf`` for one common variance, which gives the BLUP of the random-intercept model.

    Returns
    -------
    ShrunkMeans
        Units with fewer than two figures get the pool with B = 0. A group without any other unit
        gets the mean of all groups. All NaN when no unit has two figures.

    Examples
    --------
    >>> one = shrink_means(np.array([[1.0, 3.0], [1.0, 3.0], [np.nan, np.nan]]))
    >>> one.mean, one.tau2
    (array([2., 2., 2.]), 0.0)
    """
    phi = min(max(autocorrelation, 0.0), 0.99)
    mean, own, n, count = _weighted_moments(values, weights, phi)
    known = count > 1
    codes = np.zeros(len(values), dtype=np.int64) if group is None else group
    member = np.unique(codes, return_inverse=True)[1]
    if not known.any():
        nothing = np.full(len(values), np.nan)
        return ShrunkMeans(
            nothing, np.zeros(len(values)), nothing, nothing, nothing, n, tau2=np.nan
        )
    sigma2 = _drawn_variance(own, count, known, prior_df)
    effective = np.where(n > 0, np.maximum(n * (1 - phi) / (1 + phi), 1.0), 0.0)
    noise = _positive(sigma2[known] / effective[known], mean[known])
    tau2 = _between_variance(mean[known], noise, member[known])
    pool, pool_variance = _pool_means(mean[known], noise + tau2, member[known], member)
    shrinkage = np.zeros(len(values))
    shrinkage[known] = tau2 / (tau2 + noise)
    drawn = np.where(known, shrinkage * np.where(known, mean, 0.0) + (1 - shrinkage) * pool, pool)
    variance = (1 - shrinkage) * tau2 + (1 - shrinkage) ** 2 * pool_variance
    return ShrunkMeans(drawn, shrinkage, variance, pool, sigma2, effective, tau2)


def _weighted_moments(
    values: Array, weights: Array | None, phi: float
) -> tuple[Array, Array, Array, NDArray[np.int64]]:
    """Mean, variance of one figure, number of equal-weight figures and count of each unit."""
    present = np.isfinite(values)
    dates = np.ones(values.shape[1]) if weights is None else weights
    weight = np.where(present, dates, 0.0)
    present = weight > 0
    figures = np.where(present, values, 0.0)
    total, squared = weight.sum(axis=1), (weight**2).sum(axis=1)
    some = total > 0
    share = weight / np.where(some, total, 1.0)[:, None]
    mean = (share * figures).sum(axis=1)
    spread = (share * np.where(present, figures - mean[:, None], 0.0) ** 2).sum(axis=1)
    n = np.where(some, total**2 / np.where(some, squared, 1.0), 0.0)
    # The mean of autocorrelated figures follows them: their spread around it falls short by this.
    whole = np.maximum(n, 1.0)
    mean_noise = (1 + phi) / (1 - phi) - 2 * phi * (1 - phi**whole) / (whole * (1 - phi) ** 2)
    short = 1 - mean_noise / whole
    variance = np.where(short > 1e-12, spread / np.where(short > 1e-12, short, 1.0), np.nan)
    return np.where(some, mean, np.nan), variance, n, present.sum(axis=1)


def _drawn_variance(
    own: Array, count: NDArray[np.int64], known: NDArray[np.bool_], prior_df: float
) -> Array:
    """Draw unit variances to the pool; the pool itself where a unit has too little."""
    degrees = count[known] - 1
    within = winsorise(own[known][:, None])[:, 0]
    pool = float((degrees * within).sum() / degrees.sum())
    weight = np.where(known, count / np.maximum(prior_df + count, 1e-300), 0.0)
    return pool + weight * (np.where(known, own, pool) - pool)


def _positive(noise: Array, mean: Array) -> Array:
    """Noise of the means kept off zero, so that a unit of constant figures has a finite weight."""
    for typical in (np.median(noise), np.median((mean - np.median(mean)) ** 2), 1.0):
        if typical > 0:
            return np.maximum(noise, 1e-12 * typical)
    return noise


def _between_variance(mean: Array, noise: Array, member: NDArray[np.int64]) -> float:
    """Moment estimate of the variance of true means around their groups."""
    weight = 1 / noise
    total = np.bincount(member, weight)
    used = total > 0
    inner = np.bincount(member, weight * (weight / total[member]))
    centre = np.bincount(member, weight * mean)[used] / total[used]
    expanded = np.zeros(len(total))
    expanded[used] = centre
    excess = (weight * (mean - expanded[member]) ** 2).sum() - (len(mean) - used.sum())
    room = total.sum() - inner[used].sum()
    return float(max(0.0, excess / room)) if room > 1e-9 * total.sum() else 0.0


def _pool_means(
    mean: Array, spread: Array, known: NDArray[np.int64], member: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Precision-weighted mean and its variance for every unit's group."""
    weight = 1 / spread
    size = int(member.max()) + 1
    total = np.bincount(known, weight, size)
    sums = np.bincount(known, weight * mean, size)
    empty = total == 0
    total[empty], sums[empty] = weight.sum(), (weight * mean).sum()
    return (sums / total)[member], (1 / total)[member]

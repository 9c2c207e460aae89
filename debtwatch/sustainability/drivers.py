"""Drivers of the outlook estimated from short records: means, spreads, dynamics, common factors.

A deviation y of a driver from its mean follows the pooled dynamics in standard deviations of the
government's own shock::

    y(t) = A y(t - 1) + n(t) + f(province, t) + e(t)

Means and spreads are drawn towards the pool (empirical Bayes) by as much as a government's own
record is noisy; A is corrected for the bias of short panels. The central path starts from the last
deviation and returns to the mean as A says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.rules.capacity import Basis
from debtwatch.sustainability.draws import Factors
from debtwatch.sustainability.pooling import (
    pooled_var,
    shrink_means,
    shrink_scales,
    split_common,
    variance_prior,
    winsorise,
)
from debtwatch.sustainability.series import Record, record_of
from debtwatch.sustainability.settings import Estimation, OutlookSettings, outlook_settings

Array = NDArray[np.float64]
REVENUES = 3


@dataclass(frozen=True)
class Drivers:
    """Estimates for every unit of a panel at an origin.

    Attributes
    ----------
    step : {"year", "quarter"}
        How often shocks come: by quarter only where quarters are reported.
    mean : ndarray, shape (units, 5)
        Yearly mean of each driver, log growth or share of the borrowing scale.
    pool : ndarray, shape (units, 5)
        Mean of the pool that each unit is drawn towards.
    growth : ndarray, shape (units, 5, years)
        Central yearly growth (net borrowing over its scale) of each year ahead.
    spread : ndarray, shape (units, 5)
        Standard deviation of the shock of a step.
    yearly_spread : ndarray, shape (units, 5)
        Standard deviation of the shock of a year.
    drift_error : ndarray, shape (units, 5)
        Standard deviation of the error of the mean, per step.
    factors : Factors
    province : ndarray of int, shape (units,)
    provinces : tuple of str
        Code of each province; empty for units of no province.
    years : ndarray of int, shape (units,)
        Years of own record; below ``fewest_years`` the pool decides.
    scale : ndarray, shape (units,)
        What net borrowing is measured by, yuan.
    single : ndarray of bool, shape (units,)
        Units with one balance that is not split.
    shocks_by_date : ndarray, shape (dates, 5)
        Mean shock of all units in each year of the record, in standard deviations, the last year
        before the origin last.
    """

    step: str
    mean: Array
    pool: Array
    growth: Array
    spread: Array
    yearly_spread: Array
    drift_error: Array
    factors: Factors
    province: NDArray[np.intp]
    provinces: tuple[str, ...]
    years: NDArray[np.int64]
    scale: Array
    single: NDArray[np.bool_]
    shocks_by_date: Array
    national_share: Array


def estimate_drivers(
    panel: Panel, basis: Basis, column: int, *, years: int, inflation: float = 1.0
) -> Drivers:
    """Estimate the drivers from what lies at and before a column.

    Parameters
    ----------
    panel : Panel
    basis : Basis
    column : int
    years : int
        Years ahead for which central growth is wanted.
    inflation : float
        Factor of every standard deviation, from a back-test.
    """
    settings = outlook_settings()
    record = record_of(panel, basis, column, settings.estimation.fewest_quarters)
    province, provinces = province_of(panel.units)
    yearly = _Fit.of(record.yearly, province, settings)
    quarterly = record.quarterly.shape[1] > 0
    shocks = _Fit.of(record.quarterly, province, settings, per_year=4) if quarterly else yearly
    per_step = 4.0 if quarterly else 1.0
    floor = np.array([driver.spread_floor for driver in settings.driver])
    # The floor is a year's: four quarterly shocks of a revenue add up, those of borrowing average.
    by_quarter = np.array([0.5] * REVENUES + [2.0] * 2)
    spread = np.maximum(shocks.spread, floor * (by_quarter if quarterly else 1.0))
    drift = np.array([driver.drift for driver in settings.driver])
    years_known = np.isfinite(record.yearly).any(axis=2).sum(axis=1)
    # A short record moves no mean; in a spread it weighs less than the pool in any case.
    few = years_known < settings.estimation.fewest_years
    mean = np.where(drift, np.where(few[:, None], yearly.pool, yearly.mean), 0.0)
    error = np.sqrt(yearly.error) / np.where(np.arange(5) < REVENUES, per_step, 1.0)
    return Drivers(
        step="quarter" if quarterly else "year",
        mean=mean,
        pool=np.where(drift, yearly.pool, 0.0),
        growth=_central(record, mean, yearly, years, settings),
        spread=spread * inflation,
        yearly_spread=np.maximum(yearly.spread, floor),
        drift_error=error * inflation,
        factors=shocks.factors,
        province=province,
        provinces=provinces,
        years=years_known,
        scale=record.scale,
        single=record.single,
        shocks_by_date=yearly.by_date,
        national_share=shocks.national_share,
    )


def province_of(units: pd.DataFrame) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Find the province of each unit, as its number, and the codes of the provinces.

    The topmost parent, else the first two digits of a county's six. Units that have no parent and
    are parents of none of the others share one group, the nation.
    """
    parent = {
        str(code): str(p)
        for code, p in units["parent"].items()
        if str(p) not in {"", "nan", "None"}
    }
    tops = []
    for code in map(str, units.index):
        top, seen = code, {code}
        while top in parent and parent[top] not in seen:
            top = parent[top]
            seen.add(top)
        counties = str(units.loc[code, "level"]) == "county" and top == code
        tops.append(code[:2] if counties and len(code) == 6 else top if top != code else "")
    names = sorted(set(tops))
    return np.array([names.index(top) for top in tops], dtype=np.intp), tuple(names)


@dataclass(frozen=True)
class _Fit:
    """What one record, by year or by quarter, says."""

    mean: Array
    pool: Array
    error: Array
    spread: Array
    last: Array
    dynamics: Array
    factors: Factors
    national_share: Array
    by_date: Array

    @classmethod
    def of(
        cls,
        record: Array,
        province: NDArray[np.intp],
        settings: OutlookSettings,
        *,
        per_year: int = 1,
    ) -> _Fit:
        """Fit one record, shape (units, dates, 5)."""
        own = settings.estimation
        clean = winsorise(record) if record.shape[1] else record
        units, dates = clean.shape[:2]
        ages = np.arange(dates)[::-1] / per_year
        weights = 0.5 ** (ages / own.half_life)
        means = [_mean(clean[..., v], weights) for v in range(5)]
        mean, pool, error = (np.stack([m[k] for m in means], axis=-1) for k in range(3))
        deviation = clean - mean[:, None, :]
        rough = _scales(deviation, own) if dates else np.full((units, 5), np.nan)
        standard = deviation / rough[:, None, :]
        dynamics, residual = _dynamics(standard, own.dynamics_prior)
        scale = shrink_scales(residual, own.prior_weight).scale if dates else np.ones((units, 5))
        scale = np.where(np.isfinite(scale), scale, 1.0)
        shocks = winsorise(residual / scale[:, None, :]) if dates else residual
        factors, share = _factors(shocks, dynamics, province, settings, weights)
        return cls(
            mean=mean,
            pool=pool,
            error=error,
            spread=np.nan_to_num(rough * scale, nan=0.0),
            last=np.nan_to_num(standard[:, -1] * rough, nan=0.0) if dates else np.zeros((units, 5)),
            dynamics=dynamics,
            factors=factors,
            national_share=share,
            by_date=_by_date(shocks),
        )


def _mean(values: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Shrunk mean, pool and variance of the error; 0 and 0 where nobody has a figure."""
    units = len(values)
    if not np.isfinite(values).any():
        return np.zeros(units), np.zeros(units), np.zeros(units)
    shrunk = shrink_means(values, weights=weights)
    # One figure each says nothing of the spread within a unit: the mean of all is left.
    known = np.isfinite(values)
    pool = float(np.average(values[known], weights=np.broadcast_to(weights, values.shape)[known]))
    return (
        np.where(np.isfinite(shrunk.mean), shrunk.mean, pool),
        np.where(np.isfinite(shrunk.pool), shrunk.pool, pool),
        np.nan_to_num(shrunk.variance),
    )


def _scales(deviation: Array, own: Estimation) -> Array:
    """Spread of each unit, drawn to the pool by less where units differ much; NaN for none.

    Where no unit has two figures the spread is that between units.
    """
    within = shrink_scales(deviation, 0.0).scale
    weights = [
        variance_prior(within[:, v] ** 2, np.isfinite(deviation[..., v]).sum(axis=1) - 1)[0]
        for v in range(5)
    ]
    weight = np.clip(np.array(weights), own.least_weight, own.prior_weight)
    scale = np.stack(
        [shrink_scales(deviation[..., v], float(weight[v])).scale for v in range(5)], axis=-1
    )
    present = np.isfinite(deviation)
    square = np.where(present, deviation, 0.0) ** 2
    between = np.sqrt(square.sum(axis=(0, 1)) / np.maximum(present.sum(axis=(0, 1)), 1))
    scale = np.where(np.isfinite(scale), scale, np.where(present.any(axis=1), between, np.nan))
    return np.where(scale > 0, scale, np.nan)


def _dynamics(standard: Array, prior: float) -> tuple[Array, Array]:
    """Pooled dynamics and residuals, of the drivers that enough units report."""
    dates = standard.shape[1]
    dynamics, residual = np.zeros((5, 5)), standard.copy()
    present = np.isfinite(standard).sum(axis=(0, 1))
    used = np.flatnonzero(present >= max(present.max() / 2, 1)) if present.size else np.array([])
    if dates < 3 or not len(used):
        return dynamics, residual
    joint = pooled_var(standard[..., used])
    if joint.pairs >= 20 * len(used) ** 2:
        dynamics[np.ix_(used, used)] = joint.coefficients
    else:  # too few pairs for effects across drivers
        for v in used:
            dynamics[v, v] = pooled_var(standard[..., [v]]).coefficients[0, 0]
    # Few dates say little of how deviations carry on: the dynamics are drawn towards none.
    dynamics *= dates / (dates + prior)
    predicted = np.nan_to_num(standard[:, :-1]) @ dynamics.T
    residual[:, 1:] = standard[:, 1:] - predicted
    return dynamics, residual


def _factors(
    shocks: Array,
    dynamics: Array,
    province: NDArray[np.intp],
    settings: OutlookSettings,
    weights: Array,
) -> tuple[Factors, Array]:
    """Split shocks into common factors by date and the pool of own residuals."""
    own, dates = settings.estimation, len(weights)
    provinces = int(province.max()) + 1 if len(province) else 1
    if dates:
        split = split_common(shocks, province.astype(np.int64))
        national = np.nan_to_num(split.national)
        local = np.nan_to_num(split.province)
        rows = np.nan_to_num(split.own.reshape(-1, 5))[np.isfinite(split.own).any(axis=2).ravel()]
        share = np.nan_to_num(split.national_share)
    else:
        national, local = np.zeros((0, 5)), np.zeros((provinces, 0, 5))
        rows, share = np.zeros((0, 5)), np.zeros(5)
    if dates < 24:  # few dates say little of the national factor: an assumed share beside them
        national, share = _with_prior(national, own.national_prior, own.national_share)
        local = _square(local)
    if len(rows) < 2:
        rows = np.random.default_rng(0).standard_normal((256, 5))
    spread = (
        np.sqrt(np.clip(1 - share - (local**2).mean(axis=(0, 1)), 0.05, None))
        if local.size
        else 1.0
    )
    deviation = rows.std(axis=0)
    rows = np.where(
        deviation > 0, (rows - rows.mean(axis=0)) / np.where(deviation > 0, deviation, 1), 0.0
    )
    factors = Factors(
        dynamics=dynamics,
        national=national,
        province=local if local.size else np.zeros((provinces, max(len(national), 1), 5)),
        own=rows * spread,
        freedom=own.prior_weight + dates,
        mean_block=own.mean_block,
        drift=settings.calibration.drift_inflation * _drift_error(share, dynamics, weights),
    )
    return factors, share


def _drift_error(share: Array, dynamics: Array, weights: Array) -> Array:
    """Error of the pool's mean: ``sqrt(share (1 + phi) / (1 - phi) / effective dates)``."""
    effective = (
        max(weights.sum() ** 2 / max((weights**2).sum(), 1e-12), 1.0) if len(weights) else 1.0
    )
    carried = np.clip(np.diag(dynamics), 0.0, 0.9)
    return np.asarray(np.sqrt(share * (1 + carried) / (1 - carried) / effective))


def _with_prior(national: Array, weight: float, share: float) -> tuple[Array, Array]:
    """Rows whose covariance is that of the national factor and an assumed one, by their weights."""
    dates = len(national)
    covariance = (national.T @ national + weight * share * np.eye(5)) / max(dates + weight, 1e-9)
    values, vectors = np.linalg.eigh(covariance)
    rows = np.sqrt(5 * np.clip(values, 0, None))[:, None] * vectors.T
    return rows, np.diag(covariance).copy()


def _square(local: Array) -> Array:
    """Rows with the covariance of each province's factor, five of them."""
    out = np.zeros((len(local), 5, 5))
    for k, rows in enumerate(local):
        if len(rows):
            values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
            out[k] = np.sqrt(5 * np.clip(values, 0, None))[:, None] * vectors.T
    return out


def _by_date(shocks: Array) -> Array:
    """Mean shock of all units on each date, in standard deviations, oldest first."""
    present = np.isfinite(shocks)
    total: Array = np.where(present, shocks, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(present.sum(axis=0), 1))


def _central(
    record: Record, mean: Array, fit: _Fit, years: int, settings: OutlookSettings
) -> Array:
    """Central growth of each year ahead: the mean and what is left of the last deviation."""
    safe = np.where(fit.spread > 0, fit.spread, 1.0)
    deviation = np.where(fit.spread > 0, fit.last / safe, 0.0)
    path = np.empty((*mean.shape, years))
    for year in range(years):
        deviation = deviation @ fit.dynamics.T
        path[..., year] = mean + deviation * fit.spread
    low, high = settings.estimation.growth_low, settings.estimation.growth_high
    return np.clip(path, low, high)

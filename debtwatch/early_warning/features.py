"""Explanatory figures of each government at each origin, from what was known on its day.

Every figure is read through :mod:`debtwatch.early_warning.as_known`, so that nothing published
later, and no period after the origin, can reach a feature;
:func:`debtwatch.early_warning.time_travel.leaks` puts that to the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import logit

from debtwatch.early_warning.as_known import STALE, arrange, as_known
from debtwatch.early_warning.measures import MEASURES, Columns, Here, Kept
from debtwatch.early_warning.ratio_windows import ratio_windows
from debtwatch.early_warning.sample import Array, Observations, Sample
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.targets import label
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Rulebook

#: Probabilities of the projection are clipped to this and its complement before log-odds.
LEAST_PROBABILITY = 0.001


@dataclass(frozen=True)
class Features:
    """Features of each government at each origin.

    Attributes
    ----------
    rows : DataFrame
        ``unit``, ``group`` (text), ``period`` (the origin), ``known_period`` (latest period known
        on its day) and ``vintage`` (position in ``observations.frame`` of that period's row as
        known then); by origin, within it by unit.
    x : DataFrame, shape (rows, features)
        float64, NaN where missing; never infinite.
    projection : ndarray or None, shape (rows,)
        Probability by the projection, where there is one.
    """

    rows: pd.DataFrame
    x: pd.DataFrame
    projection: Array | None


def build_sample(
    observations: Observations,
    spec: Spec,
    *,
    books: Sequence[Rulebook],
    origins: Sequence[int] | None = None,
    projection: pd.Series[float] | None = None,
) -> Sample:
    """Build the rows of a classifier: features as known at the origins, and outcomes.

    Parameters
    ----------
    observations : Observations
    spec : Spec
    books : sequence of Rulebook
        For a target by a rulebook.
    origins : sequence of int, optional
        Periods, as ordinals; every period of the data by default.
    projection : Series, optional
        Probability of the event by the projection, indexed by unit and period of the origin.

    Returns
    -------
    Sample
        One row for each origin and each government with a row known there that is at most a year
        old; rows whose outcome is not known are among them.

    Raises
    ------
    DataProblem
        When a column is not in the observations, or no origin has a row; and as
        :func:`debtwatch.early_warning.targets.label` does.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "unit": ["a", "a", "b", "b"], "group": ["p"] * 4, "period": [2020, 2021] * 2,
    ...     "known_from": pd.to_datetime(["2021-04-01", "2022-04-01"] * 2),
    ...     "debt": [0.8, 1.1, 0.7, 0.6]})
    >>> spec = Spec.model_validate({
    ...     "id": "demo", "title": {"zh": "示例", "en": "Demo"}, "country": "BR",
    ...     "target": {"kind": "entry", "horizon": 1, "ratio": "debt", "line": 1.0},
    ...     "feature": [{"id": "room", "of": "debt", "measure": "distance", "sign": "-",
    ...                  "label": {"zh": "空间", "en": "Room"}}]})
    >>> sample = build_sample(Observations(frame, "year", (), {}), spec, books=[])
    >>> sample.period.tolist(), sample.x["room"].round(2).tolist(), sample.y.tolist()
    ([2020, 2020, 2021, 2021], [0.2, 0.3, -0.1, 0.4], [1.0, 0.0, nan, nan])
    """
    features = build_features(observations, spec, origins=origins, projection=projection)
    rows = features.rows
    labels = label(observations, spec, books, rows=rows)
    windows = ratio_windows(observations, spec, rows)
    return Sample(
        unit=rows["unit"].to_numpy(object),
        group=rows["group"].to_numpy(object),
        period=rows["period"].to_numpy(np.int64),
        x=features.x,
        y=labels.y,
        at_risk=labels.at_risk,
        event_period=labels.event_period,
        rule=labels.rule,
        projection=features.projection,
        frequency=observations.frequency,
        now=None if windows is None else windows[0],
        extreme=None if windows is None else windows[1],
        outcome_day=labels.day,
        notes=(*observations.notes, *labels.notes),
    )


def build_features(
    observations: Observations,
    spec: Spec,
    *,
    origins: Sequence[int] | None = None,
    projection: pd.Series[float] | None = None,
) -> Features:
    r"""Measure the features at each origin from what was known on its day.

    With :math:`t` the government's latest known period less ``lag``, :math:`x` a column (or its
    natural logarithm) and :math:`\tilde x` the column clipped:

    ============ ==============================================================================
    level        :math:`x_t`
    distance     :math:`\text{line} - x_t` where more is worse, :math:`x_t - \text{line}` else
    change       :math:`\tilde x_t - \tilde x_{t - \text{periods}}`
    volatility   sample standard deviation of the last ``periods`` one-period changes of
                 :math:`\tilde x`, of which three must be known
    highest      largest known of the last ``periods`` of :math:`\tilde x`
    peers        mean of :math:`\tilde x_t` over the others of the group, of which two must be known
    gap          :math:`\tilde x_t -` peers
    national     median of :math:`\tilde x_t` over all governments
    is           1 where the word is ``value``, else 0
    missing      1 where nothing is reported, else 0
    delay        days from the end of :math:`t` to its first publication, and the days by which the
                 latest known period lags the origin
    revision     :math:`|x_t - x_t^\text{first}| / |x_t^\text{first}|`, latest vintage known against
                 the first
    projection   log-odds of the probability, clipped to 0.001 and 0.999
    ============ ==============================================================================

    A figure is drawn in to ten interquartile ranges beyond the quartiles of the figures of its own
    period that were known at the origin (of at least 20), so that a slip of the pen or a sentinel
    does not move its neighbours or last for years, and the governments near the line stay as they
    are. Level and distance are left alone.

    Parameters
    ----------
    observations : Observations
    spec : Spec
    origins : sequence of int, optional
        Periods, as ordinals; every period of the data by default.
    projection : Series, optional
        Probability by the projection, indexed by unit and period of the origin.

    Returns
    -------
    Features

    Raises
    ------
    DataProblem
        When a column is not in the observations, or no origin has a row.

    Notes
    -----
    ``spec/methods.md`` 2.2 and 2.3.
    """
    _check_columns(observations, spec)
    grid = arrange(observations)
    columns = Columns.read(observations, spec)
    if origins is None:
        origins = np.unique(observations.frame["period"].to_numpy(np.int64)).tolist()
    kept: Kept = {}
    rows, parts = [], []
    for period in sorted(set(origins)):
        here = Here.at(as_known(grid, period, spec.data), columns, kept)
        if len(here.unit):
            rows.append(here.rows())
            # A sentinel such as 1e308 may overflow in a sum; what is not finite is missing.
            with np.errstate(over="ignore", invalid="ignore"):
                parts.append([MEASURES[f.measure](here, f, spec.target) for f in spec.feature])
    if not rows:
        raise _no_row(spec, STALE[observations.frequency])
    every = pd.concat(rows, ignore_index=True)
    x = {f.id: np.concatenate([p[i] for p in parts]) for i, f in enumerate(spec.feature)}
    probability = None if projection is None else _projected(projection, every, lag=0)
    for feature in spec.feature:
        if feature.measure == "projection":
            if feature.of is None:
                x[feature.id] = _projected(projection, every, lag=feature.lag)
            elif probability is None:
                probability = x[feature.id]
            x[feature.id] = _log_odds(x[feature.id])
    table = pd.DataFrame(x)
    return Features(every, table.where(np.isfinite(table)), probability)


def _check_columns(observations: Observations, spec: Spec) -> None:
    """Refuse a feature of a column that is not there."""
    absent = [f for f in spec.feature if f.of and f.of not in observations.frame]
    if absent:
        raise DataProblem(
            N_(
                "The feature {feature} needs the column {column}, which the data do not hold: add"
                " it to the table, or take the feature out of the specification."
            ),
            feature=absent[0].id, column=absent[0].of,
        )  # fmt: skip


def _no_row(spec: Spec, stale: int) -> DataProblem:
    days = spec.data.lag_days if spec.data.origin_days is None else spec.data.origin_days
    return DataProblem(
        N_(
            "At no origin is there a government with figures to score: {days} days after the end of"
            " the period none was published for it or for the {stale} periods before. Check the"
            " publication days, data.lag_days and data.origin_days in the specification."
        ),
        days=days, stale=stale,
    )  # fmt: skip


def _projected(projection: pd.Series[float] | None, rows: pd.DataFrame, *, lag: int) -> Array:
    """Join the projection's probability to rows by unit and origin."""
    if projection is None:
        return np.full(len(rows), np.nan)
    keys = pd.MultiIndex.from_arrays([rows["unit"], rows["period"] - lag])
    return np.asarray(projection.reindex(keys), dtype=np.float64)


def _log_odds(probability: Array) -> Array:
    """Give log-odds, clipped.

    Examples
    --------
    >>> _log_odds(np.array([0.0, 0.5, np.nan])).round(3).tolist()
    [-6.907, 0.0, nan]
    """
    clipped = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(logit(clipped), dtype=np.float64)

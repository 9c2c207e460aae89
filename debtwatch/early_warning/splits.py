"""Splits in time order: train on the past whose outcome is known, test on what follows.

Nothing is shuffled. A training row's outcome window closes before the origin of the test rows, and
folds inside the training rows never cut through a province, whose governments share their shocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from debtwatch.early_warning.as_known import origin_day
from debtwatch.early_warning.period_names import parse_origin, period_text
from debtwatch.early_warning.sample import Array, Frequency, Mask, Sample, Words
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.targets import check_outcomes
from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.language import N_

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows to judge by, at one origin.

    Attributes
    ----------
    origin : int
        First period of the test rows, as an ordinal.
    train, test : ndarray of intp
        Positions in the sample, ascending. Only rows at risk whose outcome is known.
    """

    origin: int
    train: Positions
    test: Positions


def expanding_splits(sample: Sample, spec: Spec) -> tuple[Split, ...]:
    r"""Split a sample at each origin: everything known before, against what comes next.

    With horizon :math:`h` and embargo :math:`e`, the rows at risk with a known outcome are

    .. math::

        \text{train}: t + h + e \le T_0, \qquad \text{test}: T_0 \le t < T_0 + \text{step},

    so that no outcome window of a training row reaches beyond the origin :math:`T_0`; and only rows
    whose outcome was published by the origin's day are learned from (:func:`settled_by`). Origins
    are ``step`` periods apart: counted on from ``origins.first`` where it is given, else back from
    ``origins.last``, else back from the last period with a known outcome, so that the newest rows
    are all judged. An origin is kept when its training rows span ``origins.least_periods``
    distinct periods and hold both outcomes, and it has a test row; of these the ``origins.most``
    latest are given.

    Parameters
    ----------
    sample : Sample
    spec : Spec

    Returns
    -------
    tuple of Split
        In order of origin; never empty.

    Raises
    ------
    DataProblem
        When no origin is possible, with what is needed: periods, or events.
    ModelProblem
        When ``origins.first`` or ``origins.last`` is not a period of this kind of data, or first
        is after last.

    Notes
    -----
    ``spec/methods.md`` 2.4.

    Examples
    --------
    >>> import pandas as pd
    >>> period = np.repeat(np.arange(2015, 2021), 2)
    >>> sample = Sample(
    ...     unit=np.tile(np.array(["a", "b"], dtype=object), 6), group=np.full(12, "p", object),
    ...     period=period, x=pd.DataFrame({"debt": np.zeros(12)}), y=np.tile([0.0, 1.0], 6),
    ...     at_risk=np.full(12, True), event_period=np.full(12, np.nan),
    ...     rule=np.full(12, "", object), projection=None, frequency="year")
    >>> spec = Spec.model_validate({
    ...     "id": "demo", "title": {"zh": "示例", "en": "Demo"}, "country": "BR",
    ...     "target": {"kind": "entry", "horizon": 2, "ratio": "debt", "line": 1.0},
    ...     "feature": [{"id": "debt", "of": "debt", "label": {"zh": "债务", "en": "Debt"}}]})
    >>> [(s.origin, sorted(set(period[s.train])), sorted(set(period[s.test])))
    ...  for s in expanding_splits(sample, spec)][0]
    (2017, [np.int64(2015)], [np.int64(2017)])
    """
    known = np.flatnonzero(sample.known)
    period, y = sample.period[known], sample.y[known]
    splits = []
    for origin in _origins(period, spec, sample.frequency):
        train = settled_by(sample, spec, int(origin))[known]
        test = (period >= origin) & (period < origin + spec.origins.step)
        enough = len(np.unique(period[train])) >= spec.origins.least_periods
        if enough and test.any() and len(np.unique(y[train])) > 1:
            splits.append(Split(int(origin), known[train], known[test]))
    if not splits:
        raise _none_possible(sample, spec)
    return tuple(splits[-spec.origins.most :])


def settled_by(sample: Sample, spec: Spec, origin: int) -> Mask:
    """Tell of which rows the outcome window was over and out by an origin's day.

    The window and the embargo end by the origin's period, and every figure of the window was first
    published by the day on which the origin's scores are made: what is reported later cannot be
    learned from.

    Parameters
    ----------
    sample : Sample
    spec : Spec
    origin : int
        Period, as an ordinal.

    Returns
    -------
    ndarray of bool, shape (rows,)
        Rows that are not at risk or whose outcome is not known among them.
    """
    over = sample.period + spec.target.horizon + spec.origins.embargo <= origin
    if sample.outcome_day is None:
        return np.asarray(over)
    # A day that is not told compares as not late.
    late = sample.outcome_day > origin_day(origin, spec.data, sample.frequency)
    return np.asarray(over & ~late)


def _origins(period: NDArray[np.int64], spec: Spec, frequency: Frequency) -> NDArray[np.int64]:
    """Give the origins to try, ascending, from the periods of rows with a known outcome."""
    asked, step = spec.origins, spec.origins.step
    first = None if asked.first is None else parse_origin(asked.first, frequency)
    last = None if asked.last is None else parse_origin(asked.last, frequency)
    if first is not None and last is not None and first > last:
        raise ModelProblem(
            N_(
                "The first origin {first} is after the last one {last}: exchange origins.first and"
                " origins.last in the specification."
            ),
            first=asked.first, last=asked.last,
        )  # fmt: skip
    if not len(period):
        return np.zeros(0, np.int64)
    final = int(period.max())
    if first is not None:
        return np.arange(first, (final if last is None else last) + 1, step, dtype=np.int64)
    earliest = _earliest(period, spec)
    start = final - step + 1 if last is None else last
    if last is None and start < earliest:
        start = earliest  # Fewer test periods than one step: judge by those there are.
    return np.arange(start, int(period.min()), -step, dtype=np.int64)[::-1]


def _earliest(period: NDArray[np.int64], spec: Spec) -> int:
    """Give the first origin with enough training periods before it, whether or not it has rows."""
    distinct = np.unique(period)
    least = min(spec.origins.least_periods, len(distinct))
    return int(distinct[least - 1]) + spec.target.horizon + spec.origins.embargo


def periods_needed(spec: Spec) -> int:
    """Count the periods that a table must span for one origin to be possible.

    Training periods, the outcome window of the last of them and the embargo, the origin itself,
    and the outcome window of the origin.

    Examples
    --------
    One training year, a horizon of two years: 2015 learns from 2016-2017, 2017 is judged by
    2018-2019.

    >>> spec = Spec.model_validate({
    ...     "id": "demo", "title": {"zh": "示例", "en": "Demo"}, "country": "BR",
    ...     "target": {"kind": "entry", "horizon": 2, "ratio": "debt", "line": 1.0},
    ...     "feature": [{"id": "debt", "of": "debt", "label": {"zh": "债务", "en": "Debt"}}]})
    >>> periods_needed(spec)
    5
    """
    return spec.origins.least_periods + 2 * spec.target.horizon + spec.origins.embargo


def _none_possible(sample: Sample, spec: Spec) -> DataProblem:
    """Say why no origin is possible: too few periods, or only one outcome to learn from."""
    known = sample.known
    period, y = sample.period[known], sample.y[known]
    span = int(np.ptp(sample.period)) + 1 if len(sample) else 0
    needed = periods_needed(spec)
    if span >= needed:
        check_outcomes(sample.y, sample.at_risk, horizon=spec.target.horizon)
    spread = int(np.ptp(period)) if len(period) else -1
    if spread < needed - spec.target.horizon - 1:
        return DataProblem(
            N_(
                "The horizon is too long for the data: they span {span} periods. With a horizon of"
                " {horizon}, an embargo of {embargo} and {least} training periods, judging the"
                " classifier needs governments at risk, with known outcomes, over at least {needed}"
                " periods. Give more periods, or a shorter target.horizon."
            ),
            span=span, horizon=spec.target.horizon, embargo=spec.origins.embargo,
            least=spec.origins.least_periods, needed=needed,
        )  # fmt: skip
    return DataProblem(
        N_(
            "No origin can be judged: of {rows} rows with a known outcome ({first} to {last}),"
            " {events} are events, and before each origin that was tried there are fewer than"
            " {least} training periods, or no event, or nothing but events, or no row at the"
            " origin. Give more periods, or change target or origins in the specification."
        ),
        rows=len(y), events=int(y.sum()), least=spec.origins.least_periods,
        first=period_text(int(period.min()), sample.frequency),
        last=period_text(int(period.max()), sample.frequency),
    )  # fmt: skip


def province_folds(group: Words, y: Array, folds: int = 5) -> list[tuple[Positions, Positions]]:
    """Fold rows by province, so that no province is on both sides.

    :class:`sklearn.model_selection.GroupKFold` without shuffling: provinces are dealt to folds by
    size. Fewer folds are used when there are fewer provinces, or when with more of them a training
    part would hold one outcome only.

    Parameters
    ----------
    group : ndarray of str, shape (rows,)
    y : ndarray, shape (rows,)
        Known outcomes, 1 or 0.
    folds : int
        At most so many.

    Returns
    -------
    list of (train, test)
        Positions of rows, ascending; the test parts hold each row once. Empty when two folds are
        not possible: one province, or all events (or all non-events) in one.

    Examples
    --------
    >>> group = np.array(["11", "11", "12", "12", "13", "13"], dtype=object)
    >>> [t.tolist() for _, t in province_folds(group, np.array([0, 1, 0, 1, 1, 0.0]), folds=3)]
    [[4, 5], [2, 3], [0, 1]]
    >>> province_folds(group, np.array([0, 0, 0, 0, 1, 1.0]))
    []
    """
    provinces, codes = np.unique(group.astype(str), return_inverse=True)
    blank = np.zeros((len(y), 1))
    for number in range(min(folds, len(provinces)), 1, -1):
        parts = list(GroupKFold(n_splits=number).split(blank, y, groups=codes))
        if all(len(np.unique(y[train])) > 1 for train, _ in parts):
            return parts
    return []

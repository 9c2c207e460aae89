"""The measures of features: how each is taken from what was known at one origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debtwatch.early_warning.as_known import AsKnown, Grid, Positions
from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.sample import Array, Mask, Observations, Words
from debtwatch.early_warning.spec import OF_FIGURES, Feature, Measure, Spec, Target

#: One-period changes that a standard deviation needs.
LEAST_CHANGES = 3
#: Others of the group that a mean needs.
LEAST_PEERS = 2
#: Below this a first figure counts as so much when a revision is measured against it.
LEAST_MAGNITUDE = 1e-9


@dataclass(frozen=True)
class Columns:
    """Columns of the observations as arrays, one value for each row.

    Attributes
    ----------
    figures : mapping of (column, logarithm) to ndarray
        Finite numbers or NaN.
    words : mapping of column to ndarray of str
        None where missing.
    absent : mapping of column to ndarray of bool
        Where nothing is reported.
    group : ndarray of intp
        Code into ``groups``; -1, the empty last one, where the group is not known.
    groups : ndarray of str
    """

    figures: Mapping[tuple[str, bool], Array]
    words: Mapping[str, Words]
    absent: Mapping[str, Mask]
    group: Positions
    groups: Words

    @classmethod
    def read(cls, observations: Observations, spec: Spec) -> Columns:
        """Read the columns that the features need."""
        frame = observations.frame
        figures, words, absent = {}, {}, {}
        for feature in spec.feature:
            if feature.of is None:
                continue
            column = frame[feature.of]
            if feature.measure in (*OF_FIGURES, "revision", "projection"):
                key = (feature.of, feature.log)
                if key not in figures:
                    figures[key] = _figures(column, log=feature.log)
            elif feature.measure == "is":
                words[feature.of] = _words(column)
            absent[feature.of] = _absent(column)
        group, groups = pd.factorize(frame["group"].astype(object))
        return cls(figures, words, absent, group, np.append(groups, ""))


def _figures(column: pd.Series[float], *, log: bool) -> Array:
    """Give a column as numbers, NaN where there is no finite one; or their logarithms."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    least = 0.0 if log else -np.inf
    values = np.where(np.isfinite(values) & (values > least), values, np.nan)
    return np.log(values) if log else values


def _words(column: pd.Series[float]) -> Words:
    """Give a column as words; numbers as a specification would write them, so 1.0 as 1."""
    values = column.to_numpy(object)
    known = column.notna().to_numpy()
    words = [_word(v) if k else None for v, k in zip(values, known, strict=True)]
    return np.array(words, dtype=object)


def _word(value: object) -> str:
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)  # type: ignore[call-overload]


def _absent(column: pd.Series[float]) -> Mask:
    if pd.api.types.is_numeric_dtype(column):
        return ~np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
    return column.isna().to_numpy()


@dataclass(frozen=True)
class _Period:
    """Figures of one column in one period as known at an origin, clipped, and what they sum to.

    ``rows`` counts the rows known of the period: while it stays the same, so do the figures, and
    a later origin uses them again. ``largest`` is each group's figure of largest magnitude, of the
    government ``largest_unit``, and ``total`` sums the others: taking a sentinel of 1e16 out of a
    sum that holds it would leave rounding error in place of the others' mean.
    """

    rows: int
    values: Array
    median: float
    total: Array
    largest: Array
    largest_unit: Positions
    count: Array

    @classmethod
    def of(cls, view: AsKnown, column: int, values: Array, columns: Columns) -> _Period:
        row = view.row[:, column]
        clipped = _clip(np.where(row >= 0, values[row], np.nan))
        known = np.flatnonzero(~np.isnan(clipped))
        size = len(columns.groups)  # The last bin takes the rows without a group.
        code = columns.group[row[known]] % size
        rising = np.argsort(np.abs(clipped[known]), kind="stable")
        largest_unit = np.full(size, -1, np.intp)
        largest_unit[code[rising]] = known[rising]  # The last one written stays.
        rest = known != largest_unit[code]
        return cls(
            rows=int(view.vintages[column]),
            values=clipped,
            median=float(np.median(clipped[known])) if len(known) else np.nan,
            total=np.bincount(code[rest], clipped[known[rest]], size).astype(np.float64),
            largest=np.where(largest_unit >= 0, clipped[largest_unit], 0),
            largest_unit=largest_unit,
            count=np.bincount(code, minlength=size).astype(np.float64),
        )


#: Interquartile ranges beyond the quartiles at which a figure is drawn in.
FENCE = 10.0
#: Fewer figures of a period than this give no quartiles to go by.
LEAST_FOR_FENCES = 20
#: Periods that an earlier origin has read, by column, logarithm and place in the grid.
Kept = dict[tuple[str, bool, int], _Period]


def _clip(values: Array) -> Array:
    """Draw sentinels in to the fences, ten interquartile ranges beyond the quartiles.

    Percentiles would also flatten the governments near the line, which are the few at the end of
    the distribution that matter.

    Examples
    --------
    >>> _clip(np.append(np.arange(200.0), 1e16)).max(), _clip(np.array([1.0, 1e16])).max()
    (np.float64(1150.0), np.float64(1e+16))
    """
    known = values[~np.isnan(values)]
    if len(known) < LEAST_FOR_FENCES:
        return values
    places = [(len(known) - 1) // 4, len(known) - 1 - (len(known) - 1) // 4]
    quarter, three = np.partition(known, places)[places]
    reach = FENCE * (three - quarter)
    return np.clip(values, quarter - reach, three + reach) if reach > 0 else values


@dataclass(frozen=True)
class Here:
    """One origin: the governments that have a row, and where their figures stand.

    Attributes
    ----------
    view : AsKnown
    unit : ndarray of intp
        Governments with a row, as positions in ``grid.units``.
    latest : ndarray of intp
        Place of each one's latest known period in the grid.
    columns : Columns
    kept : Kept
        Periods read at earlier origins.
    """

    view: AsKnown
    unit: Positions
    latest: Positions
    columns: Columns
    kept: Kept

    @classmethod
    def at(cls, view: AsKnown, columns: Columns, kept: Kept) -> Here:
        """Stand at an origin; ``kept`` is added to."""
        unit = np.flatnonzero(view.latest >= 0)
        return cls(view, unit, view.latest[unit], columns, kept)

    @property
    def grid(self) -> Grid:
        """Rows by unit and period."""
        return self.view.grid

    def rows(self) -> pd.DataFrame:
        """Give the keys of the rows: unit, group, origin, latest known period and its row."""
        vintage = self.row(0)
        return pd.DataFrame(
            {
                "unit": self.grid.units[self.unit],
                "group": self.columns.groups[self.columns.group[vintage]],
                "period": np.full(len(self.unit), self.view.origin, np.int64),
                "known_period": self.latest.astype(np.int64) + self.grid.first,
                "vintage": vintage,
            }
        )

    def row(self, back: int) -> Positions:
        """Give each government's row so many periods back from its latest known; -1 without."""
        place = self.latest - back
        return np.where(place >= 0, self.view.row[self.unit, np.maximum(place, 0)], -1)

    def figure(self, feature: Feature) -> Array:
        """Give the figure as it is."""
        row = self.row(feature.lag)
        return np.where(row >= 0, self.columns.figures[_key(feature)][row], np.nan)

    def clipped(self, feature: Feature, back: int = 0) -> Array:
        """Give the clipped figure so many periods back from the feature's own."""
        result = np.full(len(self.unit), np.nan)
        for chosen, period in self.by_period(feature, back):
            result[chosen] = period.values[self.unit[chosen]]
        return result

    def by_period(self, feature: Feature, back: int = 0) -> list[tuple[Positions, _Period]]:
        """Give the few periods that the governments stand at, and which stand at each."""
        place = self.latest - feature.lag - back
        return [
            (np.flatnonzero(place == column), self.period(feature, int(column)))
            for column in np.unique(place)
            if column >= 0
        ]

    def period(self, feature: Feature, column: int) -> _Period:
        """Read a period, or take it as an earlier origin read it if it has not changed."""
        key = (*_key(feature), column)
        found = self.kept.get(key)
        if found is None or found.rows != self.view.vintages[column]:
            found = _Period.of(
                self.view, column, self.columns.figures[_key(feature)], self.columns
            )  # fmt: skip
            self.kept[key] = found
        return found


def _key(feature: Feature) -> tuple[str, bool]:
    return str(feature.of), feature.log


def _level(here: Here, feature: Feature, target: Target) -> Array:
    return here.figure(feature)


def _distance(here: Here, feature: Feature, target: Target) -> Array:
    line = np.float64(np.nan if target.line is None else target.line)
    if feature.log:
        line = np.log(line) if line > 0 else np.float64(np.nan)
    figure = here.figure(feature)
    return np.asarray(line - figure if target.operator in {">=", ">"} else figure - line)


def _change(here: Here, feature: Feature, target: Target) -> Array:
    return here.clipped(feature) - here.clipped(feature, int(feature.periods or 0))


def _volatility(here: Here, feature: Feature, target: Target) -> Array:
    figures = np.array([here.clipped(feature, b) for b in range(int(feature.periods or 0) + 1)])
    changes = figures[:-1] - figures[1:]
    known = ~np.isnan(changes)
    count = known.sum(axis=0)
    mean = np.where(known, changes, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, changes - mean, 0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    return np.where(count >= LEAST_CHANGES, deviation, np.nan)


def _highest(here: Here, feature: Feature, target: Target) -> Array:
    figures = [here.clipped(feature, b) for b in range(int(feature.periods or 0))]
    highest: Array = np.fmax.reduce(figures)
    return highest


def _peers(here: Here, feature: Feature, target: Target) -> Array:
    result = np.full(len(here.unit), np.nan)
    group = here.columns.group[here.row(0)]
    own_row = here.row(feature.lag)
    own_group = np.where(own_row >= 0, here.columns.group[own_row], -1)
    for chosen, period in here.by_period(feature):
        unit, into = here.unit[chosen], group[chosen]
        own = period.values[unit]
        # A government that has moved between groups since is not in its group's sum.
        among = ~np.isnan(own) & (own_group[chosen] == into)
        others = period.count[into] - among
        apart = period.largest[into] - np.where(among, own, 0)
        total = period.total[into] + np.where(period.largest_unit[into] == unit, 0, apart)
        enough = (others >= LEAST_PEERS) & (into >= 0)
        result[chosen] = np.where(enough, total / np.maximum(others, 1), np.nan)
    return result


def _gap(here: Here, feature: Feature, target: Target) -> Array:
    return here.clipped(feature) - _peers(here, feature, target)


def _national(here: Here, feature: Feature, target: Target) -> Array:
    result = np.full(len(here.unit), np.nan)
    for chosen, period in here.by_period(feature):
        result[chosen] = period.median
    return result


def _is(here: Here, feature: Feature, target: Target) -> Array:
    row = here.row(feature.lag)
    known = (row >= 0) & ~here.columns.absent[str(feature.of)][row]
    same = here.columns.words[str(feature.of)][row] == feature.value
    return np.where(known, same.astype(np.float64), np.nan)


def _missing(here: Here, feature: Feature, target: Target) -> Array:
    row = here.row(feature.lag)
    missing = (row < 0) | here.columns.absent[str(feature.of)][row]
    # Nobody is late for a period before the first one of which anything was known.
    begun = np.argmax(here.view.vintages > 0)
    return np.where(here.latest - feature.lag >= begun, missing.astype(np.float64), np.nan)


def _delay(here: Here, feature: Feature, target: Target) -> Array:
    grid, place = here.grid, np.maximum(here.latest - feature.lag, 0)
    first = grid.earliest[here.unit, place]
    reporting = (grid.day[first] - grid.ends[place]) / np.timedelta64(1, "D")
    end = np.datetime64(period_end(here.view.origin, grid.frequency), "D")
    lagging = (end - grid.ends[here.latest]) / np.timedelta64(1, "D")
    return np.where(here.row(feature.lag) >= 0, reporting + lagging, np.nan)


def _revision(here: Here, feature: Feature, target: Target) -> Array:
    place = np.maximum(here.latest - feature.lag, 0)
    first = here.columns.figures[_key(feature)][here.grid.earliest[here.unit, place]]
    return np.abs(here.figure(feature) - first) / np.maximum(np.abs(first), LEAST_MAGNITUDE)


def _projection(here: Here, feature: Feature, target: Target) -> Array:
    """Give the probability of a column; that of a store is joined once for all origins."""
    return np.full(len(here.unit), np.nan) if feature.of is None else here.figure(feature)


MEASURES: Mapping[Measure, Callable[[Here, Feature, Target], Array]] = {
    "level": _level,
    "distance": _distance,
    "change": _change,
    "volatility": _volatility,
    "highest": _highest,
    "peers": _peers,
    "gap": _gap,
    "national": _national,
    "is": _is,
    "missing": _missing,
    "delay": _delay,
    "revision": _revision,
    "projection": _projection,
}

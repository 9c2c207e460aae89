"""Were the fans right? Rolling origins, as-known figures, scores against simple forecasts.

At each origin the outlook is estimated on what was known when the origin's accounts were published,
simulated, and compared with what happened. Rivals: a random walk with drift (own changes, past
only) and climatology (the pool's changes over the same horizon). Bands that were too narrow at
earlier origins are widened by the factor that would have restored their coverage, and the widened
bands are judged at later origins.

Paths are judged as soon as they are drawn and are not kept: memory does not grow with origins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.rules.assess import Line, assess, lines_of
from debtwatch.rules.capacity import CAPACITY, Basis, choose_basis, history_inputs
from debtwatch.rules.rulebook import Indicator, Rulebook
from debtwatch.sustainability.accounts import Outlook, central_outlook
from debtwatch.sustainability.draws import Draws, Method
from debtwatch.sustainability.drivers import province_of
from debtwatch.sustainability.histograms import QUANTILES
from debtwatch.sustainability.outlook import draw_for, figure, follow, watch_of
from debtwatch.sustainability.programs import is_followable
from debtwatch.sustainability.rivals import climatology, walk
from debtwatch.sustainability.scores import (
    brier,
    cluster_interval,
    crps_sample,
    inflation_for_coverage,
    pit,
    pit_chi2,
)
from debtwatch.sustainability.simulate import simulate

Array = NDArray[np.float64]
Words = NDArray[np.str_]
Held = Literal["held", "narrow", "wide"]
LEVELS = (0.5, 0.8, 0.9)
#: The 80 % band holds when it covers a share between these (methods, 3.10).
TOLERANCE_80 = (0.72, 0.88)
#: Fewer cases than this are too few to release a band on.
FEWEST_CASES = 200
#: Totals followed beside the headline indicator, where they can be.
FIGURES = ("debt_balance", CAPACITY, "gpb_revenue", "gfb_revenue")
#: With so many provinces they are the clusters of intervals and tests, else the governments.
FEWEST_PROVINCES = 10
LARGEST_FACTOR = 5.0
CHUNK = 128


@dataclass(frozen=True)
class Origin:
    """One origin of a back-test.

    Attributes
    ----------
    quarter : int
        Ordinal of the last quarter with figures.
    panel : Panel
        As known when these figures were published.
    """

    quarter: int
    panel: Panel


@dataclass(frozen=True)
class Judged:
    """Forecasts of one quantity at one origin and horizon, beside what happened.

    Attributes
    ----------
    target : str
    origin, horizon : int
    unit, cluster : ndarray of str, shape (cases,)
    outcome, last : ndarray, shape (cases,)
        What happened, and the figure at the origin.
    quantiles : ndarray, shape (cases, len(QUANTILES))
    pit : ndarray, shape (cases,)
        Place of the outcome among the paths, 0 to 1.
    crps, crps_walk, crps_climate : ndarray, shape (cases,)
        Scores of the outlook and its rivals, in the unit of the quantity.
    beyond : ndarray, shape (cases, lines)
        Probability of standing beyond each line of the headline indicator.
    """

    target: str
    origin: int
    horizon: int
    unit: Words
    cluster: Words
    outcome: Array
    last: Array
    quantiles: Array
    pit: Array
    crps: Array
    crps_walk: Array
    crps_climate: Array
    beyond: Array

    def band(self, level: float) -> tuple[Array, Array, Array]:
        """Median and ends of a central band."""
        low, high = round((1 - level) / 2, 6), round((1 + level) / 2, 6)
        middle, below, above = (QUANTILES.index(q) for q in (0.5, low, high))
        return tuple(self.quantiles[:, k] for k in (middle, below, above))  # type: ignore[return-value]


@dataclass(frozen=True)
class Band:
    """Coverage of a band: share of outcomes inside, with its cluster interval of 90 %."""

    level: float
    covered: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """How good the forecasts of a quantity at a horizon were.

    Attributes
    ----------
    target : str
    horizon : int
    cases, origins : int
    bands : tuple of Band
        At :data:`LEVELS`.
    crps, crps_walk, crps_climate : float
        Mean score relative to the figure at the origin (no less than a tenth of the median one);
        smaller is better.
    wins : float
        Share of cases in which the outlook's score was below the random walk's: a mean can hang on
        a single government.
    pit : tuple of float
        Share of outcomes in each tenth of the forecasts.
    pit_p : float
        Of the test that the tenths are even, corrected for clusters.
    above : float
        Share of outcomes above the median forecast.
    inflation : float
        Factor of the half-widths that would give the 80 % band its coverage.
    widened : Band or None
        The 80 % band widened by the factor of earlier origins, judged at later ones.
    widened_by : float
        Mean factor applied there.
    """

    target: str
    horizon: int
    cases: int
    origins: int
    bands: tuple[Band, ...]
    crps: float
    crps_walk: float
    crps_climate: float
    wins: float
    pit: tuple[float, ...]
    pit_p: float
    above: float
    inflation: float
    widened: Band | None
    widened_by: float

    @property
    def skill(self) -> float:
        """``1 - CRPS / CRPS of the random walk with drift``."""
        return 1 - self.crps / self.crps_walk if self.crps_walk > 0 else float("nan")

    @property
    def held(self) -> Held:
        """Whether the 80 % band covered what it should, within :data:`TOLERANCE_80`."""
        covered = next(band.covered for band in self.bands if band.level == 0.8)
        if covered < TOLERANCE_80[0]:
            return "narrow"
        return "wide" if covered > TOLERANCE_80[1] else "held"


@dataclass(frozen=True)
class LineScore:
    """Brier score of the probabilities of standing beyond a line.

    Attributes
    ----------
    indicator : str
    line : float
    inclusive : bool
        Whether the value itself counts as beyond.
    horizon : int
    cases, events : int
    brier : float
    base : float
        Score of the share of governments that stood beyond the line at the origin.
    stay : float
        Score of the forecast that each stays on its side of the line.
    said : float
        Mean probability; ``events / cases`` is what happened.
    """

    indicator: str
    line: float
    inclusive: bool
    horizon: int
    cases: int
    events: int
    brier: float
    base: float
    stay: float
    said: float


@dataclass(frozen=True)
class Run:
    """How an origin was judged: drawing of shocks, their step, governments with an outcome."""

    quarter: int
    method: str
    step: str
    governments: int


@dataclass(frozen=True)
class Backtest:
    """Result of a back-test.

    Attributes
    ----------
    scores : tuple of Score
    lines : tuple of LineScore
    runs : tuple of Run
        Origins, in the order given; no government where no outcome is known.
    inflation : float
        Largest factor that the 80 % bands of the headline quantity, or of the first one that could
        be judged, ask for at any horizon.
    by_province : bool
        Whether intervals and tests take provinces, or else governments, as clusters.
    """

    scores: tuple[Score, ...]
    lines: tuple[LineScore, ...]
    runs: tuple[Run, ...]
    inflation: float
    by_province: bool


def backtest(
    origins: Iterable[Origin],
    final: Panel,
    rulebook: Rulebook,
    *,
    horizons: Sequence[int] = (4, 8, 12),
    paths: int = 2000,
    seed: int = 20260930,
    method: Method = "auto",
    capacity: str | None = None,
    inflation: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> Backtest:
    """Judge the outlook at rolling origins.

    Parameters
    ----------
    origins : iterable of Origin
        In order of time; each is let go once it is judged.
    final : Panel
        What is known now: the outcomes.
    rulebook : Rulebook
        Its headline indicator and lines are judged beside the totals.
    horizons : sequence of int
        Quarters ahead.
    inflation : float
        Factor of every spread in the forecasts.
    progress : callable, optional
        Told origins done.

    Returns
    -------
    Backtest
    """
    truth = truth_of(final, rulebook, capacity)
    judged: list[Judged] = []
    runs: list[Run] = []
    for number, origin in enumerate(origins, start=1):
        found, run = judge_origin(
            origin, truth, rulebook, horizons=horizons, paths=paths, seed=seed, method=method,
            capacity=capacity, inflation=inflation,
        )  # fmt: skip
        judged += found
        runs.append(run)
        if progress is not None:
            progress(number)
    keys = [(t, h) for t in dict.fromkeys(j.target for j in judged) for h in horizons]
    by_key = {key: [j for j in judged if (j.target, j.horizon) == key] for key in keys}
    scores = tuple(score_of(cases) for cases in by_key.values() if cases)
    headline = headline_of(rulebook).id
    lines = tuple(
        _line_score(by_key[headline, horizon], line, number)
        for number, line in enumerate(lines_of(rulebook, headline_of(rulebook)))
        for horizon in horizons
        if by_key.get((headline, horizon))
    )
    first = [s.inflation for s in scores if s.target == scores[0].target]
    return Backtest(
        scores, lines, tuple(runs), inflation=max(first, default=1.0), by_province=truth.by_province
    )


@dataclass(frozen=True)
class Truth:
    """What happened.

    Attributes
    ----------
    rows : mapping from code to row
    cluster : mapping from code to str
        Province where there are enough of them, else the government itself.
    by_province : bool
    first_quarter : int
        Ordinal of the first column.
    values : mapping from target to ndarray, shape (units, quarters)
    """

    rows: Mapping[str, int]
    cluster: Mapping[str, str]
    by_province: bool
    first_quarter: int
    values: Mapping[str, Array]

    def at(self, target: str, units: Sequence[str], quarter: int) -> Array:
        """Outcome of some governments in a quarter; NaN where unknown."""
        values = self.values[target]
        column = quarter - self.first_quarter
        if not 0 <= column < values.shape[1]:
            return np.full(len(units), np.nan)
        rows = np.array([self.rows.get(unit, -1) for unit in units], dtype=np.intp)
        return np.where(rows >= 0, values[rows, column], np.nan)


def headline_of(rulebook: Rulebook) -> Indicator:
    """Headline indicator of a rulebook."""
    return rulebook.indicator_named(rulebook.headline or rulebook.indicator[0].id)


def truth_of(panel: Panel, rulebook: Rulebook, capacity: str | None = None) -> Truth:
    """Take what happened from a panel: the headline indicator and the totals it has."""
    rows = {str(unit): row for row, unit in enumerate(panel.units.index)}
    province, names = province_of(panel.units)
    by_province = len(names) >= FEWEST_PROVINCES
    return Truth(
        rows=rows,
        cluster={unit: names[province[row]] if by_province else unit for unit, row in rows.items()},
        by_province=by_province,
        first_quarter=panel.first_quarter,
        values=_targets(panel, choose_basis(panel, capacity), rulebook),
    )


def _targets(panel: Panel, basis: Basis, rulebook: Rulebook) -> dict[str, Array]:
    """Headline indicator and totals of every quarter, shape (units, quarters) each."""
    inputs = history_inputs(panel, basis)
    shape = (len(panel.units), panel.quarters)
    headline = headline_of(rulebook)
    found = {headline.id: assess(rulebook, inputs).values[headline.id]}
    found |= {name: inputs[name] for name in FIGURES if name in inputs}
    return {name: np.broadcast_to(values, shape) for name, values in found.items()}


# -- one origin ------------------------------------------------------------------------------------


def judge_origin(
    origin: Origin,
    truth: Truth,
    rulebook: Rulebook,
    *,
    horizons: Sequence[int],
    paths: int,
    seed: int,
    method: Method = "auto",
    capacity: str | None = None,
    inflation: float = 1.0,
) -> tuple[list[Judged], Run]:
    """Forecast every target and horizon whose outcome is known, and judge the forecasts.

    Parameters
    ----------
    origin : Origin
    truth : Truth
    rulebook : Rulebook
    horizons : sequence of int
    paths, seed : int
        The draws of an origin have the seed ``seed + quarter``.
    method : {"auto", "bootstrap", "normal", "student"}
    capacity : str, optional
    inflation : float

    Returns
    -------
    list of Judged
    Run
    """
    panel, quarter = origin.panel, origin.quarter
    if panel.column(quarter) is None or not len(panel.units):
        return [], Run(quarter, "", "", 0)
    basis = choose_basis(panel, capacity)
    outlook = central_outlook(panel, basis, quarter, quarters=max(horizons), inflation=inflation)
    draws = draw_for(outlook, seed=seed + quarter, paths=paths, method=method)
    bench = _Bench.of(origin, basis, truth, rulebook, horizons=horizons, seed=seed)
    parts: dict[tuple[str, int], list[Judged]] = {}
    for first in range(0, len(bench.rows), CHUNK):
        rows = bench.rows[first : first + CHUNK]
        kept = _simulated(outlook, basis, bench.indicators, draws, rows=rows, horizons=horizons)
        for found in bench.judged(rows, kept):
            parts.setdefault((found.target, found.horizon), []).append(found)
    keys = [(target, h) for target in bench.names for h in horizons if (target, h) in parts]
    whole = [_joined(parts[key]) for key in keys]
    governments = {str(unit) for found in whole for unit in found.unit}
    return whole, Run(quarter, draws.method, outlook.drivers.step, len(governments))


def _simulated(
    outlook: Outlook,
    basis: Basis,
    indicators: Sequence[Indicator],
    draws: Draws,
    *,
    rows: NDArray[np.intp],
    horizons: Sequence[int],
) -> dict[str, Array]:
    """Simulate some units; the values at the horizons, shape (units, horizons, paths) each."""
    followed = follow(outlook, basis, indicators, rows)
    watch = watch_of(followed, (), quantiles_of=0)
    result = simulate(followed.books, draws, watch, keep=watch.indicators)
    columns = [h - 1 for h in horizons]
    return {
        name.removeprefix("figure_"): result.kept[:, k][:, columns].astype(np.float64)
        for k, name in enumerate(watch.indicators)
    }


@dataclass(frozen=True)
class _Bench:
    """What the forecasts of an origin are held against."""

    origin: int
    horizons: Sequence[int]
    names: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    lines: tuple[Line, ...]
    units: Words
    clusters: Words
    past: Mapping[str, Array]
    outcomes: Mapping[tuple[str, int], Array]
    rows: NDArray[np.intp]
    seed: int

    @classmethod
    def of(
        cls, origin: Origin, basis: Basis, truth: Truth, rulebook: Rulebook, *,
        horizons: Sequence[int], seed: int,
    ) -> _Bench:  # fmt: skip
        panel, quarter = origin.panel, origin.quarter
        headline = headline_of(rulebook)
        before = _targets(panel, basis, rulebook)
        column = quarter - panel.first_quarter
        yearly = np.arange(column % 4, column + 1, 4)
        names = [
            name for name in (headline.id, *FIGURES) if name in truth.values and name in before
        ]
        if not is_followable(headline):
            names = names[1:]
        units = np.array([str(u) for u in panel.units.index])
        past = {name: before[name][:, yearly] for name in names}
        outcomes = {
            (name, h): truth.at(name, list(units), quarter + h) for name in names for h in horizons
        }
        wanted = np.zeros(len(units), dtype=bool)
        for (name, _), outcome in outcomes.items():
            wanted |= np.isfinite(outcome) & np.isfinite(past[name][:, -1])
        province, _ = province_of(panel.units)
        # One order whatever the order of the panel; a province's shocks are drawn once.
        order = np.lexsort((units, province))
        return cls(
            origin=quarter,
            horizons=horizons,
            names=tuple(names),
            indicators=tuple(headline if n == headline.id else figure(n) for n in names),
            lines=lines_of(rulebook, headline),
            units=units,
            clusters=np.array([truth.cluster.get(str(u), str(u)) for u in units]),
            past=past,
            outcomes=outcomes,
            rows=order[wanted[order]],
            seed=seed,
        )

    def judged(self, rows: NDArray[np.intp], kept: Mapping[str, Array]) -> list[Judged]:
        """Judge the paths of some units: those with a figure, an outcome and whole paths."""
        found = []
        for name in self.names:
            past = self.past[name]
            for k, horizon in enumerate(self.horizons):
                outcome, last, sample = (
                    self.outcomes[name, horizon][rows],
                    past[rows, -1],
                    kept[name][:, k],
                )
                whole = np.isfinite(sample).mean(axis=1) > 0.9
                use = np.isfinite(outcome) & np.isfinite(last) & whole
                if use.any():
                    found.append(self._judged(name, horizon, rows[use], outcome[use], sample[use]))
        return found

    def _judged(
        self, name: str, horizon: int, rows: NDArray[np.intp], outcome: Array, sample: Array
    ) -> Judged:
        past = self.past[name]
        middle = np.nanmedian(np.where(np.isfinite(sample), sample, np.nan), axis=1)
        sample = np.where(np.isfinite(sample), sample, middle[:, None])
        lines = self.lines if name == self.indicators[0].id else ()
        rng = np.random.default_rng([self.seed, self.origin, horizon, int(rows[0])])
        return Judged(
            target=name,
            origin=self.origin,
            horizon=horizon,
            unit=self.units[rows],
            cluster=self.clusters[rows],
            outcome=outcome,
            last=past[rows, -1],
            quantiles=np.quantile(sample, QUANTILES, axis=1).T,
            pit=pit(sample, outcome, rng),
            crps=crps_sample(sample, outcome),
            crps_walk=crps_sample(walk(past, rows, horizon), outcome),
            crps_climate=crps_sample(climatology(past, rows, horizon), outcome),
            beyond=np.array([line.breached(sample).mean(axis=1) for line in lines]).reshape(
                len(lines), len(rows)
            ).T,
        )  # fmt: skip


def _joined(parts: Sequence[Judged]) -> Judged:
    first = parts[0]
    arrays = ("unit", "cluster", "outcome", "last", "quantiles", "pit", "crps", "crps_walk",
              "crps_climate", "beyond")  # fmt: skip
    joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in arrays}
    return Judged(target=first.target, origin=first.origin, horizon=first.horizon, **joined)


# -- scores ----------------------------------------------------------------------------------------


def score_of(cases: Sequence[Judged]) -> Score:
    """Score a quantity at a horizon over origins.

    Parameters
    ----------
    cases : sequence of Judged
        Of one target and horizon, at least one, in order of origin.

    Returns
    -------
    Score
    """
    whole = _joined(cases)
    places = whole.pit
    last = np.abs(whole.last)
    # A tiny figure at the origin would count for more than all others together.
    scale = np.maximum(last, max(0.1 * float(np.median(last)), 1e-12))
    widened, factor = _widened(cases)
    return Score(
        target=whole.target,
        horizon=whole.horizon,
        cases=len(whole.outcome),
        origins=len(cases),
        bands=tuple(_band(level, _inside(whole, level), whole.cluster) for level in LEVELS),
        crps=float((whole.crps / scale).mean()),
        crps_walk=float((whole.crps_walk / scale).mean()),
        crps_climate=float((whole.crps_climate / scale).mean()),
        wins=float((whole.crps < whole.crps_walk).mean()),
        pit=tuple(float(n) / len(places) for n in np.histogram(places, bins=10, range=(0, 1))[0]),
        pit_p=float(pit_chi2(places, bins=10, cluster=_numbers(whole.cluster)).p_value),
        above=float((places > 0.5).mean()),
        inflation=_factor(whole),
        widened=widened,
        widened_by=factor,
    )


def _factor(cases: Judged) -> float:
    """Find the factor of the half-widths that restores the 80 % band, at least 1."""
    asked = inflation_for_coverage(*cases.band(0.8), cases.outcome, 0.8)
    return 1.0 if np.isnan(asked) else float(min(asked, LARGEST_FACTOR))


def _inside(cases: Judged, level: float, factor: float = 1.0) -> Array:
    """1 where the band, its half-widths multiplied, holds the outcome, else 0."""
    middle, low, high = cases.band(level)
    if factor != 1.0:
        low, high = middle - factor * (middle - low), middle + factor * (high - middle)
    return ((cases.outcome >= low) & (cases.outcome <= high)).astype(np.float64)


def _numbers(cluster: Words) -> NDArray[np.int64]:
    return np.unique(cluster, return_inverse=True)[1].astype(np.int64)


def _band(level: float, inside: Array, cluster: Words) -> Band:
    interval = cluster_interval(inside, _numbers(cluster))
    return Band(level, interval.mean, interval.lower, interval.upper)


def _widened(cases: Sequence[Judged]) -> tuple[Band | None, float]:
    """Judge 80 % bands widened by what origins whose outcome was known by then ask for."""
    inside, clusters, factors = [], [], []
    for case in cases:
        earlier = [f for f in cases if f.origin + f.horizon <= case.origin]
        if earlier:
            factors.append(_factor(_joined(earlier)))
            inside.append(_inside(case, 0.8, factors[-1]))
            clusters.append(case.cluster)
    if not inside:
        return None, float("nan")
    band = _band(0.8, np.concatenate(inside), np.concatenate(clusters))
    return band, float(np.mean(factors))


def _line_score(cases: Sequence[Judged], line: Line, number: int) -> LineScore:
    """Brier score of P(beyond the line), units beyond it at the origin and others alike."""
    said = np.concatenate([case.beyond[:, number] for case in cases])
    happened, stood = (
        np.concatenate([line.breached(getattr(case, name)) for case in cases]).astype(np.float64)
        for name in ("outcome", "last")
    )
    base = np.concatenate(
        [np.full(len(case.last), line.breached(case.last).mean()) for case in cases]
    )
    return LineScore(
        indicator=line.indicator,
        line=line.value,
        inclusive=line.inclusive,
        horizon=cases[0].horizon,
        cases=len(said),
        events=int(happened.sum()),
        brier=brier(said, happened),
        base=brier(base, happened),
        stay=brier(stood, happened),
        said=float(said.mean()),
    )

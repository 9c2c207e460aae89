"""Judge a classifier on the past: rolling origins, every rule of thumb beside it, no shuffled row.

At each origin all models are fitted on rows whose outcome was known by then and judged on what
followed. What comes out is one value, from which the page, the JSON and the model card are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from debtwatch.early_warning.abstention import ALPHA, fit_conformal, realised_coverage
from debtwatch.early_warning.drift import (
    Bins,
    Cusum,
    Drift,
    InterceptUpdate,
    Shift,
    Vintage,
    cusum,
    drift_status,
    intercept_by_vintage,
    intercept_update,
    reference_bins,
    shifts,
)
from debtwatch.early_warning.fitted import Fitted
from debtwatch.early_warning.ladder import fit_models
from debtwatch.early_warning.metrics import (
    DRAWS,
    Difference,
    LeadTimes,
    ModelScore,
    SubgroupScore,
    differences,
    lead_times,
    quartile_labels,
    score_models,
    subgroups,
    watch_threshold,
)
from debtwatch.early_warning.promotion import Promotion, promote
from debtwatch.early_warning.sample import Array, Frequency, Mask, Note, Sample, Words
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.splits import Split, expanding_splits, settled_by

AVERAGE = "average"
#: Key columns of :attr:`Experiment.predictions`, before one column for each model.
KEYS = ("origin", "period", "unit", "group", "y", "event_period", "climatology_rate")


@dataclass(frozen=True)
class OriginSummary:
    """One origin of a back-test.

    Attributes
    ----------
    period : int
        Ordinal of the origin.
    train_first, train_last : int
        Periods of the training rows.
    train_rows, train_events, test_rows, test_events : int
    leaves : int or None
        Size of the trees, chosen on training rows.
    notes : tuple of Note
        What the models left out and why.
    knots : int or None
        Inner knots of the logit, chosen on training rows; None where no folds could choose.
    """

    period: int
    train_first: int
    train_last: int
    train_rows: int
    train_events: int
    test_rows: int
    test_events: int
    leaves: int | None
    notes: tuple[Note, ...]
    knots: int | None = None


@dataclass(frozen=True)
class Counts:
    """Rows of a sample.

    Attributes
    ----------
    rows : int
        A government at an origin, known or not.
    at_risk : int
        At risk at an origin of which outcomes are known: a window that is not over yet is no loss.
    censored : int
        Of these, outcome not known.
    events : int
    governments, groups, periods : int
    """

    rows: int
    at_risk: int
    censored: int
    events: int
    governments: int
    groups: int
    periods: int


@dataclass(frozen=True)
class Coverage:
    """Realised coverage of the conformal sets, fixed on origins before those they are judged on.

    Attributes
    ----------
    alpha : float
    events, others : float
        Share of events, and of the rest, whose outcome was in the set; NaN without any.
    uncertain : float
        Share of rows with both outcomes in the set.
    rows : int
    """

    alpha: float
    events: float
    others: float
    uncertain: float
    rows: int


@dataclass(frozen=True)
class Experiment:
    """A back-test.

    Attributes
    ----------
    spec : Spec
    frequency : {"year", "quarter"}
    production : str
        Id of the model whose probability is used: the average, or its only member.
    models : tuple of str
        Ids in the order of the ladder.
    origins : tuple of OriginSummary
    counts : Counts
    predictions : DataFrame
        A row for each test row: the columns :data:`KEYS`, then a probability for each model.
    scores : tuple of ModelScore
        Pooled over origins.
    differences : tuple of Difference
        The production model against each other one.
    promotion : Promotion
        Whether the challenger (the trees; their average with the logit where that is used) may
        replace the champion, the logit.
    lead : LeadTimes
    subgroups : tuple of SubgroupScore
    vintages : tuple of Vintage
    cusum : Cusum
    intercept : InterceptUpdate
    coverage : Coverage or None
    shifts : tuple of Shift
        Features of the newest test rows against the training rows before them.
    drift : Drift
    rules : tuple of str
        Versions by which outcomes were judged.
    leaked : tuple of str
        Features that moved when what was published later was changed; empty when clean.
    seed, draws : int
    absent : tuple of str
        Models that could be fitted at some origins but not at all, and so are not compared.
    """

    spec: Spec
    frequency: Frequency
    production: str
    models: tuple[str, ...]
    origins: tuple[OriginSummary, ...]
    counts: Counts
    predictions: pd.DataFrame
    scores: tuple[ModelScore, ...]
    differences: tuple[Difference, ...]
    promotion: Promotion
    lead: LeadTimes
    subgroups: tuple[SubgroupScore, ...]
    vintages: tuple[Vintage, ...]
    cusum: Cusum
    intercept: InterceptUpdate
    coverage: Coverage | None
    shifts: tuple[Shift, ...]
    drift: Drift
    rules: tuple[str, ...]
    leaked: tuple[str, ...]
    seed: int
    draws: int
    absent: tuple[str, ...] = ()

    def score_of(self, model: str) -> ModelScore:
        """Score of a model."""
        return next(s for s in self.scores if s.model == model)


def run_experiment(
    sample: Sample,
    spec: Spec,
    *,
    seed: int,
    draws: int = DRAWS,
    references: bool = False,
    leaked: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Experiment:
    """Fit and judge every model at every origin.

    Parameters
    ----------
    sample : Sample
        All rows, known or not.
    spec : Spec
    seed : int
        Of the trees and of the draws of clusters.
    draws : int
        Of clusters, for the intervals.
    references : bool
        Whether to fit a random forest and trees of usual size too; slow.
    leaked : tuple of str
        Features that failed the time-travel test.
    progress : callable, optional
        Told origins done and origins in all.

    Returns
    -------
    Experiment

    Raises
    ------
    DataProblem
        When there is no origin with enough before it, or only one class.
    """
    splits = expanding_splits(sample, spec)
    tests, origins = [], []
    leaves: int | None = None
    knots: int | None = None
    for k, split in enumerate(splits):
        models = fit_split(
            sample, split, spec, seed=seed, references=references, leaves=leaves, knots=knots
        )
        # With fewer rows a member may be impossible; one average is judged at all origins.
        spec = with_members(spec, models)
        # Sizes are chosen once, on the oldest rows: later rows then judge them too.
        leaves = leaves or chosen_leaves(models)
        knots = chosen_knots(models) if knots is None else knots
        tests.append(_predicted(sample, split, models, spec))
        origins.append(_summary(sample, split, models))
        if progress is not None:
            progress(k + 1, len(splits))
    table = _common(tests)
    last = splits[-1]
    return _judged(
        sample, spec, table, origins=tuple(origins), leaked=leaked, seed=seed, draws=draws,
        newest=(sample.take(last.train), sample.take(last.test)),
        absent=tuple({c: None for t in tests for c in t.columns if c not in table.columns}),
    )  # fmt: skip


def fit_split(
    sample: Sample,
    split: Split,
    spec: Spec,
    *,
    seed: int,
    references: bool = False,
    leaves: int | None = None,
    knots: int | None = None,
) -> dict[str, Fitted]:
    """Fit the ladder on the training rows of one split; see :func:`fit_models`."""
    history = sample.take(settled_by(sample, spec, split.origin))
    return fit_models(
        sample.take(split.train), spec, seed=seed, references=references, leaves=leaves,
        knots=knots, pool=history,
    )  # fmt: skip


def chosen_leaves(models: Mapping[str, Fitted]) -> int | None:
    """Size of the trees among some fitted models."""
    return models["trees"].leaves if "trees" in models else None


def chosen_knots(models: Mapping[str, Fitted]) -> int | None:
    """Inner knots of the logit among some fitted models; None where no folds could choose."""
    logit = models["logit"]
    return None if logit.out_of_fold is None else int(logit.estimator.knots)


def with_members(spec: Spec, models: Collection[str]) -> Spec:
    """Leave out members of the average that are not among some models, if any of them are.

    Parameters
    ----------
    spec : Spec
    models : collection of str
        Ids.

    Returns
    -------
    Spec
    """
    members = tuple(m for m in spec.members if m in models)
    return spec.model_copy(update={"members": members}) if members else spec


def production_of(models: Mapping[str, object], spec: Spec) -> str:
    """Id of the model whose probability is used.

    Parameters
    ----------
    models : mapping
        By id.
    spec : Spec

    Returns
    -------
    str
        The average where several of its members could be fitted, else the one that could; the
        logit when none could.
    """
    members = [m for m in spec.members if m in models]
    return AVERAGE if len(members) > 1 else (members or ["logit"])[0]


def _predicted(
    sample: Sample, split: Split, models: Mapping[str, Fitted], spec: Spec
) -> pd.DataFrame:
    """Probabilities of every model for the test rows of a split."""
    test = sample.take(split.test)
    keys: dict[str, object] = {
        "origin": np.full(len(test), split.origin),
        "period": test.period,
        "unit": test.unit,
        "group": test.group,
        "y": test.y,
        "event_period": test.event_period,
        "climatology_rate": np.full(len(test), float(sample.y[split.train].mean())),
    }
    return pd.DataFrame(keys | {name: m.probability(test) for name, m in models.items()})


def _common(tests: list[pd.DataFrame]) -> pd.DataFrame:
    """Stack the tests; only models that could be fitted at every origin are compared."""
    shared = [c for c in tests[0].columns if all(c in t.columns for t in tests)]
    return pd.concat([t[shared] for t in tests], ignore_index=True)


def _summary(sample: Sample, split: Split, models: Mapping[str, Fitted]) -> OriginSummary:
    y, period = sample.y, sample.period[split.train]
    notes = {str(n.values) + n.template: n for m in models.values() for n in m.notes}
    return OriginSummary(
        period=split.origin,
        train_first=int(period.min()),
        train_last=int(period.max()),
        train_rows=len(split.train),
        train_events=int(y[split.train].sum()),
        test_rows=len(split.test),
        test_events=int(y[split.test].sum()),
        leaves=chosen_leaves(models),
        notes=tuple(notes.values()),
        knots=chosen_knots(models),
    )


def _counts(sample: Sample) -> Counts:
    over = sample.at_risk & np.isin(sample.period, sample.period[sample.known])
    return Counts(
        rows=len(sample),
        at_risk=int(over.sum()),
        censored=int((over & np.isnan(sample.y)).sum()),
        events=int(np.nansum(sample.y[sample.known])),
        governments=len(set(sample.unit.tolist())),
        groups=len(set(sample.group.tolist())),
        periods=len(np.unique(sample.period)),
    )


@dataclass(frozen=True)
class _Table:
    """Columns of the predictions as arrays."""

    frame: pd.DataFrame
    models: tuple[str, ...]

    @property
    def y(self) -> Array:
        return self.frame["y"].to_numpy(np.float64)

    @property
    def group(self) -> Words:
        return self.frame["group"].to_numpy(object)

    @property
    def period(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return self.frame["period"].to_numpy(np.int64)

    @property
    def p(self) -> dict[str, Array]:
        return {m: self.frame[m].to_numpy(np.float64) for m in self.models}


def _judged(
    sample: Sample,
    spec: Spec,
    frame: pd.DataFrame,
    *,
    origins: tuple[OriginSummary, ...],
    newest: tuple[Sample, Sample],
    leaked: tuple[str, ...],
    absent: tuple[str, ...],
    seed: int,
    draws: int,
) -> Experiment:
    models = tuple(c for c in frame.columns if c not in KEYS)
    table = _Table(frame, models)
    production = production_of(dict.fromkeys(models), spec)
    p, y, best = table.p, table.y, table.p[production]
    scores = score_models(
        p, y, climatology=frame["climatology_rate"].to_numpy(np.float64), group=table.group,
        period=table.period, signals=spec.signals, draws=draws, seed=seed,
        frequency=sample.frequency,
    )  # fmt: skip
    gaps = differences(
        p, y, best=production, against=[m for m in models if m != production], group=table.group,
        period=table.period, draws=draws, seed=seed, frequency=sample.frequency,
    )  # fmt: skip
    labels = _subgroup_labels(table, sample, spec)
    parts = subgroups(best, y, labels=labels)
    vintages = intercept_by_vintage(best, y, table.period, table.group)
    errors = cusum(best, y, table.period, table.group)
    moved = _shifts(*newest, spec)
    return Experiment(
        spec=spec,
        frequency=sample.frequency,
        production=production,
        models=models,
        origins=origins,
        counts=_counts(sample),
        predictions=frame,
        scores=scores,
        differences=gaps,
        promotion=_promotion(table, scores, labels, spec, origins=len(origins), seed=seed,
                             draws=draws, frequency=sample.frequency),
        lead=lead_times(
            frame["unit"].to_numpy(object), table.period, best, y=y,
            event_period=frame["event_period"].to_numpy(np.float64),
            threshold=watch_threshold(spec.signals),
        ),
        subgroups=parts,
        vintages=vintages,
        cusum=errors,
        intercept=intercept_update(
            vintages, train_rate=float(newest[0].y.mean()), frequency=sample.frequency
        ),
        coverage=_coverage(best, y, table.period, _settled(table, sample, spec)),
        shifts=moved,
        drift=drift_status(
            features=moved, vintages=vintages, errors=errors, frequency=sample.frequency
        ),
        rules=tuple(sorted({str(r) for r in sample.rule[sample.known]})),
        leaked=leaked,
        seed=seed,
        draws=draws,
        absent=absent,
    )  # fmt: skip


def _promotion(
    table: _Table,
    scores: tuple[ModelScore, ...],
    labels: Mapping[str, Words],
    spec: Spec,
    *,
    origins: int,
    seed: int,
    draws: int,
    frequency: Frequency,
) -> Promotion:
    """Judge the challenger against the champion: the trees, or their average with the logit."""
    by_id = {s.model: s for s in scores}
    pair = AVERAGE if set(spec.members) == {"logit", "trees"} else "trees"
    challenger = next((m for m in (pair, "trees", "signal") if m in by_id), "logit")
    gaps = differences(
        table.p, table.y, best=challenger, against=["logit"], group=table.group,
        period=table.period, draws=draws, seed=seed, frequency=frequency,
    )  # fmt: skip
    return promote(
        challenger=by_id[challenger],
        champion=by_id["logit"],
        differences=gaps,
        origins=origins,
        challenger_subgroups=subgroups(table.p[challenger], table.y, labels=labels),
        champion_subgroups=subgroups(table.p["logit"], table.y, labels=labels),
    )


def _subgroup_labels(table: _Table, sample: Sample, spec: Spec) -> dict[str, Words]:
    """Label the test rows by province, and by quartile of nearness and of size."""
    labels: dict[str, Words] = {"province": table.group}
    x = sample.x.copy()
    x.index = pd.MultiIndex.from_arrays([sample.unit, sample.period])
    rows = pd.MultiIndex.from_frame(table.frame[["unit", "period"]])
    size = next((f for f in spec.feature if f.log), None)
    for feature in (spec.distance_feature, size):
        if feature is not None and x[feature.id].notna().any():
            labels[feature.id] = quartile_labels(
                x[feature.id].reindex(rows).to_numpy(np.float64), table.period
            )
    return labels


def _shifts(train: Sample, test: Sample, spec: Spec) -> tuple[Shift, ...]:
    """Shift of each feature from the training rows to the newest test rows."""
    found: dict[str, Bins] = {
        name: reference_bins(train.x[name].to_numpy(np.float64), train.period)
        for name in train.x.columns
    }
    return shifts(found, test.x, common=common_features(spec))


def common_features(spec: Spec) -> tuple[str, ...]:
    """Features that are one figure for all governments of a period, or of a province in it."""
    return tuple(f.id for f in spec.feature if f.measure in {"national", "peers"})


def _settled(table: _Table, sample: Sample, spec: Spec) -> Mask:
    """Tell which test rows had a known outcome on the day of the last origin."""
    known = settled_by(sample, spec, int(table.period.max()))
    of_row = pd.Series(known, index=pd.MultiIndex.from_arrays([sample.unit, sample.period]))
    rows = pd.MultiIndex.from_frame(table.frame[["unit", "period"]])
    return np.asarray(of_row.reindex(rows), dtype=bool)


def _coverage(
    p: Array, y: Array, period: np.ndarray[tuple[int], np.dtype[np.int64]], settled: Mask
) -> Coverage | None:
    """Fix conformal sets on the origins whose outcome was known before the last one, judge it."""
    last = int(period.max())
    before = settled & (period < last)
    if before.sum() == 0 or len(np.unique(y[before])) < 2:
        return None
    sets = fit_conformal(p[before], y[before], ALPHA)
    now = period == last
    held = realised_coverage(sets, p[now], y[now])
    return Coverage(ALPHA, held.events, held.others, held.uncertain, int(now.sum()))

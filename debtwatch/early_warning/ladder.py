"""The ladder of models, from the event rate alone to boosted trees, fitted to the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from debtwatch.early_warning.binary_classifier import THREADS
from debtwatch.early_warning.fitted import Fitted, average, calibrated
from debtwatch.early_warning.logit import HazardLogit
from debtwatch.early_warning.pooled_projection import PooledProjection, fit_pooled_projection
from debtwatch.early_warning.rules_of_thumb import (
    BestSignal,
    DistanceLogit,
    Extrapolation,
    GivenProbability,
    LevelAndTrend,
    Persistence,
    SignalComposite,
)
from debtwatch.early_warning.sample import Array, Note, Sample
from debtwatch.early_warning.spec import Feature, Spec, Target
from debtwatch.early_warning.splits import Positions, province_folds
from debtwatch.early_warning.trees import SmallTrees
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.rules.expression import TOLERANCE

#: Every model that may appear, in the order of tables.
MODELS = (
    "climatology", "persistence", "signal", "composite", "projection", "extrapolation",
    "distance", "trend", "logit", "trees", "logit_trees", "average",
)  # fmt: skip
#: Further ones, fitted only when asked for.
REFERENCES = ("forest", "full_trees")
Folds = Sequence[tuple[Positions, Positions]]


def fit_models(
    train: Sample,
    spec: Spec,
    *,
    seed: int,
    references: bool = False,
    leaves: int | None = None,
    knots: int | None = None,
    pool: Sample | None = None,
) -> dict[str, Fitted]:
    """Fit every model that the features allow, from the training rows alone.

    The size of the trees and the calibration of logit, trees and average come from the same folds
    by province. Rules of thumb are not calibrated further: their logit is one already.

    Parameters
    ----------
    train : Sample
        Rows at risk with a known outcome.
    spec : Spec
    seed : int
    references : bool
        Whether to fit :data:`REFERENCES` too; the forest is slow.
    leaves : int, optional
        Size of the trees, chosen before; without it the best of ``spec.trees.leaves`` is looked
        for.
    knots : int, optional
        Inner knots of the logit, chosen before; without it the best of ``spec.logit.knots``.
    pool : Sample, optional
        Every row whose outcome window had closed by the origin, at risk or not: from these the
        pooled projection learns how ratios move. The training rows by default.

    Returns
    -------
    dict of str to Fitted
        In the order of :data:`MODELS`. Without a projection there is no ``projection``; without a
        feature that tells how near the line is, none of the rules that need one. ``average`` is of
        those of ``spec.members`` that are there, and is there when they are two or more;
        ``logit_trees`` is that of these two where they are not the members.

    Raises
    ------
    DataProblem
        When the rows hold no event, or nothing but events; when no member of the average can be
        fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> n = 400
    >>> x = pd.DataFrame({"debt": np.linspace(0, 1, n)})
    >>> y = (np.arange(n) % 7 < 7 * x["debt"].to_numpy() ** 2).astype(float)
    >>> words = np.array([f"{i % 10}" for i in range(n)], dtype=object)
    >>> rows = Sample(unit=words, group=words, period=np.full(n, 2020), x=x, y=y,
    ...     at_risk=np.ones(n, bool), event_period=np.full(n, np.nan), rule=words,
    ...     projection=None, frequency="year")
    >>> spec = Spec.model_validate({"id": "demo", "title": {"zh": "示例", "en": "Demo"},
    ...     "country": "BR", "target": {"kind": "entry", "horizon": 1, "ratio": "debt", "line": 1},
    ...     "feature": [{"id": "debt", "of": "debt", "sign": "+",
    ...                  "label": {"zh": "债务", "en": "Debt"}}]})
    >>> models = fit_models(rows, spec, seed=0, leaves=3)
    >>> list(models)
    ['climatology', 'persistence', 'signal', 'composite', 'distance', 'logit', 'trees', 'average']
    >>> bool(models["average"].probability(rows)[-1] > 0.5)
    True
    """
    if not train.known.all():
        raise ValueError("every training row must be at risk and have a known outcome")
    check_both_outcomes(train.y)
    with threadpool_limits(limits=THREADS):
        sizes = {"leaves": leaves, "knots": knots}
        models = dict(_fitted(train, spec, seed=seed, pool=pool or train, **sizes))
        members = tuple(models[m] for m in spec.members if m in models)
        if not members:
            raise _no_member(spec)
        if len(members) > 1:
            models["average"] = average(members, train.y)
        if "trees" in models and {m.id for m in members} != {"logit", "trees"}:
            pair = average((models["logit"], models["trees"]), train.y)
            models["logit_trees"] = replace(pair, id="logit_trees")
    for name, estimator in _references(spec, seed) if references else ():
        models[name] = _plain_fit(name, estimator, train)
    return {name: models[name] for name in (*MODELS, *REFERENCES) if name in models}


def _fitted(
    train: Sample,
    spec: Spec,
    *,
    seed: int,
    leaves: int | None,
    knots: int | None,
    pool: Sample,
) -> Iterator[tuple[str, Fitted]]:
    """Fit the models, average and references apart."""
    folds = province_folds(train.group, train.y)
    for name, estimator in _thumb_rules(train, spec):
        yield name, _plain_fit(name, estimator, train)
    yield "logit", fit_logit(train, spec, folds, knots=knots)
    members = spec.members
    for found in (
        fit_trees(train, spec, seed=seed, leaves=leaves),
        fit_distance(train, spec, folds if "distance" in members else ()),
        fit_projection(train, spec, pool=pool, folds=folds if "projection" in members else ()),
    ):
        if found is not None:
            yield found.id, found


def _no_member(spec: Spec) -> DataProblem:
    return DataProblem(
        N_(
            "None of the models that the specification asks for ({members}) can be fitted to these"
            " data. Name logit among the members, or give the column of the ratio, the line or the"
            " projection that they need."
        ),
        members=", ".join(spec.members),
    )


def check_both_outcomes(y: Array) -> None:
    """Refuse rows from which no risk can be learned.

    Parameters
    ----------
    y : ndarray, shape (rows,)
        1 and 0.

    Raises
    ------
    DataProblem
        When there is no event, or nothing but events.
    """
    events = int(np.sum(y))
    if 0 < events < len(y):
        return
    raise DataProblem(
        N_(
            "A classifier cannot be trained on these rows: {events} of {rows} are events, and it"
            " needs rows of both kinds (at least 50 of each to calibrate it). Add earlier periods"
            " or more governments, or choose a line, class or horizon with more events."
        ),
        events=events, rows=len(y),
    )  # fmt: skip


def fit_logit(train: Sample, spec: Spec, folds: Folds, *, knots: int | None = None) -> Fitted:
    """Fit and calibrate the champion; arguments as of :func:`fit_models`."""
    features = tuple(train.x.columns)
    settings = spec.logit
    tried = [
        HazardLogit(_signs(spec, features), c=settings.c, knots=number, winsor=settings.winsor)
        for number in (sorted(set(settings.knots)) if knots is None else [knots])
    ]
    told = [_out_of_fold(each, train.x, train.y, folds) for each in tried if folds]
    best = int(np.argmin([_log_loss(odds, train.y) for odds in told])) if told else 0
    estimator, raw = tried[best], told[best] if told else None
    estimator.fit(train.x, train.y)
    notes = [*_left_out(estimator.left_out_)]
    if estimator.firth_:
        notes.append(
            Note(
                N_(
                    "The logit has {events} events for {features} features, fewer than ten each: it"
                    " was fitted with Firth's penalty, and its figures are uncertain."
                ),
                {"events": int(train.y.sum()), "features": len(estimator.effects_)},
            )
        )
    return calibrated(Fitted("logit", estimator, features, notes=tuple(notes)), raw, train.y)


def _log_loss(log_odds: Array | None, y: Array) -> float:
    """Mean of ``ln(1 + exp s) - y s``."""
    odds = np.zeros(len(y)) if log_odds is None else log_odds
    return float((np.logaddexp(0.0, odds) - y * odds).mean())


def fit_trees(train: Sample, spec: Spec, *, seed: int, leaves: int | None = None) -> Fitted | None:
    """Fit and calibrate the challenger; None where no feature has enough figures."""
    features, settings = tuple(train.x.columns), spec.trees
    estimator = SmallTrees(
        _signs(spec, features),
        leaves=settings.leaves if leaves is None else (leaves,),
        rounds=settings.rounds, rate=settings.rate, least_rows=settings.least_rows,
        l2=settings.l2, random_state=seed,
    ).fit(train.x, train.y, train.group)  # fmt: skip
    if estimator.model_ is None:
        return None
    fitted = Fitted("trees", estimator, features, leaves=estimator.leaves_,
                    notes=_left_out(estimator.left_out_))  # fmt: skip
    return calibrated(fitted, estimator.out_of_fold_, train.y)


def fit_distance(train: Sample, spec: Spec, folds: Folds = ()) -> Fitted | None:
    """Fit the logit of the distance to the line alone; None without such a feature."""
    distance = _usable(spec.distance_feature, train)
    if distance is None:
        return None
    column = list(train.x.columns).index(distance.id)
    estimator = DistanceLogit(column, sign=_direction(distance)).fit(train.x, train.y)
    raw = _out_of_fold(estimator, train.x, train.y, folds)
    return Fitted("distance", estimator, tuple(train.x.columns), out_of_fold=raw)


def fit_projection(train: Sample, spec: Spec, *, pool: Sample, folds: Folds = ()) -> Fitted | None:
    """Take the projection that comes with the sample, else learn a pooled one of the ratio.

    None without either: no projection given, and no ratio, or too few complete windows.
    """
    if train.projection is not None and not np.isnan(train.projection).all():
        given = _plain_fit("projection", GivenProbability(), train)
        raw = given.log_odds(train) if folds else None
        return replace(given, out_of_fold=raw)
    if spec.target.ratio is None or spec.target.kind != "entry" or pool.now is None:
        return None
    features = tuple(train.x.columns)
    try:
        fitted = Fitted("projection", _pooled(pool, spec), features)
        if not folds:
            return fitted
        raw = np.empty(len(train))
        for _, judge in folds:
            others = pool.take(~pd.Index(pool.group).isin(train.group[judge]))
            part = replace(fitted, estimator=_pooled(others, spec))
            raw[judge] = part.log_odds(train.take(judge))
    except DataProblem:
        return None
    return calibrated(fitted, raw, train.y)


def _pooled(pool: Sample, spec: Spec) -> PooledProjection:
    target = spec.target
    if pool.now is None or pool.extreme is None or target.line is None:
        raise ValueError("a pooled projection needs the ratio, its extreme and a line")
    return fit_pooled_projection(
        pool.x.to_numpy(np.float64), pool.now, pool.extreme,
        line=target.line, upward=target.operator in (">=", ">"),
    )  # fmt: skip


def _out_of_fold(estimator: Any, x: pd.DataFrame, y: Array, folds: Folds) -> Array | None:
    if not folds:
        return None
    raw = np.empty(len(y))
    for learn, judge in folds:
        part = clone(estimator).fit(x.iloc[learn], y[learn])
        raw[judge] = part.log_odds(x.iloc[judge])
    return raw


def _plain_fit(name: str, estimator: Any, train: Sample) -> Fitted:
    features = () if name == "projection" else tuple(train.x.columns)
    fitted = Fitted(name, estimator, features)
    estimator.fit(fitted.inputs(train), train.y)
    return fitted


def _thumb_rules(train: Sample, spec: Spec) -> Iterator[tuple[str, Any]]:
    """Rules of thumb that the features allow."""
    names = list(train.x.columns)
    signs = _signs(spec, names)
    place = {name: j for j, name in enumerate(names)}
    distance = _usable(spec.distance_feature, train)
    trend = _usable(spec.trend_feature, train)
    yield "climatology", DummyClassifier(strategy="prior")
    state = _state(spec, distance, place)
    if state is not None:
        yield "persistence", state
    yield "signal", BestSignal(signs)
    yield "composite", SignalComposite(signs)
    if distance is None or trend is None:
        return
    columns = (place[distance.id], place[trend.id])
    directions = (_direction(distance), _direction(trend))
    yield "trend", LevelAndTrend(columns, signs=directions)
    if (trend.of, trend.log) == (distance.of, distance.log):
        yield (
            "extrapolation",
            Extrapolation(
                columns, signs=directions, periods=trend.periods or 1, horizon=spec.target.horizon
            ),
        )


def _usable(feature: Feature | None, train: Sample) -> Feature | None:
    """Keep a feature that is there and has a figure; a sign left open tells no direction."""
    if feature is None or feature.id not in train.x.columns:
        return None
    return None if train.x[feature.id].isna().all() else feature


def _direction(feature: Feature) -> str:
    """Sign of a feature; of one left open, that of its measure."""
    if feature.sign != "0":
        return feature.sign
    return "-" if feature.measure == "distance" else "+"


def _state(spec: Spec, distance: Feature | None, place: dict[str, int]) -> Persistence | None:
    """Choose persistence by class now for status, by nearness to the line for entry."""
    target = spec.target
    if target.kind == "status" and target.class_column is not None:
        words = [
            place[f.id]
            for f in spec.feature
            if f.measure == "is" and f.of == target.class_column and not f.lag and f.id in place
        ]
        if words:
            return Persistence(tuple(words), edges=())
    if distance is None:
        return None
    column = (place[distance.id],)
    if target.kind == "status" and target.ratio is not None and distance.of == target.ratio:
        return Persistence(column, edges=(_line_in(distance, target),))
    return Persistence(column)


def _line_in(distance: Feature, target: Target) -> float:
    """Figure of a feature from which on it stands on the upper side of the line.

    Who is on the line itself belongs to the class where the operator says so.
    """
    line, upward = float(target.line or 0.0), target.operator in (">=", ">")
    on_line = TOLERANCE * max(1.0, abs(line)) * (1 if target.operator in (">=", "<=") else -1)
    if distance.measure == "distance":
        return on_line
    edge = line - on_line if upward else line + on_line
    if distance.log:
        return float(np.log(edge)) if edge > 0 else -np.inf
    return edge


def _references(spec: Spec, seed: int) -> Iterator[tuple[str, Any]]:
    forest = RandomForestClassifier(400, min_samples_leaf=20, random_state=seed, n_jobs=2)
    yield "forest", make_pipeline(FunctionTransformer(_single), forest)
    settings = spec.trees
    yield (
        "full_trees",
        SmallTrees(
            leaves=(15,), rounds=settings.rounds, rate=settings.rate, least_rows=20,
            l2=settings.l2, random_state=seed,
        ),
    )  # fmt: skip


def _single(x: Any) -> Any:
    """Hold figures where the forest's single precision can."""
    return np.clip(np.asarray(x, dtype=float), -1e30, 1e30)


def _signs(spec: Spec, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(spec.feature_named(name).sign for name in names)


def _left_out(names: Sequence[str]) -> tuple[Note, ...]:
    if not names:
        return ()
    template = N_(
        "Features left out, because fewer than 50 figures are known in training or all are alike:"
        " {features}."
    )
    return (Note(template, {"features": ", ".join(names)}),)

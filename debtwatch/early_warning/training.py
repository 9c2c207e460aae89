"""Fit the classifier that is used, on every row whose outcome is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from debtwatch.early_warning.abstention import Conformal, fit_conformal, fit_envelope
from debtwatch.early_warning.drift import reference_bins
from debtwatch.early_warning.experiment import (
    Experiment,
    common_features,
    production_of,
    with_members,
)
from debtwatch.early_warning.ladder import fit_models
from debtwatch.early_warning.logit import HazardLogit
from debtwatch.early_warning.pooled_projection import PooledProjection
from debtwatch.early_warning.rules_of_thumb import DistanceLogit
from debtwatch.early_warning.sample import Array, Sample
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.trained import Production, Trained, group_medians
from debtwatch.early_warning.trees import SmallTrees

#: Conformal sets are fixed on at least so many rows of each outcome, the newest judged ones.
CONFORMAL_ROWS = 20


def train(
    sample: Sample,
    spec: Spec,
    experiment: Experiment,
    *,
    sources: Mapping[str, str],
    versions: Mapping[str, str],
    seed: int,
) -> Trained:
    """Fit the models of a classifier once more, on all rows with a known outcome.

    Parameters
    ----------
    sample : Sample
        All rows.
    spec : Spec
    experiment : Experiment
        Of the same sample: the size of the trees, the knots of the logit and the conformal sets
        come from it, for they must not be fixed on rows that the models have seen.
    sources, versions : mapping of str to str
        SHA-256 of each table, and version of each package that can move a figure.
    seed : int

    Returns
    -------
    Trained

    Raises
    ------
    DataProblem
        When there are no events, or nothing but events.
    """
    rows = sample.take(sample.known)
    leaves = next((o.leaves for o in experiment.origins if o.leaves is not None), None)
    knots = next((o.knots for o in experiment.origins if o.knots is not None), None)
    # The average in use is of the members that were judged, though more could be fitted by now.
    judged = with_members(spec, experiment.models)
    models = fit_models(rows, judged, seed=seed, leaves=leaves, knots=knots, pool=sample)
    production = production_of(models, judged)
    estimators = {name: m.estimator for name, m in models.items()}
    projection, distance = estimators.get("projection"), estimators.get("distance")
    members = tuple(m for m in judged.members if m in models)
    logit, trees = estimators["logit"], estimators.get("trees")
    assert isinstance(logit, HazardLogit)  # noqa: S101 - the ladder always holds it
    return Trained(
        spec=spec,
        frequency=sample.frequency,
        logit=logit,
        trees=trees if isinstance(trees, SmallTrees) else None,
        calibration={
            name: models[name].calibration
            for name in ("logit", "trees", "average", "projection", "distance")
            if name in models
        },
        production=_production(production),
        members=members,
        base_rate=float(rows.y.mean()),
        bins={n: reference_bins(rows.x[n].to_numpy(np.float64), rows.period) for n in spec.names},
        score_bins=reference_bins(models[production].probability(rows), rows.period),
        envelope=fit_envelope(rows.x, common=common_features(spec)),
        conformal=newest_conformal(experiment),
        medians=group_medians(rows),
        train_first=int(rows.period.min()),
        train_last=int(rows.period.max()),
        rows=len(rows),
        events=int(rows.y.sum()),
        groups=len(set(rows.group.tolist())),
        rules=tuple(sorted({str(r) for r in rows.rule})),
        sources=dict(sources),
        versions=dict(versions),
        seed=seed,
        projection=projection
        if isinstance(projection, PooledProjection) and "projection" in members
        else None,
        distance=distance
        if isinstance(distance, DistanceLogit) and "distance" in members
        else None,
    )


def _production(name: str) -> Production:
    """Narrow the name of the model in use."""
    found: dict[str, Production] = {
        "average": "average",
        "logit": "logit",
        "trees": "trees",
        "projection": "projection",
        "distance": "distance",
    }
    return found[name]


def newest_conformal(experiment: Experiment) -> Conformal | None:
    """Fix conformal sets on the newest judged rows, going back until both outcomes are enough.

    Parameters
    ----------
    experiment : Experiment

    Returns
    -------
    Conformal or None
        None where not even all origins together hold :data:`CONFORMAL_ROWS` of each.
    """
    table = experiment.predictions
    y = table["y"].to_numpy(np.float64)
    period = table["period"].to_numpy(np.int64)
    for first in np.unique(period)[::-1]:
        rows = period >= first
        if min(float(y[rows].sum()), float((1 - y[rows]).sum())) >= CONFORMAL_ROWS:
            p: Array = table.loc[rows, experiment.production].to_numpy(np.float64)
            return fit_conformal(p, y[rows])
    return None

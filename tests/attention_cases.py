"""Invented counties in a store, and a classifier trained on them, for tests of the store path."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from debtwatch.early_warning.abstention import fit_conformal, fit_envelope
from debtwatch.early_warning.drift import reference_bins
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.ladder import fit_models
from debtwatch.early_warning.sample import Sample
from debtwatch.early_warning.spec import Spec, load_spec
from debtwatch.early_warning.store_rows import observations_of_store
from debtwatch.early_warning.trained import Trained, group_medians
from debtwatch.panel.importing import import_files
from debtwatch.panel.period import quarter
from debtwatch.panel.store import open_store
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.synthetic import write_counties
from tests.conftest import ROOT

COUNTIES, SEED, PATHS = 60, 3, 200
AS_OF = dt.date(2026, 11, 1)
REPORT_QUARTER = quarter(2025, 4)


def county_spec(**changes: object) -> Spec:
    """Specification that is shipped for counties, of invented ones."""
    shipped = load_spec(ROOT / "models" / "early_warning" / "specs" / "cn-counties-entry.toml")
    trees = shipped.trees.model_copy(update={"rounds": 20, "leaves": (3,)})
    # Few counties enter: with these thresholds some of them give each signal.
    signals = shipped.signals.model_copy(update={"miss_weight": 0.98, "alert": 0.15})
    return shipped.model_copy(
        update={"synthetic": True, "trees": trees, "signals": signals, **changes}
    )


@cache
def counties() -> Path:
    """Store of invented counties, quarterly accounts of twelve years with their faults."""
    folder = Path(tempfile.mkdtemp(prefix="debtwatch-counties-"))
    files = write_counties(folder / "set", counties=COUNTIES, seed=SEED, workbooks=False)
    path = folder / "counties.duckdb"
    import_files(list(files.tables), path, known_from=None, today=AS_OF)
    return path


@cache
def training_rows() -> Sample:
    """Rows of a few origins of these counties."""
    spec, books = county_spec(), load_rulebooks()
    origins = range(quarter(2017, 4), quarter(2024, 4), 2)
    with open_store(counties()) as store:
        observations, projection = observations_of_store(
            store, spec, as_of=AS_OF, books=books, origins=origins, paths=PATHS
        )
    sample = build_sample(
        observations, spec, books=books, origins=list(origins), projection=projection
    )
    return sample.take(sample.known)


@cache
def county_model() -> Trained:
    """Classifier trained on the rows, without drift by construction."""
    rows, spec = training_rows(), county_spec()
    models = fit_models(rows, spec, seed=1)
    p = models["average"].probability(rows)
    return Trained(
        spec=spec, frequency="quarter", logit=models["logit"].estimator,
        trees=models["trees"].estimator,
        calibration={name: models[name].calibration for name in ("logit", "trees", "average")},
        production="average", members=("logit", "trees"), base_rate=float(rows.y.mean()),
        bins={name: reference_bins(rows.x[name].to_numpy()) for name in rows.x},
        score_bins=reference_bins(p), envelope=fit_envelope(rows.x),
        conformal=fit_conformal(p, rows.y), medians=group_medians(rows),
        train_first=int(rows.period.min()), train_last=int(rows.period.max()), rows=len(rows),
        events=int(rows.y.sum()), groups=len(np.unique(rows.group)),
        rules=("cn-debt-tiers@2018",), sources={"counties.csv": "0" * 64},
        versions={"scikit-learn": metadata.version("scikit-learn")}, seed=1,
    )  # fmt: skip


def of_country(country: str) -> Trained:
    """Give the same classifier as if it were of another country."""
    model = county_model()
    return replace(model, spec=model.spec.model_copy(update={"country": country}))

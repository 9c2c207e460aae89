"""A trained classifier as readable JSON: every number exact, every entry checked when read.

Floats are written with all the digits they need, so that what is read equals what was written.
Nothing in the text can run. Reading refuses unknown, missing and repeated entries, numbers that
are not finite, and lists of the wrong length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, Literal, get_args

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError
from sklearn.ensemble import HistGradientBoostingClassifier

from debtwatch.early_warning.abstention import Conformal, Envelope
from debtwatch.early_warning.calibration import Platt
from debtwatch.early_warning.drift import Bins
from debtwatch.early_warning.logit import HazardLogit
from debtwatch.early_warning.pooled_projection import TERMS, PooledProjection
from debtwatch.early_warning.rules_of_thumb import DistanceLogit, Squash
from debtwatch.early_warning.sample import Frequency
from debtwatch.early_warning.spec import Member, Sign, Spec
from debtwatch.early_warning.spec_faults import faults_in_words
from debtwatch.early_warning.trained import EVERYWHERE, Production, Trained
from debtwatch.early_warning.trees import SmallTrees
from debtwatch.errors import DebtwatchError

FORMAT: Final = "debtwatch classifier 1"
Count = Annotated[int, Field(ge=0, le=10**12)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Platt(_Part):
    intercept: FiniteFloat
    slope: Annotated[FiniteFloat, Field(gt=0)]


class _Distance(_Part):
    feature: str
    sign: Literal["+", "-"]
    intercept: FiniteFloat
    slope: FiniteFloat
    missing: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat


class _TreeSettings(_Part):
    leaves: tuple[int, ...]
    rounds: int
    rate: FiniteFloat
    least_rows: int
    l2: FiniteFloat
    random_state: int


class _Trees(_Part):
    settings: _TreeSettings
    signs: tuple[Sign, ...] | None
    names: tuple[str, ...] | None
    features: Count
    classes: tuple[FiniteFloat, FiniteFloat]
    columns: tuple[Count, ...]
    left_out: tuple[str, ...]
    chosen: Count
    losses: dict[str, FiniteFloat]
    base: FiniteFloat


class _Medians(_Part):
    groups: tuple[str, ...]
    rows: tuple[tuple[FiniteFloat | None, ...], ...]


class _Training(_Part):
    first: int
    last: int
    rows: Count
    events: Count
    groups: Count
    rules: tuple[str, ...]
    sources: dict[str, str]
    versions: dict[str, str]
    seed: int


class ModelRecord(_Part):
    """Entries of ``model.json``, each of its kind; whether they fit each other is seen later."""

    format: Literal["debtwatch classifier 1"]
    spec: Spec
    frequency: Frequency
    production: Production
    members: Annotated[tuple[Member, ...], Field(min_length=1)]
    base_rate: Annotated[FiniteFloat, Field(ge=0, le=1)]
    intercept_shift: FiniteFloat
    calibration: dict[Literal["logit", "trees", "projection", "distance", "average"], _Platt]
    logit: dict[str, Any]
    trees: _Trees | None
    projection: dict[str, FiniteFloat | bool | tuple[FiniteFloat, ...]] | None
    distance: _Distance | None
    bins: dict[str, dict[str, Any]]
    score_bins: dict[str, Any]
    envelope: dict[str, Any]
    conformal: dict[str, Any] | None
    medians: _Medians
    training: _Training
    check: dict[str, tuple[FiniteFloat, ...]]


def model_json(trained: Trained, check: Mapping[str, list[float]]) -> bytes:
    """Write a classifier as JSON; the boosted trees themselves stand in their own file.

    Parameters
    ----------
    trained : Trained
    check : mapping of str to list of float
        Log-odds of known rows by the name of the model, to be found again when it is read.

    Returns
    -------
    bytes
        UTF-8; equal for equal classifiers.

    Raises
    ------
    ValueError
        When a number is not finite.
    """
    values = trained.medians.to_numpy(np.float64)
    record = {
        "format": FORMAT,
        "spec": trained.spec.model_dump(mode="json", by_alias=True),
        "frequency": trained.frequency,
        "production": trained.production,
        "members": list(trained.members),
        "base_rate": float(trained.base_rate),
        "intercept_shift": float(trained.intercept_shift),
        "calibration": {
            name: {"intercept": platt.intercept, "slope": platt.slope}
            for name, platt in trained.calibration.items()
            if name in (*get_args(Member), "average")
        },
        "logit": trained.logit.to_dict(),
        "trees": None if trained.trees is None else trained.trees.to_dict(),
        "projection": None if trained.projection is None else _numbers(trained.projection),
        "distance": None if trained.distance is None else _plain_distance(trained.distance),
        "bins": {name: bins.to_dict() for name, bins in trained.bins.items()},
        "score_bins": trained.score_bins.to_dict(),
        "envelope": trained.envelope.to_dict(),
        "conformal": None if trained.conformal is None else trained.conformal.to_dict(),
        "medians": {
            "groups": [str(g) for g in trained.medians.index],
            "rows": [[None if np.isnan(v) else float(v) for v in row] for row in values],
        },
        "training": {
            "first": int(trained.train_first),
            "last": int(trained.train_last),
            "rows": int(trained.rows),
            "events": int(trained.events),
            "groups": int(trained.groups),
            "rules": list(trained.rules),
            "sources": dict(trained.sources),
            "versions": dict(trained.versions),
            "seed": int(trained.seed),
        },
        "check": {name: list(values) for name, values in check.items()},
    }
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1)
    return text.encode() + b"\n"


def read_record(content: bytes) -> ModelRecord:
    """Read and check the entries of a model's JSON.

    Raises
    ------
    ValueError
        Saying what is wrong and where.
    """
    try:
        text = content.decode("utf-8")
        json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        return ModelRecord.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(faults_in_words(error, ModelRecord)(str)) from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        twice = next(n for k, n in enumerate(names) if n in names[:k])
        raise ValueError(f"the entry {twice} is given twice")
    return dict(pairs)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def restore(record: ModelRecord, boosted: HistGradientBoostingClassifier | None) -> Trained:
    """Put a classifier together from its checked entries and its trees.

    Parameters
    ----------
    record : ModelRecord
    boosted : HistGradientBoostingClassifier or None
        None where the record has no trees, or trees that found no usable column.

    Raises
    ------
    ValueError
        When parts do not fit each other.
    """
    try:
        return _restored(record, boosted)
    except DebtwatchError as error:
        raise ValueError(str(error)) from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"an entry is missing or of the wrong kind ({error})") from error


def _restored(record: ModelRecord, boosted: HistGradientBoostingClassifier | None) -> Trained:
    names = record.spec.names
    trees = (
        None if record.trees is None else SmallTrees.from_dict(record.trees.model_dump(), boosted)
    )
    if trees is not None:
        _check_trees(trees, names)
    training = record.training
    trained = Trained(
        spec=record.spec,
        frequency=record.frequency,
        logit=HazardLogit.from_dict(record.logit),
        trees=trees,
        calibration={k: Platt(p.intercept, p.slope) for k, p in record.calibration.items()},
        production=record.production,
        members=record.members,
        base_rate=record.base_rate,
        intercept_shift=record.intercept_shift,
        bins={name: Bins.from_dict(bins) for name, bins in record.bins.items()},
        score_bins=Bins.from_dict(record.score_bins),
        envelope=Envelope.from_dict(record.envelope),
        conformal=None if record.conformal is None else Conformal.from_dict(record.conformal),
        medians=_medians(record.medians, names),
        train_first=training.first,
        train_last=training.last,
        rows=training.rows,
        events=training.events,
        groups=training.groups,
        rules=training.rules,
        sources=training.sources,
        versions=training.versions,
        seed=training.seed,
        projection=None if record.projection is None else _projection(record, len(names)),
        distance=None if record.distance is None else _distance(record.distance, names),
    )
    _check_fit(trained)
    return trained


def _check_trees(trees: SmallTrees, names: tuple[str, ...]) -> None:
    columns = trees.columns_
    if trees.n_features_in_ != len(names):
        raise ValueError(f"trees: they take {trees.n_features_in_} features, not {len(names)}")
    if (columns >= len(names)).any() or (np.diff(columns) <= 0).any():
        raise ValueError("trees.columns: they are not columns in order")
    if (trees.model_ is None) != (len(columns) == 0):
        raise ValueError("trees: there are columns without trees, or trees without columns")


def _check_fit(trained: Trained) -> None:
    """Look whether the parts speak of the same features."""
    names = set(trained.spec.names)
    spoken = {
        "logit": getattr(trained.logit, "feature_names_in_", ()),
        "trees": getattr(trained.trees, "feature_names_in_", ()),
        "bins": trained.bins,
        "envelope": trained.envelope.names,
    }
    for part, given in spoken.items():
        strange = sorted(set(given) - names)
        if strange:
            raise ValueError(f"{part}: {strange[0]} is not a feature of the specification")
    used = {trained.production, *trained.members}
    for part in ("trees", "distance"):
        if part in used and getattr(trained, part) is None:
            raise ValueError(f"{part}: used but not there")
    if trained.events > trained.rows or trained.train_first > trained.train_last:
        raise ValueError("training: its counts or periods do not fit each other")


def _medians(record: _Medians, names: tuple[str, ...]) -> pd.DataFrame:
    groups = record.groups
    if EVERYWHERE not in groups or len(set(groups)) < len(groups):
        raise ValueError("medians.groups: one is given twice, or that over all is missing")
    if len(record.rows) != len(groups) or {len(r) for r in record.rows} != {len(names)}:
        raise ValueError("medians.rows: their number does not fit")
    values = [[np.nan if v is None else v for v in row] for row in record.rows]
    return pd.DataFrame(values, index=list(groups), columns=list(names), dtype=np.float64)


def _plain_distance(distance: DistanceLogit) -> dict[str, object]:
    return {
        "feature": str(distance.feature_names_in_[distance.column]),
        "sign": distance.sign,
        "intercept": distance.intercept_,
        "slope": distance.slope_,
        "missing": distance.missing_,
        "low": distance.squash_.low,
        "high": distance.squash_.high,
    }


def _distance(record: _Distance, names: tuple[str, ...]) -> DistanceLogit:
    if record.feature not in names or not record.low < record.high:
        raise ValueError("distance: its feature is unknown, or its range is empty")
    fitted = DistanceLogit(names.index(record.feature), sign=record.sign)
    fitted.n_features_in_, fitted.classes_ = len(names), np.array([0.0, 1.0])
    fitted.feature_names_in_ = np.array(names, dtype=object)
    fitted.intercept_, fitted.slope_ = record.intercept, record.slope
    fitted.missing_, fitted.squash_ = record.missing, Squash(record.low, record.high)
    return fitted


def _numbers(projection: PooledProjection) -> dict[str, object]:
    """Fields of a pooled projection as plain numbers and lists."""
    found: dict[str, object] = {}
    for field in fields(projection):
        value = getattr(projection, field.name)
        found[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
    return found


def _projection(record: ModelRecord, features: int) -> PooledProjection:
    given = record.projection or {}
    names = [f.name for f in fields(PooledProjection)]
    if sorted(given) != sorted(names):
        raise ValueError("projection: an entry is missing or unknown")
    # The ratio itself is the last figure.
    lengths = dict.fromkeys(("low", "high", "median", "mean", "scale"), features + 1)
    lengths |= dict.fromkeys(("move", "spread"), TERMS * (features + 1))
    values: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, tuple) != (name in lengths or name == "residuals"):
            raise ValueError(f"projection.{name}: it is a list where a number belongs, or reversed")
        if isinstance(value, tuple) and len(value) != lengths.get(name, len(value) or 1):
            raise ValueError(f"projection.{name}: it has {len(value)} entries")
        if isinstance(value, bool) != (name == "upward"):
            raise ValueError(f"projection.{name}: it is true or false where a number belongs")
        values[name] = np.array(value, np.float64) if isinstance(value, tuple) else value
    if values["width"] <= 0 or (values["scale"] <= 0).any():
        raise ValueError("projection: a width or a scale is not above 0")
    return PooledProjection(**values)

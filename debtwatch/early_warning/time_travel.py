"""The time-travel test: what is published after an origin must not move its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pandas as pd

from debtwatch.early_warning.as_known import origin_day
from debtwatch.early_warning.features import Features, build_features
from debtwatch.early_warning.sample import Mask, Observations
from debtwatch.early_warning.spec import Spec

_KEYS = ["unit", "period", "known_from"]


class Builder(Protocol):
    """Whatever makes features of observations, as :func:`build_features` does."""

    def __call__(
        self, observations: Observations, spec: Spec, *, origins: Sequence[int] | None = None
    ) -> Features:
        """Build the features of some origins."""


def leaks(
    observations: Observations, spec: Spec, build: Builder = build_features, *, seed: int
) -> tuple[str, ...]:
    """Find the features that see what was published after the origin.

    At two origins (the middle and the third quarter of the periods) everything published after the
    origin's day, and everything of a later period, is put out of joint: figures are replaced by
    noise or made missing, words are shuffled, publication days are put off, one row in ten is
    dropped. The features built from that must be bit-identical.

    Parameters
    ----------
    observations : Observations
    spec : Spec
    build : Builder
        Builds the features to be tested.
    seed : int
        Of the noise.

    Returns
    -------
    tuple of str
        Ids of the features that moved, in the specification's order; all of them when the rows
        themselves did. Empty when there is no leak.

    Notes
    -----
    ``spec/methods.md`` 2.3 (i).

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "unit": np.repeat(["a", "b"], 6), "group": "p", "period": [*range(2015, 2021)] * 2,
    ...     "known_from": [pd.Timestamp(y + 1, 4, 1) for y in range(2015, 2021)] * 2,
    ...     "debt": np.arange(12.0)})
    >>> spec = Spec.model_validate({
    ...     "id": "demo", "title": {"zh": "示例", "en": "Demo"}, "country": "BR",
    ...     "target": {"kind": "entry", "horizon": 1, "ratio": "debt", "line": 9.0},
    ...     "feature": [{"id": "debt", "of": "debt", "label": {"zh": "债务", "en": "Debt"}}]})
    >>> observations = Observations(frame, "year", (), {})
    >>> leaks(observations, spec, seed=1)
    ()
    >>> def peeking(observations, spec, *, origins=None):
    ...     features = build_features(observations, spec, origins=origins)
    ...     return replace(features, x=features.x + observations.frame["debt"].max())
    >>> leaks(observations, spec, peeking, seed=1)
    ('debt',)
    """
    periods = np.unique(observations.frame["period"].to_numpy(np.int64))
    chosen = {int(periods[len(periods) // 2]), int(periods[3 * len(periods) // 4])}
    rng = np.random.default_rng(seed)
    moved: set[str] = set()
    for origin in sorted(chosen):
        after = _after(observations, spec, origin)
        if after.any():
            disturbed = replace(observations, frame=_disturbed(observations.frame, after, rng))
            before = build(observations, spec, origins=[origin])
            moved |= _moved(before, build(disturbed, spec, origins=[origin]))
    return tuple(name for name in spec.names if name in moved)


def _after(observations: Observations, spec: Spec, origin: int) -> Mask:
    """Say which rows an origin must not see."""
    frame = observations.frame
    day = origin_day(origin, spec.data, observations.frequency)
    late = frame["known_from"].to_numpy("datetime64[D]") > day
    return np.asarray(late | (frame["period"].to_numpy(np.int64) > origin))


def _disturbed(frame: pd.DataFrame, after: Mask, rng: np.random.Generator) -> pd.DataFrame:
    """Put the later rows out of joint and leave the others as they are."""
    later = frame[after].copy()
    for name in later.columns.difference(_KEYS):
        if pd.api.types.is_numeric_dtype(later[name]):
            values = later[name].to_numpy(np.float64, na_value=np.nan)
            noise = 1 + np.minimum(np.abs(values), 1e200) * rng.lognormal(0, 2, len(later))
            noise[rng.random(len(later)) < 0.1] = np.nan
            later[name] = noise * rng.choice([-1, 1], len(later))
        else:
            later[name] = later[name].to_numpy(object)[rng.permutation(len(later))]
    later["known_from"] += pd.to_timedelta(rng.integers(1, 400, len(later)), "D")
    kept = later[rng.random(len(later)) >= 0.1]
    # Sorted as observations are; two vintages may by now have the same day.
    return (
        pd.concat([frame[~after], kept])
        .sort_values(_KEYS, kind="stable", ignore_index=True)
        .drop_duplicates(_KEYS, ignore_index=True)
    )


def _moved(before: Features, now: Features) -> set[str]:
    keys = ["unit", "group", "period", "known_period"]
    if not before.rows[keys].equals(now.rows[keys]):
        return set(before.x.columns)
    return {
        str(name)
        for name in before.x.columns
        if not np.array_equal(before.x[name], now.x[name], equal_nan=True)
    }

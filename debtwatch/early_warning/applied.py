"""Apply a trained classifier to a store at one quarter, or say why it must not be applied."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from debtwatch.early_warning.as_known import arrange, as_known, origin_day
from debtwatch.early_warning.drift import (
    Drift,
    Vintage,
    cusum,
    drift_status,
    intercept_by_vintage,
    shift_of,
    shifts,
)
from debtwatch.early_warning.experiment import common_features
from debtwatch.early_warning.explain import Reason
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.sample import Frequency, Note, Observations, Sample
from debtwatch.early_warning.score import Scores, score
from debtwatch.early_warning.store_rows import (
    COUNTRY,
    groups_of,
    observations_of_store,
    store_frequency,
)
from debtwatch.early_warning.trained import EVERYWHERE, Trained
from debtwatch.errors import DebtwatchError
from debtwatch.language import N_
from debtwatch.panel.panel import Panel
from debtwatch.panel.store import Store
from debtwatch.rules.rulebook import Rulebook

#: Periods that the latest known figures may lag behind the origin (methods, 2.10: 3 quarters).
OLDEST: dict[Frequency, int] = {"quarter": 3, "year": 0}
#: Periods before an origin whose vintages are told apart: revisions show over a year, the first
#: publication of figures that lag by a period. Each costs a reading of the store.
TOLD_APART: dict[str, dict[Frequency, int]] = {
    "revision": {"quarter": 4, "year": 1},
    "delay": {"quarter": 1, "year": 1},
}


@dataclass(frozen=True)
class Said:
    """What a classifier says of one government.

    Attributes
    ----------
    silent : str
        ``no row``, or a key of :data:`debtwatch.early_warning.score.SILENCE`; empty where it
        speaks.
    probability, low, high : float
        Of the event, and the range over the models behind it.
    signal : str
        ``alert``, ``watch`` or ``none``.
    listed : bool
    rank : int
    verdict : str
        Of the conformal set; empty without one.
    reasons : tuple of Reason
    figures : int or None
        Period of its latest figures known on the day.
    """

    silent: str
    probability: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    signal: str = "none"
    listed: bool = False
    rank: int = 0
    verdict: str = ""
    reasons: tuple[Reason, ...] = ()
    figures: int | None = None

    @classmethod
    def silence(cls, why: str) -> Said:
        """Say nothing, and why."""
        return cls(why)


@dataclass(frozen=True)
class Applied:
    """A classifier given to a report.

    Attributes
    ----------
    trained : Trained
    sha256 : str
        Of its ``model.json``.
    refused : Note or None
        Why it is not applied.
    day : date or None
        Day whose knowledge it used.
    origin : int or None
        Period whose end it looks ahead from.
    said : mapping from unit to Said
        Of governments with figures at the origin.
    drift : Drift or None
    notes : tuple of Note
        What else a reader must know.
    """

    trained: Trained
    sha256: str
    refused: Note | None = None
    day: dt.date | None = None
    origin: int | None = None
    said: Mapping[str, Said] = field(default_factory=dict)
    drift: Drift | None = None
    notes: tuple[Note, ...] = ()


def apply_model(
    trained: Trained,
    store: Store,
    panel: Panel,
    *,
    quarter: int,
    books: Sequence[Rulebook],
    sha256: str = "",
    seed: int = 20260930,
) -> Applied:
    """Score every government of a store at a quarter.

    The figures are those known on the origin's day by the model's specification. The origin one
    horizon earlier is scored too, unless the model learned from it: its outcomes, as known now,
    tell whether the model still fits.

    Parameters
    ----------
    trained : Trained
    store : Store
    panel : Panel
        What the store knows on the day of the report.
    quarter : int
        Ordinal of the quarter of the report; of yearly accounts the last year that is over counts.
    books : sequence of Rulebook
    sha256 : str
        Of the model.
    seed : int
        Of the simulated projection.

    Returns
    -------
    Applied
        Refused, with the reason, for a model of another country, of invented data on real
        accounts, of other governments or of accounts of another frequency, and for one that asks
        for figures that a store does not hold. Nothing is scored then.
    """
    reason = refusal(trained, panel)
    if reason is not None:
        return Applied(trained, sha256, refused=reason)
    frequency, spec = trained.frequency, trained.spec
    origin = quarter if frequency == "quarter" else (quarter + 1) // 4 - 1
    earlier = origin - spec.target.horizon
    back = max((TOLD_APART.get(f.measure, {}).get(frequency, 0) for f in spec.feature), default=0)
    try:
        observations, projection = observations_of_store(
            store, spec, as_of=panel.as_of, books=books,
            origins=[end - k for end in (earlier, origin) for k in range(back + 1)],
            projected=(earlier, origin), panel=panel, seed=seed,
        )  # fmt: skip
        sample = build_sample(
            observations, spec, books=books, origins=[earlier, origin], projection=projection
        )
        now = sample.take(sample.period == origin)
        scores = score(trained, now, stale=stale_rows(observations, now, trained, origin))
        latest = latest_periods(observations, now, trained, origin)
        drift = _drift(trained, now, scores, sample.take(sample.known & (sample.period == earlier)))
    except DebtwatchError as error:
        return Applied(trained, sha256, refused=Note(error.template, dict(error.values)))
    day = pd.Timestamp(origin_day(origin, spec.data, frequency)).date()
    return Applied(
        trained, sha256, day=min(day, panel.as_of), origin=origin, said=_said(scores, latest),
        drift=drift,
        notes=(*_strangers(trained, panel), *_unjudged(trained, earlier), *observations.notes),
    )  # fmt: skip


def refusal(trained: Trained, panel: Panel) -> Note | None:
    """Say why a model must not be applied to a store, None where it may.

    Parameters
    ----------
    trained : Trained
    panel : Panel
    """
    spec = trained.spec
    if spec.country != COUNTRY:
        return Note(
            N_("It is a model of another country ({country}): it is never applied to Chinese "
               "governments."),
            {"country": spec.country},
        )  # fmt: skip
    if trained.synthetic and not panel.known.synthetic:
        return Note(
            N_("It learned from invented data: it is never applied to the accounts of real "
               "governments."),
            {},
        )  # fmt: skip
    if store_frequency(panel) != trained.frequency:
        return Note(
            N_("It is a model of yearly accounts; balances in this store come by quarters.")
            if trained.frequency == "year"
            else N_(
                "It is a model of quarterly accounts; balances in this store come once a year."
            ),
            {},
        )
    if len(panel.units) and not _is_known(trained, panel).any():
        return Note(
            N_("It is a model of other governments: it learned from none of the {provinces} "
               "provinces of this store."),
            {"provinces": len(set(groups_of(panel.units)))},
        )  # fmt: skip
    return None


def _is_known(trained: Trained, panel: Panel) -> pd.Series[bool]:
    """Tell of each government whether the model learned from its province."""
    groups = set(map(str, trained.medians.index)) - {EVERYWHERE}
    return pd.Series(groups_of(panel.units), dtype=object).isin(groups)


def _strangers(trained: Trained, panel: Panel) -> list[Note]:
    strange = int((~_is_known(trained, panel)).sum())
    if not strange:
        return []
    return [Note(
        N_("{count} governments lie in provinces that the model did not learn from."),
        {"count": strange},
    )]  # fmt: skip


def _unjudged(trained: Trained, earlier: int) -> list[Note]:
    if earlier > trained.train_last:
        return []
    return [Note(
        N_("No outcome is known yet that is newer than the model: whether its probabilities are "
           "too high or too low cannot be told."),
        {},
    )]  # fmt: skip


def stale_rows(
    observations: Observations, sample: Sample, trained: Trained, origin: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell which rows rest on figures older than the model allows."""
    latest = latest_periods(observations, sample, trained, origin)
    return np.asarray(origin - latest > OLDEST[observations.frequency])


def latest_periods(
    observations: Observations, sample: Sample, trained: Trained, origin: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give the period of the latest figures of each row, as known at the origin."""
    grid = arrange(observations)
    latest = grid.first + as_known(grid, origin, trained.spec.data).latest
    found = pd.Series(latest, index=pd.Index(grid.units, dtype=object))
    return found.loc[pd.Index(sample.unit, dtype=object)].to_numpy(dtype=np.int64)


def _drift(trained: Trained, now: Sample, scores: Scores, past: Sample) -> Drift:
    """Compare today's figures and yesterday's outcomes with training."""
    risky = now.at_risk
    common = common_features(trained.spec)
    vintages: tuple[Vintage, ...] = ()
    errors = None
    # Rows that the model learned from cannot tell whether it still fits.
    if len(past) and int(past.period.min()) > trained.train_last:
        p = score(trained, past).probability
        vintages = intercept_by_vintage(p, past.y, past.period, past.group)
        errors = cusum(p, past.y, past.period, past.group)
    return drift_status(
        features=shifts(trained.bins, now.x[risky], common=common),
        score=shift_of("", trained.score_bins, scores.probability[risky]) if risky.any() else None,
        vintages=vintages,
        errors=errors,
        frequency=trained.frequency,
    )


def _said(scores: Scores, latest: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, Said]:
    return {
        str(unit): Said(
            silent=str(scores.abstained[k]),
            probability=float(scores.probability[k]),
            low=float(scores.lower[k]),
            high=float(scores.upper[k]),
            signal=str(scores.signal[k]),
            listed=bool(scores.listed[k]),
            rank=int(scores.rank[k]),
            verdict=str(scores.verdict[k]),
            reasons=scores.reasons[k],
            figures=int(latest[k]),
        )
        for k, unit in enumerate(scores.unit)
    }

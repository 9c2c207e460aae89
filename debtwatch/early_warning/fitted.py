"""A fitted model with its calibration, and the average of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from debtwatch.early_warning.calibration import AS_GIVEN, Platt, fit_platt
from debtwatch.early_warning.pooled_projection import PooledProjection
from debtwatch.early_warning.sample import Array, Note, Sample
from debtwatch.early_warning.trained import SMALLEST
from debtwatch.language import N_

#: Log-odds of a probability so near 0 or 1 that a sample cannot tell it.
_MOST_CERTAIN = 30.0


@dataclass(frozen=True)
class LogOddsMean:
    """Mean of the log-odds of fitted models, each before its calibration."""

    parts: tuple[Fitted, ...]

    def log_odds(self, sample: Sample) -> Array:
        """Mean log-odds, shape (rows,)."""
        return np.asarray(np.mean([p.own_log_odds(sample) for p in self.parts], axis=0))


@dataclass(frozen=True)
class Fitted:
    """A model fitted to training rows, ready to give probabilities.

    Attributes
    ----------
    id : str
        One of the ids of :mod:`debtwatch.early_warning.ladder`.
    estimator : object
        Scikit-learn classifier; for ``average`` a :class:`LogOddsMean`, for a projection learned
        from the table a :class:`PooledProjection`.
    features : tuple of str
        Columns of ``x`` it was given; empty for a projection that comes with the sample.
    calibration : Platt
    out_of_fold : ndarray or None, shape (training rows,)
        Calibrated log-odds of the training rows, each from a fit without its province; for logit,
        trees, members of the average and the average, where folds by province were possible.
    leaves : int or None
        Size of the trees.
    notes : tuple of Note
        What the user should know of the fit.
    """

    id: str
    estimator: Any
    features: tuple[str, ...]
    calibration: Platt = AS_GIVEN
    out_of_fold: Array | None = None
    leaves: int | None = None
    notes: tuple[Note, ...] = ()

    def log_odds(self, sample: Sample) -> Array:
        """Calibrated log-odds of the event, shape (rows,); never NaN."""
        return self.calibration(self.own_log_odds(sample))

    def own_log_odds(self, sample: Sample) -> Array:
        """Log-odds before calibration, shape (rows,); never NaN."""
        if isinstance(self.estimator, LogOddsMean):
            return self.estimator.log_odds(sample)
        if isinstance(self.estimator, PooledProjection):
            return _projected(self.estimator, sample, self.features)
        if hasattr(self.estimator, "log_odds"):
            return np.asarray(self.estimator.log_odds(self.inputs(sample)))
        p = self.estimator.predict_proba(self.inputs(sample))[:, 1]
        with np.errstate(divide="ignore"):
            odds = np.clip(np.log(p) - np.log1p(-p), -_MOST_CERTAIN, _MOST_CERTAIN)
        return np.asarray(odds)

    def probability(self, sample: Sample) -> Array:
        """Probability of the event, shape (rows,); never NaN."""
        return np.asarray(expit(self.log_odds(sample)))

    def inputs(self, sample: Sample) -> Any:
        """Take from a sample what the estimator is given."""
        if self.features:
            return sample.x.loc[:, list(self.features)]
        return _given(sample)


def average(members: Sequence[Fitted], y: Array) -> Fitted:
    """Average models on the log-odds scale, and calibrate the mean.

    The members are taken as they are: calibrated first as well, they would be corrected twice.

    Parameters
    ----------
    members : sequence of Fitted
        Two or more.
    y : ndarray, shape (rows,)
        Outcomes of their training rows.

    Returns
    -------
    Fitted
    """
    told = [m.calibration.inverse(m.out_of_fold) for m in members if m.out_of_fold is not None]
    raw = np.mean(told, axis=0) if len(told) == len(members) else None
    leaves = next((m.leaves for m in members if m.leaves is not None), None)
    features = tuple(dict.fromkeys(f for m in members for f in m.features))
    fitted = Fitted("average", LogOddsMean(tuple(members)), features, leaves=leaves)
    return calibrated(fitted, raw, y, told=True)


def calibrated(fitted: Fitted, raw: Array | None, y: Array, *, told: bool = False) -> Fitted:
    """Calibrate a model by its own log-odds out of fold.

    Parameters
    ----------
    fitted : Fitted
    raw : ndarray or None, shape (rows,)
        Log-odds out of fold; None leaves the model as it is.
    y : ndarray, shape (rows,)
    told : bool
        Whether the user knows already that there is too little to calibrate by.

    Returns
    -------
    Fitted
    """
    platt = AS_GIVEN if raw is None else fit_platt(raw, y)
    notes = fitted.notes
    if platt.changes_nothing and not told:
        note = Note(
            N_(
                "Probabilities of the model {model} are not calibrated further: there are fewer"
                " than 50 events, 50 rows without one or two provinces with both, or the"
                " correction could be chance."
            ),
            {"model": fitted.id},
        )
        notes = (*notes, note)
    return replace(
        fitted,
        calibration=platt,
        out_of_fold=None if raw is None else platt(raw),
        notes=notes,
    )


def _projected(model: PooledProjection, sample: Sample, features: Sequence[str]) -> Array:
    x = sample.x.loc[:, list(features)].to_numpy(np.float64)
    now = np.full(len(sample), np.nan) if sample.now is None else sample.now
    return np.asarray(logit(np.clip(model.probability(x, now), SMALLEST, 1 - SMALLEST)))


def _given(sample: Sample) -> Array:
    given = np.full(len(sample), np.nan) if sample.projection is None else sample.projection
    return np.asarray(given)[:, None]

"""A fitted classifier as one value: what scoring, explanation, drift and the model card need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from scipy.special import logit

from debtwatch.early_warning.calibration import AS_GIVEN, Platt
from debtwatch.early_warning.sample import Array, Frequency, Sample
from debtwatch.early_warning.spec import Member, Spec
from debtwatch.errors import ModelProblem
from debtwatch.language import N_

if TYPE_CHECKING:
    from debtwatch.early_warning.abstention import Conformal, Envelope
    from debtwatch.early_warning.drift import Bins
    from debtwatch.early_warning.logit import HazardLogit
    from debtwatch.early_warning.pooled_projection import PooledProjection
    from debtwatch.early_warning.rules_of_thumb import DistanceLogit
    from debtwatch.early_warning.trees import SmallTrees

Production = Literal["average", "logit", "trees", "projection", "distance"]
#: Key of the medians over every government, for a group that training did not hold.
EVERYWHERE = ""
#: Probabilities of a projection are held this far from 0 and 1.
SMALLEST = 1e-6


@dataclass(frozen=True)
class Trained:
    """A fitted classifier.

    Attributes
    ----------
    spec : Spec
    frequency : {"year", "quarter"}
    logit : HazardLogit
        Champion; its contributions are the explanation.
    trees : SmallTrees or None
        Challenger; None where trees could not be fitted.
    projection : PooledProjection or None
        Projection of the ratio from the pool of all governments, where the target is a ratio. It
        takes the features of the specification, in order, and the ratio as known.
    distance : DistanceLogit or None
        Logit of the distance to the line alone, fitted on the features by name.
    calibration : mapping of str to Platt
        By the name of the model; one that is not named is taken as it is. That of ``"average"``
        applies to the mean of its members' own log-odds.
    production : {"average", "logit", "trees", "projection", "distance"}
        Which model gives the probability.
    members : tuple of {"logit", "trees", "projection", "distance"}
        Models that are averaged. A projection that is a member without being fitted here is the
        one that the sample brings.
    base_rate : float
        Share of events among the training rows.
    intercept_shift : float
        Added to the calibrated log-odds of every model when recent outcomes demanded it; else 0.
    bins : mapping of str to Bins
        Reference bins of each feature, by its id.
    score_bins : Bins
        Reference bins of the production probability on the training rows.
    envelope : Envelope
        Range of each feature in training.
    conformal : Conformal or None
        None with too few events to calibrate it.
    medians : DataFrame, shape (groups + 1, features)
        Median of each feature by group, NaN where none is known; the row :data:`EVERYWHERE` is
        over all rows (see :func:`group_medians`).
    train_first, train_last : int
        First and last period of the training rows, as ordinals.
    rows, events, groups : int
        Training rows, events among them, groups (provinces).
    rules : tuple of str
        Versions of the rule by which outcomes were judged.
    sources : mapping of str to str
        sha256 of each table by its file name.
    versions : mapping of str to str
        Version of each package that can move a figure.
    seed : int
    """

    spec: Spec
    frequency: Frequency
    logit: HazardLogit
    trees: SmallTrees | None
    calibration: Mapping[str, Platt]
    production: Production
    members: tuple[Member, ...]
    base_rate: float
    bins: Mapping[str, Bins]
    score_bins: Bins
    envelope: Envelope
    conformal: Conformal | None
    medians: pd.DataFrame
    train_first: int
    train_last: int
    rows: int
    events: int
    groups: int
    rules: tuple[str, ...]
    sources: Mapping[str, str]
    versions: Mapping[str, str]
    seed: int
    projection: PooledProjection | None = None
    distance: DistanceLogit | None = None
    intercept_shift: float = 0.0

    @property
    def synthetic(self) -> bool:
        """Whether it was trained on invented data."""
        return self.spec.synthetic

    def log_odds(self, sample: Sample) -> dict[str, Array]:
        """Calibrated log-odds of each model it holds, and of their average.

        Parameters
        ----------
        sample : Sample
            Further features than those of the specification are ignored.

        Returns
        -------
        dict of str to ndarray, shape (rows,)
            ``a + b·s + shift`` by the name of the model, where s is the model's own log-odds; for
            ``average`` s is the mean of its members' own. Never NaN: without a projection a
            row has the event rate there, as in training.

        Raises
        ------
        ModelProblem
            When the sample lacks a feature, or the projection that the average needs.
        """
        x = self.features(sample)
        own = {"logit": own_log_odds(self.logit, x)}
        if self.trees is not None:
            own["trees"] = own_log_odds(self.trees, x)
        if self.distance is not None:
            own["distance"] = own_log_odds(self.distance, x)
        if "projection" in self.members or self.projection is not None:
            own["projection"] = self._projected(sample, x)
        found = {name: self.calibrated(name, odds) for name, odds in own.items()}
        # Calibrating the members first as well would correct twice.
        mean = np.mean([own[m] for m in self.members], axis=0)
        found["average"] = self.calibrated("average", mean)
        return {name: odds + self.intercept_shift for name, odds in found.items()}

    def calibrated(self, name: str, log_odds: Array) -> Array:
        """Calibrate a model's own log-odds, before any shift of the intercept."""
        return self.calibration.get(name, AS_GIVEN)(log_odds)

    def features(self, sample: Sample) -> pd.DataFrame:
        """Features of the specification, in order.

        Raises
        ------
        ModelProblem
            When one is not in the sample, or the sample is of the other frequency.
        """
        missing = [n for n in self.spec.names if n not in sample.x.columns]
        if missing:
            raise ModelProblem(
                N_("The model needs features that the data do not give: {names}."),
                names=", ".join(missing),
            )
        if sample.frequency != self.frequency:
            raise ModelProblem(
                N_("The model was trained on {trained}, and the data are by {given}."),
                trained=_in_words(self.frequency), given=_in_words(sample.frequency),
            )  # fmt: skip
        return sample.x.loc[:, list(self.spec.names)]

    def _projected(self, sample: Sample, x: pd.DataFrame) -> Array:
        if self.projection is not None and sample.now is not None:
            given = self.projection.probability(x.to_numpy(np.float64), sample.now)
        elif self.projection is None and sample.projection is not None:
            given = sample.projection
        else:
            raise ModelProblem(
                N_("The model averages a projection that the data do not give: train one without.")
            )
        known = np.where(np.isnan(given), self.base_rate, given)
        return np.asarray(logit(np.clip(known, SMALLEST, 1 - SMALLEST)))


def _in_words(frequency: Frequency) -> Callable[[Callable[[str], str]], str]:
    """Name of a kind of period, to be said in the user's language."""
    name = N_("years") if frequency == "year" else N_("quarters")
    return lambda words: words(name)


def own_log_odds(estimator: Any, x: pd.DataFrame) -> Array:
    """Log-odds by an estimator alone, of the features it was fitted on; of no rows, none."""
    if x.empty:
        return np.zeros(len(x))
    return np.asarray(estimator.log_odds(as_fitted(estimator, x)), dtype=np.float64)


def as_fitted(estimator: Any, x: pd.DataFrame) -> pd.DataFrame | Array:
    """Features in the form in which an estimator was fitted: by name, or as plain figures."""
    names = getattr(estimator, "feature_names_in_", None)
    return x.to_numpy(np.float64) if names is None else x.loc[:, list(names)]


def group_medians(sample: Sample) -> pd.DataFrame:
    """Median of each feature by group, and over all rows.

    Parameters
    ----------
    sample : Sample
        Training rows.

    Returns
    -------
    DataFrame, shape (groups + 1, features)
        Indexed by group, in order; first the row :data:`EVERYWHERE` over all rows. NaN where a
        group has no figure.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from debtwatch.early_warning.sample import Sample
    >>> two = Sample(unit=np.array(["a", "b"], object), group=np.array(["G", "H"], object),
    ...     period=np.array([2020, 2020]), x=pd.DataFrame({"debt": [1.0, 3.0]}),
    ...     y=np.array([0.0, 1.0]), at_risk=np.ones(2, bool), event_period=np.full(2, np.nan),
    ...     rule=np.array(["r", "r"], object), projection=None, frequency="year")
    >>> group_medians(two).to_dict()
    {'debt': {'': 2.0, 'G': 1.0, 'H': 3.0}}
    """
    by_group = sample.x.groupby(sample.group.astype(str), sort=True).median()
    by_group = by_group.drop(index=EVERYWHERE, errors="ignore")
    overall = sample.x.median().to_frame(EVERYWHERE).T
    return pd.concat([overall, by_group])

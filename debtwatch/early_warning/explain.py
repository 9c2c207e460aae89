"""Why a probability is high: exact parts of the logit, and what one figure would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy.special import expit

from debtwatch.early_warning.calibration import AS_GIVEN
from debtwatch.early_warning.drift import Bins
from debtwatch.early_warning.sample import Array, Sample, Words
from debtwatch.early_warning.spec import Feature
from debtwatch.early_warning.trained import EVERYWHERE, Trained, as_fitted, own_log_odds
from debtwatch.language import N_, Language

Place = Literal[
    "highest tenth", "highest fifth", "upper half", "middle",
    "lower half", "lowest fifth", "lowest tenth", "missing",
]  # fmt: skip
#: Sentence of each place.
SENTENCES: Final[dict[Place, str]] = {
    "highest tenth": N_("{label} {value}, among the highest tenth of governments"),
    "highest fifth": N_("{label} {value}, among the highest fifth of governments"),
    "upper half": N_("{label} {value}, in the upper half of governments"),
    "middle": N_("{label} {value}, in the middle of governments"),
    "lower half": N_("{label} {value}, in the lower half of governments"),
    "lowest fifth": N_("{label} {value}, among the lowest fifth of governments"),
    "lowest tenth": N_("{label} {value}, among the lowest tenth of governments"),
    "missing": N_("{label}: not known"),
}
YES: Final = N_("{label}: yes")
NO: Final = N_("{label}: no")
#: How the changes of :func:`sensitivity` are to be labelled.
NOT_ADDITIVE: Final = N_("sensitivity, not additive")
#: Bins of a tenth hold a little more than one with ties and rounding.
_ROOM: Final = 0.025


@dataclass(frozen=True)
class Reason:
    """A figure that raises the risk of a government above that of the average one.

    Attributes
    ----------
    feature : str
        Id.
    value : float
        As known at the origin; NaN where missing.
    contribution : float
        Log-odds that it adds.
    direction : {"raises", "lowers"}
    place : str
        Where the figure stands among the governments of training, a key of :data:`SENTENCES`.
    """

    feature: str
    value: float
    contribution: float
    direction: Literal["raises", "lowers"]
    place: Place


def contributions(trained: Trained, sample: Sample) -> tuple[float, pd.DataFrame]:
    r"""Split the calibrated log-odds of the logit exactly over the features.

    :math:`\operatorname{logit} p = a + b (s_0 + \sum_j s_j) + d`: the base is
    :math:`a + b s_0 + d`, the log-odds at the training mean, and feature j adds :math:`b s_j`
    (d is the intercept shift).

    Parameters
    ----------
    trained : Trained
    sample : Sample

    Returns
    -------
    base : float
    DataFrame, shape (rows, features)
        Columns are the features of the specification; one that was left out adds 0.
    """
    x = trained.features(sample)
    logit, platt = trained.logit, trained.calibration.get("logit", AS_GIVEN)
    names = getattr(logit, "feature_names_in_", np.array(x.columns))
    own = logit.contributions(as_fitted(logit, x)) if len(x) else np.zeros((0, len(names)))
    parts = pd.DataFrame(platt.slope * own, columns=list(names))
    base = platt.intercept + platt.slope * logit.base_ + trained.intercept_shift
    return float(base), parts.reindex(columns=list(x.columns), fill_value=0.0)


def reasons(trained: Trained, sample: Sample, top: int = 3) -> tuple[tuple[Reason, ...], ...]:
    """Name the figures that raise each row's risk most.

    They are those of the logit, whatever model gives the probability: only its parts add up.

    Parameters
    ----------
    trained : Trained
    sample : Sample
    top : int
        At most so many for each row, largest contribution first; only positive ones.

    Returns
    -------
    tuple of tuple of Reason
        One for each row, in order.
    """
    _, parts = contributions(trained, sample)
    added = parts.to_numpy(np.float64)
    figures = trained.features(sample).to_numpy(np.float64)
    names = list(parts.columns)
    places = [_places(trained.bins.get(n), figures[:, j]) for j, n in enumerate(names)]
    # A stable sort leaves ties in the order of the specification.
    order = np.argsort(-added, axis=1, kind="stable")[:, : max(top, 0)]
    return tuple(
        tuple(
            Reason(names[j], float(figures[i, j]), float(added[i, j]), "raises", places[j][i])
            for j in row
            if added[i, j] > 0
        )
        for i, row in enumerate(order.tolist())
    )


def _places(bins: Bins | None, figures: Array) -> list[Place]:
    """Say where figures stand among those of training."""
    if bins is None:
        return ["missing" if absent else "middle" for absent in np.isnan(figures)]
    shares = np.asarray(bins.shares[:-1], np.float64)
    known = shares.sum()
    shares = shares / known if known > 0 else shares
    up_to = np.cumsum(shares)
    by_bin = [_place(up_to[k], 1 - up_to[k] + shares[k]) for k in range(len(shares))]
    at = np.searchsorted(np.asarray(bins.edges, np.float64), figures, side="left")
    return [
        "missing" if absent else by_bin[k]
        for absent, k in zip(np.isnan(figures), at.tolist(), strict=True)
    ]


def _place(share_up_to: float, share_from: float) -> Place:
    """Place of a bin by the shares of rows up to and with it, and from it on."""
    limits: tuple[tuple[float, Place, Place], ...] = (
        (0.1, "highest tenth", "lowest tenth"),
        (0.2, "highest fifth", "lowest fifth"),
        (0.5, "upper half", "lower half"),
    )
    for limit, high, low in limits:
        if share_from <= limit + _ROOM:
            return high
        if share_up_to <= limit + _ROOM:
            return low
    return "middle"


def sentence(reason: Reason, feature: Feature, words: Language) -> str:
    """Put a reason in words.

    Parameters
    ----------
    reason : Reason
    feature : Feature
        The specification's, for its name and measure.
    words : Language

    Returns
    -------
    str
        A figure whose logarithm was taken and a projection's log-odds are given back as they were.

    Examples
    --------
    >>> from debtwatch.language import language
    >>> feature = Feature.model_validate({"id": "service", "of": "service",
    ...     "label": {"zh": "偿债率", "en": "Debt service ratio"}})
    >>> sentence(Reason("service", 14.21, 0.8, "raises", "highest tenth"), feature, language("en"))
    'Debt service ratio 14.2, among the highest tenth of governments'
    """
    label = words.pick(feature.label.zh, feature.label.en)
    if reason.place != "missing" and feature.measure in ("is", "missing"):
        return words.text(YES if reason.value > 0 else NO).format(label=label)
    value = reason.value
    if feature.measure == "projection":
        value = float(expit(value))
    elif feature.log:
        value = float(np.exp(value))
    return words.text(SENTENCES[reason.place]).format(label=label, value=plain_figure(value))


def plain_figure(value: float) -> str:
    """Write a figure with three digits, or whole from 1,000 on.

    Examples
    --------
    >>> [plain_figure(v) for v in (14.21, 0.00012345, -0.5, 12345.6, 0.0)]
    ['14.2', '0.000123', '-0.5', '12,346', '0']
    """
    if np.isfinite(value) and abs(value) >= 1000:
        return f"{value:,.0f}"
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


@dataclass(frozen=True)
class Sensitivity:
    """What the trees would say if one figure of a row were ordinary: not additive.

    Attributes
    ----------
    label : str
        Text to be shown with it, see :data:`NOT_ADDITIVE`.
    change : DataFrame, shape (rows, features)
        Calibrated probability of the trees as it is, less that with the feature at its median of
        the group; positive where the figure raises the risk.
    """

    label: str
    change: pd.DataFrame


def sensitivity(trained: Trained, sample: Sample) -> Sensitivity | None:
    """Reset one figure at a time to the median of its group and see what the trees say.

    Parameters
    ----------
    trained : Trained
    sample : Sample

    Returns
    -------
    Sensitivity or None
        None without trees. Changes do not add up to anything: features are reset one by one. A
        feature without a median changes nothing.
    """
    if trained.trees is None:
        return None
    x = trained.features(sample)
    median = group_median_of(trained, sample.group)

    def probability(figures: pd.DataFrame) -> Array:
        odds = trained.calibrated("trees", own_log_odds(trained.trees, figures))
        return np.asarray(expit(odds + trained.intercept_shift))

    now = probability(x)
    change = {}
    for name in x.columns:
        usual = median[name].to_numpy()
        reset = x.assign(**{name: np.where(np.isnan(usual), x[name].to_numpy(), usual)})
        change[name] = now - probability(reset)
    return Sensitivity(NOT_ADDITIVE, pd.DataFrame(change, columns=list(x.columns)))


def group_median_of(trained: Trained, group: Words) -> pd.DataFrame:
    """Median of each feature in each row's group; over all rows where the group has none.

    Parameters
    ----------
    trained : Trained
    group : ndarray of str, shape (rows,)

    Returns
    -------
    DataFrame, shape (rows, features)
    """
    found = trained.medians.reindex(pd.Index(group)).reset_index(drop=True)
    return found.fillna(trained.medians.loc[EVERYWHERE])

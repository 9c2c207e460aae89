"""Whether the challenger may replace the champion: five conditions, all of them needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from debtwatch.early_warning.metrics import Difference, Metric, ModelScore, SubgroupScore
from debtwatch.language import N_

LEAST_ORIGINS = 3
LEAST_AUC = 0.01
LEAST_SHARE = 0.9
MOST_LOSS = 0.03
SLOPES = (0.8, 1.25)


@dataclass(frozen=True)
class Condition:
    """One condition of promotion: a text, its values, and whether it is met.

    Attributes
    ----------
    name : {"origins", "auc", "brier", "subgroups", "slope"}
    met : bool
    template : str
        Key of the translation.
    values : dict of str to object
    """

    name: str
    met: bool
    template: str
    values: dict[str, object]


@dataclass(frozen=True)
class Promotion:
    """Whether a challenger is promoted, and each condition.

    Attributes
    ----------
    challenger, champion : str
    promoted : bool
    reasons : tuple of Condition
    """

    challenger: str
    champion: str
    promoted: bool
    reasons: tuple[Condition, ...]


def promote(
    *,
    challenger: ModelScore,
    champion: ModelScore,
    differences: Sequence[Difference],
    origins: int,
    challenger_subgroups: Sequence[SubgroupScore] = (),
    champion_subgroups: Sequence[SubgroupScore] = (),
) -> Promotion:
    """Decide whether the challenger replaces the champion.

    Over at least three origins: AUC higher by 0.01 or more and Brier score lower, each better in
    at least 90 % of the draws; no subgroup's AUC lower by more than 0.03; calibration slope of the
    challenger between 0.8 and 1.25. A figure that is not known does not meet its condition.

    Parameters
    ----------
    challenger, champion : ModelScore
    differences : sequence of Difference
        Must hold those of the challenger against the champion for AUC and the Brier score.
    origins : int
        Origins with a test.
    challenger_subgroups, champion_subgroups : sequence of SubgroupScore
        Compared where both have an AUC.

    Returns
    -------
    Promotion

    Raises
    ------
    ValueError
        When a difference is not among ``differences``.

    Examples
    --------
    >>> from debtwatch.early_warning.metrics import differences, score_models
    >>> from debtwatch.early_warning.spec import Signals
    >>> y = np.array([1.0, 0.0, 0.0, 1.0])
    >>> rows = {"group": np.array(["A", "A", "B", "B"], object), "period": np.array([1, 2, 1, 2])}
    >>> p = {"logit": np.full(4, 0.5), "trees": np.array([0.9, 0.1, 0.2, 0.7])}
    >>> champion, challenger = score_models(p, y, climatology=np.full(4, 0.5), seed=0,
    ...     signals=Signals(), **rows)
    >>> decision = promote(challenger=challenger, champion=champion, origins=2,
    ...     differences=differences(p, y, best="trees", against=["logit"], seed=0, **rows))
    >>> decision.promoted, [each.name for each in decision.reasons if not each.met]
    (False, ['origins', 'slope'])
    """
    reasons = (
        Condition(
            "origins",
            origins >= LEAST_ORIGINS,
            N_("Judged at {count} origins; at least {least} are needed."),
            {"count": origins, "least": LEAST_ORIGINS},
        ),
        _gain("auc", challenger.model, champion.model, differences),
        _gain("brier", challenger.model, champion.model, differences),
        _subgroups(challenger_subgroups, champion_subgroups),
        Condition(
            "slope",
            SLOPES[0] <= challenger.calibration.slope <= SLOPES[1],
            N_("The calibration slope is {value}; {low} to {high} is allowed."),
            {"value": _text(challenger.calibration.slope), "low": SLOPES[0], "high": SLOPES[1]},
        ),
    )
    met = all(each.met for each in reasons)
    return Promotion(challenger.model, champion.model, met, reasons)


def _gain(
    metric: Metric, challenger: str, champion: str, differences: Sequence[Difference]
) -> Condition:
    found = [
        each
        for each in differences
        if (each.model, each.against, each.metric) == (challenger, champion, metric)
    ]
    if not found:
        raise ValueError(f"no difference of {challenger} against {champion} in {metric}")
    gap = found[0]
    values: dict[str, object] = {
        "value": _text(gap.value, signed=True),
        "share": _text(gap.share_better),
        "least_share": LEAST_SHARE,
    }
    sure = gap.share_better >= LEAST_SHARE
    if metric == "brier":
        text = N_(
            "The Brier score differs by {value}, below 0 is needed; it is better in a share of "
            "{share} of the draws, {least_share} is needed."
        )
        return Condition("brier", bool(gap.value < 0 and sure), text, values)
    text = N_(
        "AUC differs by {value}, at least {least} is needed; it is better in a share of {share} "
        "of the draws, {least_share} is needed."
    )
    # Rounding must not decide at the edge.
    met = bool(gap.value >= LEAST_AUC - 1e-9 and sure)
    return Condition("auc", met, text, values | {"least": LEAST_AUC})


def _subgroups(challenger: Sequence[SubgroupScore], champion: Sequence[SubgroupScore]) -> Condition:
    before = {(each.by, each.label): each.auc for each in champion}
    gaps = [
        (each.auc - before.get((each.by, each.label), np.nan), each.by, each.label)
        for each in challenger
    ]
    known = [gap for gap in gaps if not np.isnan(gap[0])]
    if not known:
        text = N_("No subgroup holds enough events to be compared.")
        return Condition("subgroups", True, text, {})
    worst, by, label = min(known)
    return Condition(
        "subgroups",
        bool(worst >= -MOST_LOSS - 1e-9),
        N_(
            "In the subgroup where it does worst ({by}: {label}) AUC differs by {value}; "
            "{least} is the lowest allowed."
        ),
        {"by": by, "label": label, "value": _text(worst, signed=True), "least": -MOST_LOSS},
    )


def _text(value: float, *, signed: bool = False) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:+.4f}" if signed else f"{value:.2f}"

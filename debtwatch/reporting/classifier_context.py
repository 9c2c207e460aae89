"""What the back-test of a classifier and its model card say, as values.

``metrics.json`` is this tree; the pages show its fields and compute nothing. Probabilities, shares
and scores are decimals, periods are text such as 2021 or 2021Q3, None is "not known". Intervals
hold 90 % and come from whole clusters drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from debtwatch.reporting.context import documented_keys, says


@dataclass(frozen=True)
class Figure:
    """A figure and its interval."""

    mean: float | None = says("the figure on all test rows")
    lower: float | None = says("lower bound")
    upper: float | None = says("upper bound")


@dataclass(frozen=True)
class SignalPart:
    """What signals from a threshold on would have been worth."""

    threshold: float = says("probability from which a signal is given", "decimal")
    hits: int = says("events signalled (A)")
    false_alarms: int = says("signals without an event (B)")
    misses: int = says("events not signalled (C)")
    quiet: int = says("no signal and no event (D)")
    tpr: float | None = says("share of events signalled, A / (A + C)", "decimal")
    fpr: float | None = says("share of the others signalled, B / (B + D)", "decimal")
    nts: float | None = says("noise to signal, fpr / tpr")
    tme: float | None = says("missed share plus false alarm rate")
    precision: float | None = says("share of signals that were right", "decimal")
    lift: float | None = says("precision over the base rate")
    ua: float | None = says("usefulness (Sarlin)")
    ur: float | None = says("usefulness over that of perfect signals", "decimal")


@dataclass(frozen=True)
class BinPart:
    """Rows of about the same probability."""

    mean_p: float = says("mean probability", "decimal")
    mean_y: float = says("share of events", "decimal")
    rows: int = says("rows")


@dataclass(frozen=True)
class CalibrationPart:
    """How probabilities stand to outcomes."""

    intercept: float | None = says("a of logit P(y = 1) = a + logit p; above 0: said too low")
    intercept_se: float | None = says("its standard error by cluster")
    slope: float | None = says("b of logit P(y = 1) = a + b logit p; below 1: too extreme")
    slope_se: float | None = says("its standard error by cluster")
    slope_intercept: float | None = says("a that goes with the slope")
    bins: list[BinPart] = says("ten bins of about as many rows")
    reliability: float | None = says("Murphy: squared distance of probabilities from shares")
    resolution: float | None = says("Murphy: squared distance of shares from the base rate")
    uncertainty: float | None = says("Murphy: base rate times one less base rate")
    within_bins: float | None = says("rest of the Brier score, from within bins")


@dataclass(frozen=True)
class ModelPart:
    """How one model did on the test rows of all origins."""

    id: str = says("model")
    label: str = says("its name")
    kind: str = says("rule, learned or reference")
    used: bool = says("whether its probability is the one in use")
    rows: int = says("test rows")
    events: int = says("events among them")
    base_rate: float | None = says("share of events", "decimal")
    mean_p: float | None = says("mean probability", "decimal")
    auc: Figure = says("area under the ROC curve")
    auc_by_origin: float | None = says("mean of the origins' own AUC")
    pr_auc: Figure = says("average precision; to be read beside the base rate")
    brier: Figure = says("mean squared distance of probability and outcome")
    skill_train: Figure = says("1 less Brier score over that of the event rate known then")
    skill_test: float | None = says("the same against the event rate of the test")
    log_loss: float | None = says("mean negative logarithm of the probability of what happened")
    precision_k: Figure = says("share of events on the lists", "decimal")
    recall_k: float | None = says("share of all events that were on a list", "decimal")
    lift_k: float | None = says("precision of the lists over the base rate")
    watch: SignalPart = says("signals at the lower threshold")
    alert: SignalPart = says("signals at the upper threshold")
    calibration: CalibrationPart = says("calibration")


@dataclass(frozen=True)
class DifferencePart:
    """The model in use against another one, on the same rows and draws."""

    against: str = says("the other model")
    label: str = says("its name")
    kind: str = says("rule, learned or reference")
    metric: str = says("auc, pr_auc or brier")
    value: float | None = says("figure of the model in use less that of the other")
    lower: float | None = says("lower bound")
    upper: float | None = says("upper bound")
    share_better: float | None = says("share of draws in which it is better", "decimal")
    verdict: str = says("better, unclear (the interval holds 0), worse or unknown (none)")


@dataclass(frozen=True)
class ConditionPart:
    """A condition of promotion."""

    name: str = says("origins, auc, brier, subgroups or slope")
    met: bool = says("whether it is met")
    text: str = says("the condition in words")


@dataclass(frozen=True)
class PromotionPart:
    """Whether the model in use earns its place against the champion."""

    challenger: str = says("name of the model in use")
    champion: str = says("name of the champion")
    promoted: bool = says("whether every condition is met")
    conditions: list[ConditionPart] = says("each condition")


@dataclass(frozen=True)
class OriginPart:
    """One origin."""

    period: str = says("origin")
    train_first: str = says("first period of the training rows")
    train_last: str = says("last period of the training rows")
    train_rows: int = says("training rows")
    train_events: int = says("events among them")
    test_rows: int = says("test rows")
    test_events: int = says("events among them")
    leaves: int | None = says("leaves of the trees")
    notes: list[str] = says("what the models left out and why")


@dataclass(frozen=True)
class VintagePart:
    """Calibration in the large at one origin."""

    period: str = says("origin")
    rows: int = says("rows with a known outcome")
    events: int = says("events")
    mean_p: float | None = says("mean probability", "decimal")
    mean_y: float | None = says("share of events", "decimal")
    intercept: float | None = says("calibration intercept")
    se: float | None = says("its standard error by province")
    z: float | None = says("intercept over standard error")
    total: float | None = says("events more than said, added up to this origin")
    total_z: float | None = says("that total over its standard deviation")


@dataclass(frozen=True)
class ShiftPart:
    """How far a feature has moved."""

    id: str = says("feature")
    label: str = says("its name")
    psi: float | None = says("population stability index")
    noise: float | None = says(
        "largest index by chance (95 % point) or of a single training period"
    )
    level: str = says("stable, watch or moved")


@dataclass(frozen=True)
class DriftPart:
    """Whether the model still fits the times."""

    level: str = says("stable, watch or do not trust")
    reasons: list[str] = says("why, the gravest first")
    vintages: list[VintagePart] = says("level of risk at each origin")
    alarm: bool = says("whether the sum of errors stands in alarm")
    first_alarm: str | None = says("first origin at which it did")
    update_due: bool = says("whether the intercept is to be shifted")
    update_shift: float = says("by how much, on the log-odds scale")
    update_note: str = says("why, or why not")
    shifts: list[ShiftPart] = says("features of the newest test rows against training")


@dataclass(frozen=True)
class LeadPart:
    """How long before an event the signals began."""

    threshold: float = says("probability from which a signal is given", "decimal")
    events: int = says("events whose last period before was judged")
    unjudged: int = says("events whose last period before was not")
    median: float | None = says("median lead", "periods")
    share_two: float | None = says("share signalled two periods or more before", "decimal")
    share_none: float | None = says("share without a signal in the period before", "decimal")
    counts: list[list[int]] = says("lead in periods and number of events")
    open: int = says("runs that reach back to the first period judged")


@dataclass(frozen=True)
class SubgroupPart:
    """How the model in use did in one part of the test rows."""

    by: str = says("what parts the rows")
    by_label: str = says("the same in words")
    label: str = says("this part; the rest pools parts with few events")
    pooled: int = says("parts pooled here")
    rows: int = says("rows")
    events: int = says("events")
    base_rate: float | None = says("share of events", "decimal")
    mean_p: float | None = says("mean probability", "decimal")
    auc: float | None = says("AUC")
    pr_auc: float | None = says("average precision")
    brier: float | None = says("Brier score")
    intercept: float | None = says("calibration intercept")


@dataclass(frozen=True)
class CoveragePart:
    """Realised coverage of the conformal sets; indicative."""

    alpha: float = says("share that may be left out", "decimal")
    events: float | None = says("share of events whose set held the outcome", "decimal")
    others: float | None = says("share of the rest whose set held it", "decimal")
    uncertain: float | None = says("share of rows with both outcomes in the set", "decimal")
    rows: int = says("rows")


@dataclass(frozen=True)
class FeaturePart:
    """An explanatory figure."""

    id: str = says("feature")
    label: str = says("its name")
    of: str = says("column it is made of")
    formula: str = says("formula of a derived column")
    measure: str = says("what is measured of the column, in words")
    sign: str = says("+ raises the risk, - lowers it, 0 left open")


@dataclass(frozen=True)
class TargetPart:
    """What is predicted."""

    kind: str = says("entry, status or event")
    horizon: int = says("periods")
    text: str = says("the event in words")
    span: str = says("the horizon in words")
    source: str = says("column or rulebook it is taken from")
    rules: list[str] = says("versions of the rule by which outcomes were judged")
    unreported: str = says("what no report in the window means, in words")


@dataclass(frozen=True)
class CountsPart:
    """Rows of the sample."""

    rows: int = says("a government at an origin, known or not")
    at_risk: int = says("rows of which the question makes sense")
    censored: int = says("at risk, outcome not known")
    censored_share: float | None = says("share of the rows at risk", "decimal")
    events: int = says("events")
    governments: int = says("governments")
    groups: int = says("provinces")
    periods: int = says("periods")


@dataclass(frozen=True)
class JudgedPart:
    """Rows that the models were judged on."""

    first: str = says("first origin")
    last: str = says("last origin")
    origins: int = says("origins")
    rows: int = says("rows")
    events: int = says("events")
    base_rate: float | None = says("share of events", "decimal")
    governments: int = says("governments")
    embargo: int = says("periods left out before each origin, beyond the horizon")
    capacity: float = says("share of governments on a list", "decimal")
    miss_weight: float = says("weight of a missed event against a false alarm", "decimal")
    vintages: bool = says("whether the table gives days of publication")
    lag_days: int = says("days from a period's end to publication, where it does not")


@dataclass(frozen=True)
class EffectPart:
    """What a feature does in the champion."""

    id: str = says("feature")
    label: str = says("its name")
    sign: str = says("sign it was given")
    low: float | None = says("first decile in training")
    high: float | None = says("last decile in training")
    effect: float | None = says("change of the log-odds from the first decile to the last")
    left_out: bool = says("whether training had too few figures of it")


@dataclass(frozen=True)
class TrainingPart:
    """The model that was fitted at last, on every row with a known outcome."""

    first: str = says("first period of the training rows")
    last: str = says("last period")
    rows: int = says("rows")
    events: int = says("events")
    groups: int = says("provinces")
    base_rate: float | None = says("share of events", "decimal")
    members: list[str] = says("models whose log-odds are averaged")
    calibration: dict[str, list[float]] = says("a and b by model: log-odds = a + b times its own")
    intercept_shift: float = says("added to the log-odds because recent outcomes demanded it")
    firth: bool = says("whether the champion was fitted with Firth's penalty")
    conformal: list[float] | None = says("q0 and q1 of the conformal sets")
    effects: list[EffectPart] = says("each feature in the champion")


@dataclass(frozen=True)
class ClassifierContext:
    """A back-test, and the trained model where there is one."""

    id: str = says("specification")
    title: str = says("its title")
    note: str = says("its note")
    country: str = says("ISO 3166 code; the model is applied to no other")
    country_name: str = says("its name")
    owner: str = says("who answers for it")
    synthetic: bool = says("whether the data are invented")
    language: str = says("zh or en")
    version: str = says("version of debtwatch")
    frequency: str = says("year or quarter")
    production: str = says("model in use")
    production_label: str = says("its name")
    seed: int = says("seed")
    draws: int = says("draws of clusters behind the intervals")
    spec_sha256: str = says("hash of the specification")
    sources: dict[str, str] = says("hash of each table by its file name")
    versions: dict[str, str] = says("version of each package that can move a figure")
    target: TargetPart = says("what is predicted")
    counts: CountsPart = says("rows of the sample")
    test: JudgedPart = says("rows judged")
    features: list[FeaturePart] = says("explanatory figures")
    leaked: list[str] = says("features that moved with what was published later; none when clean")
    absent: list[str] = says("models not compared: they could not be fitted at every origin")
    origins: list[OriginPart] = says("origins")
    models: list[ModelPart] = says("every model, in the order of the ladder")
    differences: list[DifferencePart] = says("the model in use against each other one")
    promotion: PromotionPart = says("whether it earns its place")
    lead: LeadPart = says("lead times")
    subgroups: list[SubgroupPart] = says("parts of the test rows")
    coverage: CoveragePart | None = says("coverage of the conformal sets")
    drift: DriftPart = says("drift")
    training: TrainingPart | None = says("the trained model")
    findings: dict[str, list[str]] = says("what the figures mean, in words")


def classifier_keys() -> list[tuple[str, str, str, str]]:
    """Key, type, unit and meaning of every field of ``metrics.json``, for its documentation.

    Examples
    --------
    >>> classifier_keys()[0]
    ('id', 'str', '', 'specification')
    """
    return [
        *documented_keys(ClassifierContext),
        *documented_keys(CoveragePart, "coverage."),
        *documented_keys(TrainingPart, "training."),
    ]

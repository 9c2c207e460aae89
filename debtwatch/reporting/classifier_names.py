"""Names of a classifier's models, targets, features and parts of the data, in words."""

from __future__ import annotations

from babel import Locale

from debtwatch.early_warning.ladder import MODELS
from debtwatch.early_warning.sample import Frequency
from debtwatch.early_warning.spec import Feature, Spec, Target
from debtwatch.language import LOCALES, N_, Language

#: Learned from all features; what comes before them in the ladder is a rule of thumb.
LEARNED = ("logit", "trees", "logit_trees", "average")
NAMES = {
    "climatology": N_("Event rate so far"),
    "persistence": N_("Persistence"),
    "signal": N_("Best single signal"),
    "composite": N_("Composite of signals"),
    "projection": N_("Projection"),
    "extrapolation": N_("Extrapolated trend"),
    "distance": N_("Distance to the line"),
    "trend": N_("Level and trend"),
    "logit": N_("Logit (champion)"),
    "trees": N_("Small trees (challenger)"),
    "logit_trees": N_("Average of logit and small trees"),
    "average": N_("Average of the models"),
    "forest": N_("Random forest (reference)"),
    "full_trees": N_("Full-size trees (reference)"),
}
#: Short names of the models that an average may be made of.
MEMBERS = {
    "logit": N_("logit"),
    "trees": N_("small trees"),
    "projection": N_("projection"),
    "distance": N_("distance to the line"),
}
_MEASURES = {
    "level": N_("the figure itself"),
    "distance": N_("distance to the line, positive on the safe side"),
    "change": N_("change over {span}"),
    "volatility": N_("volatility over {span}"),
    "highest": N_("highest of {span}"),
    "peers": N_("mean of the others of its group"),
    "gap": N_("difference from the others of its group"),
    "national": N_("median of all governments"),
    "is": N_("whether it is {value}"),
    "missing": N_("whether it is not reported"),
    "delay": N_("days of delay in reporting"),
    "revision": N_("size of the latest revision"),
    "projection": N_("probability that the projection gives"),
}
_SIGNS = {">=": "≥", ">": ">", "<=": "≤", "<": "<"}
_PARTITIONS = {
    "group": N_("province"),
    "province": N_("province"),
    "period": N_("origin"),
    "size": N_("size"),
    "land": N_("dependence on land"),
}
#: Parts of these go by names of their own, not by quarters.
_OWN_NAMES = ("group", "province", "period")
_QUARTILES = {
    "1": N_("lowest quarter"),
    "2": N_("second quarter"),
    "3": N_("third quarter"),
    "4": N_("highest quarter"),
    "": N_("not known"),
}


def model_label(model: str, spec: Spec, words: Language) -> str:
    """Name of a model; without a line, the distance is the level of one figure.

    Parameters
    ----------
    model : str
    spec : Spec
    words : Language
    """
    figure = spec.distance_feature
    if model == "distance" and figure is not None and figure.measure != "distance":
        name = words.pick(figure.label.zh, figure.label.en)
        if spec.target.line is None or figure.of != spec.target.ratio:
            return words.text(N_("One figure alone: {name}")).format(name=name)
    if model == "average":
        members = words.text(N_(", ")).join(words.text(MEMBERS[m]) for m in spec.members)
        return words.text(N_("Average: {members}")).format(members=members)
    return words.text(NAMES.get(model, model))


def country_name(code: str, words: Language) -> str:
    """Name of a country; the code where it has none.

    Examples
    --------
    >>> from debtwatch.language import language
    >>> country_name("BR", language("zh")), country_name("QQ", language("en"))
    ('巴西', 'QQ')
    """
    return str(Locale.parse(LOCALES[words.code]).territories.get(code, code))


def model_kind(model: str) -> str:
    """Tell rules of thumb, learned models and references apart.

    Examples
    --------
    >>> model_kind("distance"), model_kind("trees"), model_kind("forest")
    ('rule', 'learned', 'reference')
    """
    if model in LEARNED:
        return "learned"
    return "rule" if model in MODELS else "reference"


def span(count: int, frequency: Frequency, words: Language) -> str:
    """Write a number of periods.

    Examples
    --------
    >>> from debtwatch.language import language
    >>> span(1, "year", language("en")), span(4, "quarter", language("en"))
    ('one year', '4 quarters')
    """
    if count == 1:
        return words.text(N_("one year") if frequency == "year" else N_("one quarter"))
    text = N_("{count} years") if frequency == "year" else N_("{count} quarters")
    return words.text(text).format(count=count)


def target_text(spec: Spec, frequency: Frequency, words: Language) -> str:
    """Say what is predicted.

    Parameters
    ----------
    spec : Spec
    frequency : {"year", "quarter"}
    words : Language
    """
    target = spec.target
    ahead = span(target.horizon, frequency, words)
    if target.event:
        text = words.text(N_("an event of the list “{column}” happens within {span}"))
        return text.format(column=target.event, span=ahead)
    text = words.text(
        N_("a government that does not meet “{state}” now meets it within {span}")
        if target.kind == "entry"
        else N_("a government meets “{state}” {span} from now")
    )
    return text.format(state=_state(spec, words), span=ahead)


def _state(spec: Spec, words: Language) -> str:
    """Name the class: a ratio beyond a line, or classes by name."""
    target = spec.target
    if target.ratio is not None and target.line is not None:
        own = [f for f in spec.feature if f.of == target.ratio and f.measure == "level"]
        name = words.pick(own[0].label.zh, own[0].label.en) if own else target.ratio
        return f"{name} {_SIGNS[target.operator]} {target.line:g}"
    return words.text(N_("class {classes}")).format(classes="/".join(target.worse))


def target_source(target: Target, words: Language) -> str:
    """Say where the class or event is taken from."""
    if target.rulebook:
        return words.text(N_("rulebook {name}")).format(name=target.rulebook)
    column = target.ratio or target.class_column or target.event or ""
    return words.text(N_("column {name}")).format(name=column)


def unreported_text(target: Target, words: Language) -> str:
    """Say what a government without a report in the window counts as."""
    if target.kind == "event":
        return words.text(
            N_("not on the list: no event")
            if target.unlisted == "no event"
            else N_("not on the list: left out")
        )
    return words.text(
        N_("no report in the window: left out and counted")
        if target.unreported == "censored"
        else N_("no report in the window: counts as an event")
    )


def measure_text(feature: Feature, frequency: Frequency, words: Language) -> str:
    """Say what a feature measures of its column.

    Parameters
    ----------
    feature : Feature
    frequency : {"year", "quarter"}
    words : Language
    """
    periods = span(feature.periods, frequency, words) if feature.periods else ""
    found = [words.text(_MEASURES[feature.measure]).format(span=periods, value=feature.value)]
    if feature.log:
        found.append(words.text(N_("logarithm")))
    if feature.lag:
        before = words.text(N_("{span} earlier"))
        found.append(before.format(span=span(feature.lag, frequency, words)))
    return words.text(N_(", ")).join(found)


def partition_label(by: str, spec: Spec, words: Language) -> str:
    """Name what parts the rows."""
    if by in spec.names:
        label = spec.feature_named(by).label
        text = words.text(N_("{name}, quarters of the governments of each origin"))
        return text.format(name=words.pick(label.zh, label.en))
    return words.text(_PARTITIONS.get(by, by))


def part_label(by: str, label: str, pooled: int, words: Language) -> str:
    """Name a part of the rows.

    Parameters
    ----------
    by, label : str
        What parts the rows, and the part.
    pooled : int
        Parts pooled in it; 0 for a part of its own.
    words : Language
    """
    if pooled:
        return words.text(N_("others, {count} parts together")).format(count=pooled)
    if by in _OWN_NAMES:
        return label or words.text(N_("not known"))
    return words.text(_QUARTILES.get(label, label))

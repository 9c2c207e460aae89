"""What a classifier says of a government, in an official's words and units."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from scipy.special import expit

from debtwatch.early_warning.explain import SENTENCES, Place, Reason, plain_figure, sentence
from debtwatch.early_warning.sample import Note
from debtwatch.early_warning.spec import Feature, Spec
from debtwatch.early_warning.store_rows import amount_columns
from debtwatch.language import N_, Language
from debtwatch.reporting.figures import Figures

SIGNALS: Final = {
    "alert": N_("Alert"),
    "watch": N_("Watch closely"),
    "none": N_("No signal"),
    "silent": N_("Says nothing"),
}
VERDICTS: Final = {
    "alert": N_("only the event fits what it learned"),
    "clear": N_("only its absence fits what it learned"),
    "uncertain": N_("both outcomes fit what it learned"),
    "out of range": N_("neither outcome fits what it learned"),
    "": "",
}
SILENCES: Final = {
    "no row": N_("No figures were known on the day of the forecast."),
    "in class": N_("Already in the class that the model warns of: the level counts."),
    "class unknown": N_("Its class was not known on the day of the forecast."),
    "not at risk": N_(
        "Already in the class that the model warns of, or not known to be below it: "
        "the level counts."
    ),
    "missing": N_("Too many of the explanatory figures are missing."),
    "stale": N_("Its latest figures are too old."),
    "outside": N_("A figure lies far outside what the model learned from."),
}
#: Reasons for silence in a count, such as "already in the class: 12".
COUNTED: Final = {
    "in class": N_("already in the class: {n}"),
    "not at risk": N_("already in the class, or not known to be below it: {n}"),
    "class unknown": N_("class not known: {n}"),
    "no row": N_("no figures: {n}"),
    "missing": N_("too many figures missing: {n}"),
    "stale": N_("figures too old: {n}"),
    "outside": N_("a figure far outside what it learned from: {n}"),
}
#: Where a figure stands, short enough for a table.
BRIEF: Final[Mapping[Place, str]] = {
    "highest tenth": N_("{label} {value} (highest tenth)"),
    "highest fifth": N_("{label} {value} (highest fifth)"),
    "upper half": N_("{label} {value} (upper half)"),
    "middle": N_("{label} {value} (middle)"),
    "lower half": N_("{label} {value} (lower half)"),
    "lowest fifth": N_("{label} {value} (lowest fifth)"),
    "lowest tenth": N_("{label} {value} (lowest tenth)"),
}
#: Measures that are differences, written in percentage points where the column is a ratio.
_DIFFERENCES: Final = frozenset({"change", "gap", "volatility", "distance"})


class ReasonWords:
    """Reasons in words, with figures as the rest of the report writes them.

    Parameters
    ----------
    spec : Spec
    language : Language
    """

    def __init__(self, spec: Spec, language: Language) -> None:
        self.spec, self.language = spec, language
        self.figures = Figures(language.code, "large")
        self.amounts = amount_columns()

    def full(self, reason: Reason) -> str:
        """Put a reason in a sentence."""
        return self._said(reason, SENTENCES)

    def brief(self, reason: Reason) -> str:
        """Put a reason in a few words."""
        return self._said(reason, BRIEF)

    def _said(self, reason: Reason, texts: Mapping[Place, str]) -> str:
        feature = self.spec.feature_named(reason.feature)
        if reason.place == "missing" or feature.measure in {"is", "missing"}:
            return sentence(reason, feature, self.language)
        return self.language.text(texts[reason.place]).format(
            label=self.language.pick(feature.label.zh, feature.label.en),
            value=self.figure(feature, reason.value),
        )

    def figure(self, feature: Feature, value: float) -> str:
        """Write a figure: probabilities and ratios in percent, differences in points."""
        if feature.measure == "projection":
            return self.figures.chance(float(expit(value)))
        if feature.measure == "delay":
            return self._with(N_("{n} days"), self.figures.decimal(value, 0))
        if feature.log:
            return self._of_log(feature, value)
        if feature.of in self.amounts and feature.measure != "revision":
            return plain_figure(value)
        if feature.measure in _DIFFERENCES:
            return self._with(N_("{n} points"), self._points(feature, value))
        return self.figures.percent(value)

    def _points(self, feature: Feature, value: float) -> str:
        """Write percentage points, with a sign where the direction matters."""
        if feature.measure in {"change", "gap"}:
            return self.figures.points(value)
        return self.figures.decimal(value * 100, 1)

    def _of_log(self, feature: Feature, value: float) -> str:
        """Give back a logarithm, of a difference as growth in percent."""
        if feature.measure == "volatility":
            return self.figures.percent(value)
        if feature.measure in _DIFFERENCES:
            growth = math.expm1(value)
            return ("+" if growth > 0 else "") + self.figures.percent(growth)
        level = math.exp(value)
        return plain_figure(level) if feature.of in self.amounts else self.figures.percent(level)

    def _with(self, message: str, n: str) -> str:
        return self.language.text(message).format(n=n)


def labelled(note: Note, spec: Spec, language: Language) -> Note:
    """Put labels in place of the ids of features in a note on drift.

    Parameters
    ----------
    note : Note
        One of :func:`debtwatch.early_warning.drift.drift_status`; its value ``names`` is a list
        such as ``land_share 1.02, debt_ratio 0.45``.
    spec : Spec
    language : Language

    Returns
    -------
    Note
    """
    names = note.values.get("names")
    if not isinstance(names, str):
        return note
    labels = {f.id: language.pick(f.label.zh, f.label.en) for f in spec.feature}
    parts = [part.partition(" ") for part in names.split(", ")]
    said = [f"{labels.get(name, name)}{gap}{index}" for name, gap, index in parts]
    return Note(note.template, {**note.values, "names": language.text(N_(", ")).join(said)})

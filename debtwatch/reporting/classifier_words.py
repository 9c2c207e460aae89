"""What the figures of a classifier mean, in sentences that an official can act on.

Sentences follow the figures, also where they say that the classifier is of no use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from debtwatch.language import N_, Language
from debtwatch.reporting.figures import MISSING, Figures

FEW_EVENTS = 100
FEW_ORIGINS = 5
#: With fewer provinces whole provinces drawn anew tell little of the spread.
FEW_GROUPS = 8
METRICS = {"auc": "AUC", "pr_auc": "PR-AUC", "brier": N_("Brier score")}


def findings(context: dict[str, Any], words: Language) -> dict[str, list[str]]:
    """Say what the figures mean.

    Parameters
    ----------
    context : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`, findings apart.
    words : Language

    Returns
    -------
    dict
        ``warnings``: what forbids or restricts use; ``summary``: what was predicted and whether it
        beats simpler rules; ``drift``; ``purpose`` and ``not_for``; ``limits``.
    """
    said = _Said(context, words)
    return {
        "warnings": said.warnings(),
        "summary": said.summary(),
        "drift": said.drift(),
        "purpose": said.purpose(),
        "not_for": said.not_for(),
        "limits": said.limits(),
    }


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """Write a score.

    Examples
    --------
    >>> number(0.76249), number(-0.012, signed=True), number(0.0, 2, signed=True), number(None)
    ('0.762', '−0.012', '0.00', '—')
    """
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if not float(text):
        return text.removeprefix("-")
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


@dataclass(frozen=True)
class _Said:
    context: dict[str, Any]
    words: Language

    # -- tools

    def text(self, message: str, **values: object) -> str:
        return self.words.text(message).format(**values)

    def percent(self, share: float | None, digits: int = 1) -> str:
        return Figures(self.words.code, "large").percent(share, digits)

    def points(self, share: float | None) -> str:
        return Figures(self.words.code, "large").points(share)

    def listed(self, items: list[str]) -> str:
        return self.text(N_(", ")).join(items)

    @property
    def used(self) -> dict[str, Any]:
        found: dict[str, Any] = next(m for m in self.context["models"] if m["used"])
        return found

    def model(self, name: str) -> dict[str, Any] | None:
        return next((m for m in self.context["models"] if m["id"] == name), None)

    def gaps(self, against: str) -> list[dict[str, Any]]:
        return [d for d in self.context["differences"] if d["against"] == against]

    # -- warnings

    def warnings(self) -> list[str]:
        context, found = self.context, []
        if context["leaked"]:
            found.append(self.text(
                N_("Do not use these figures: features changed when only what was published later "
                   "was changed ({names}). The back-test knew the future."),
                names=self.listed(context["leaked"]),
            ))  # fmt: skip
        if context["drift"]["level"] == "do not trust":
            found.append(self.text(
                N_("The probabilities are not to be trusted at present; see the section on drift. "
                   "The order of governments may still hold.")
            ))  # fmt: skip
        simple = (self.model("distance"), self.best_rule())
        found += [
            self.text(
                N_("The classifier orders governments worse than the simple rule “{name}”. "
                   "Use that instead."),
                name=self.named(other),
            )
            for other in dict.fromkeys(model["id"] for model in simple if model)
            if self.standing(other) == "worse" and self.ranks_worse(other)
        ]  # fmt: skip
        return found

    def ranks_worse(self, against: str) -> bool:
        """Whether the order of governments is worse, not only the level of the probabilities."""
        gaps = self.gaps(against)
        return any(d["verdict"] == "worse" for d in gaps if d["metric"] != "brier")

    # -- summary

    def summary(self) -> list[str]:
        found = [self.predicted(), self.on_list()]
        distance, best = self.model("distance"), self.best_rule()
        if self.context["production"] == "distance":
            found.append(self.text(
                N_("The score in use is the distance to the line itself; it is not compared with "
                   "itself.")
            ))  # fmt: skip
        elif distance is not None:
            found += self.beside("distance")
        else:
            found.append(
                self.text(
                    N_("No feature tells how near the line is: that simple rule is missing here.")
                )
            )
        if best is not None and best["id"] != "distance":
            found.append(
                self.text(
                    N_("The best of the simple rules by PR-AUC was “{name}”."), name=best["label"]
                )
            )
            found += self.beside(best["id"])
        return [*found, self.level()]

    def predicted(self) -> str:
        context, test = self.context, self.context["test"]
        message = (
            N_("Predicted: {target}. At each of {origins} origins ({first} to {last}) the models "
               "learned only from what was known by then. Judged: {rows} cases of {governments} "
               "governments; in {events} of them ({rate}) it happened.")
            if test["origins"] > 1
            else N_("Predicted: {target}. At the origin {first} the models learned only from what "
                    "was known by then. Judged: {rows} cases of {governments} governments; in "
                    "{events} of them ({rate}) it happened.")
        )  # fmt: skip
        return self.text(
            message, target=context["target"]["text"], rate=self.percent(test["base_rate"]),
            **{k: f"{test[k]:,}" for k in ("origins", "rows", "governments", "events")},
            first=test["first"], last=test["last"],
        )  # fmt: skip

    def on_list(self) -> str:
        used, test = self.used, self.context["test"]
        precision = used["precision_k"]
        return self.text(
            N_("The lists of the {share} at most risk at each origin held {recall} of the events. "
               "Of the governments on a list {precision} had one (nine in ten: {low} to {high}), "
               "of all governments {rate}."),
            share=self.percent(test["capacity"], 0), recall=self.percent(used["recall_k"], 0),
            precision=self.percent(precision["mean"]), low=self.percent(precision["lower"]),
            high=self.percent(precision["upper"]), rate=self.percent(test["base_rate"]),
        )  # fmt: skip

    def best_rule(self) -> dict[str, Any] | None:
        """Rule of thumb with the highest PR-AUC, the model in use apart."""
        rules = [
            m for m in self.context["models"]
            if m["kind"] == "rule" and not m["used"] and m["pr_auc"]["mean"] is not None
        ]  # fmt: skip
        return max(rules, key=lambda m: float(m["pr_auc"]["mean"]), default=None)

    def named(self, model: str) -> str:
        found = self.model(model)
        return model if found is None else str(found["label"])

    def standing(self, against: str) -> str:
        """Say where the model in use stands: better, mixed, unclear, worse or unknown."""
        found = {d["verdict"] for d in self.gaps(against)}
        if found <= {"unknown"}:
            return "unknown"
        if {"better", "worse"} <= found:
            return "mixed"
        return "better" if "better" in found else "worse" if "worse" in found else "unclear"

    def beside(self, against: str) -> list[str]:
        """Compare with a rule of thumb: by every metric in words, by AUC in figures."""
        gaps, name = self.gaps(against), self.named(against)
        if not gaps:
            return []
        by = {
            verdict: self.listed(
                [self.words.text(METRICS[d["metric"]]) for d in gaps if d["verdict"] == verdict]
            )
            for verdict in ("better", "unclear", "worse")
        }
        message = {
            "better": N_("The classifier beats the rule “{name}” by {better}."),
            "unclear": N_("The classifier does not clearly beat the rule “{name}”: the intervals "
                          "of the differences hold zero."),
            "worse": N_("The classifier does not beat the rule “{name}”: it is worse by {worse}."),
            "mixed": N_("Beside the rule “{name}” the classifier is better by {better} and worse "
                        "by {worse}."),
            "unknown": N_("Whether the classifier beats the rule “{name}” cannot be said: there "
                          "are too few provinces for an interval."),
        }[self.standing(against)]  # fmt: skip
        found = [self.text(message, name=name, **by)]
        if by["unclear"] and self.standing(against) != "unclear":
            found.append(self.text(N_("No clear difference by {unclear}."), unclear=by["unclear"]))
        pair = next((d for d in gaps if d["metric"] == "auc" and d["value"] is not None), None)
        other = self.model(against)
        if pair is not None and other is not None:
            found.append(self.text(
                N_("Of two governments, one with the event and one without, the classifier puts "
                   "the right one first in {auc} of cases, the rule in {other}: {gain} points, "
                   "nine in ten {low} to {high}."),
                auc=self.percent(self.used["auc"]["mean"]),
                other=self.percent(other["auc"]["mean"]), gain=self.points(pair["value"]),
                low=self.points(pair["lower"]), high=self.points(pair["upper"]),
            ))  # fmt: skip
        return found

    def level(self) -> str:
        """Compare what was said with what happened, in the mean and by the Brier score."""
        used = self.used
        skill = used["skill_train"]["mean"]
        message = (
            N_("On average the classifier said {said}, and {rate} happened. Its squared error "
               "(Brier score) is {skill} lower than that of giving everyone the event rate known "
               "then.")
            if skill is None or skill >= 0
            else N_("On average the classifier said {said}, and {rate} happened. Its squared error "
                    "(Brier score) is {skill} HIGHER than that of giving everyone the event rate "
                    "known then.")
        )  # fmt: skip
        return self.text(
            message, said=self.percent(used["mean_p"]), rate=self.percent(used["base_rate"]),
            skill=self.percent(None if skill is None else abs(skill)),
        )  # fmt: skip

    # -- drift, purpose, limits

    def drift(self) -> list[str]:
        drift = self.context["drift"]
        message = {
            "stable": N_("Inputs and event rates are as they were in training."),
            "watch": N_("Watch: something has moved since training; read the probabilities with "
                        "care."),
            "do not trust": N_("Do not trust the probabilities: the times are no longer those of "
                               "training. Train the model anew, or use only the order of "
                               "governments, beside the simple rules."),
        }[drift["level"]]  # fmt: skip
        return [self.text(message), *drift["reasons"], drift["update_note"]]

    def purpose(self) -> list[str]:
        context = self.context
        return [
            self.text(N_("It names governments to look at first, with reasons, before the figures "
                         "of the next periods are known.")),
            self.text(
                N_("It is for governments of {country} of the kind it was trained on, and for the "
                   "target and the horizon ({span}) named here."),
                country=context["country_name"], span=context["target"]["span"],
            ),
        ]  # fmt: skip

    def not_for(self) -> list[str]:
        return [self.text(message) for message in (
            N_("It raises attention and nothing else: no sanction, limit or refusal follows from "
               "it without a person's own examination."),
            N_("It never lowers the level that a rule gives; that level stands above it."),
            N_("It is not applied to governments of another country or of another kind, nor, where "
               "it was trained on invented data, to real ones."),
        )]  # fmt: skip

    def limits(self) -> list[str]:
        context = self.context
        target, counts, test = context["target"], context["counts"], context["test"]
        found = []
        if target["kind"] != "event":
            found.append(
                self.text(
                    N_("The outcome is a class or ratio read from published figures: no default.")
                )
            )
        found.append(self.text(
            N_("Debt that is not reported is not seen, and governments that were merged or stopped "
               "reporting drop out. Of {at_risk} cases at risk {censored} ({share}) have no known "
               "outcome, because nothing was reported; they were left out of the scores."),
            censored=f"{counts['censored']:,}", at_risk=f"{counts['at_risk']:,}",
            share=self.percent(counts["censored_share"]),
        ))  # fmt: skip
        if len(target["rules"]) > 1:
            found.append(self.text(
                N_("The outcomes were judged by {count} versions of the rule ({rules}). A change "
                   "of the rule cannot be calibrated away."),
                count=len(target["rules"]), rules=self.listed(target["rules"]),
            ))  # fmt: skip
        if not test["vintages"]:
            found.append(self.text(
                N_("The table has no days of publication: each figure counts as known {days} days "
                   "after its period ended, with the revisions made since."),
                days=test["lag_days"],
            ))  # fmt: skip
        return found + self.few()

    def few(self) -> list[str]:
        test, found = self.context["test"], []
        if self.context["absent"]:
            found.append(self.text(
                N_("Not compared, because they could not be fitted at every origin: {names}. A "
                   "later origins.first in the specification brings them in."),
                names=self.listed(self.context["absent"]),
            ))  # fmt: skip
        if test["events"] < FEW_EVENTS:
            found.append(self.text(
                N_("Only {events} events in the test: every figure here is rough."),
                events=test["events"],
            ))  # fmt: skip
        groups = self.context["counts"]["groups"]
        if groups < FEW_GROUPS:
            found.append(self.text(
                N_("Provinces: {groups}. With so few the intervals are too narrow and shares of "
                   "draws say little."),
                groups=groups,
            ))  # fmt: skip
        if test["origins"] < FEW_ORIGINS:
            found.append(self.text(
                N_("Origins judged: {origins}. Shocks common to all governments move an origin as "
                   "one; the intervals do not show how few that is."),
                origins=test["origins"],
            ))  # fmt: skip
        return found


def classifier_text(context: dict[str, Any], words: Language) -> str:
    """Write a back-test as sentences and a table, for the terminal.

    Parameters
    ----------
    context : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`.
    words : Language
    """
    said = context["findings"]
    lines = [context["title"]]
    if context["synthetic"]:
        lines.append(words.text(N_("Synthetic data: the governments and figures are invented.")))
    lines += ["", *said["warnings"], *said["summary"], *said["drift"][:1], *said["limits"], ""]
    titles = ["AUC", "PR-AUC", "Brier", N_("Skill"), N_("On list"), N_("Found")]
    lines.append("".join(f"{words.text(title):>9}" for title in titles))
    for model in context["models"]:
        cells = (
            number(model["auc"]["mean"]),
            number(model["pr_auc"]["mean"]),
            number(model["brier"]["mean"], 4),
            number(model["skill_train"]["mean"]),
            number(model["precision_k"]["mean"], 2),
            number(model["recall_k"], 2),
        )
        mark = " *" if model["used"] else ""
        lines.append("".join(f"{cell:>9}" for cell in cells) + f"  {model['label']}{mark}")
    return "\n".join(lines)

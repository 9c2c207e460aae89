"""The back-test of a classifier as the values of its page, its metrics and its model card."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

import debtwatch
from debtwatch.early_warning.drift import Vintage
from debtwatch.early_warning.experiment import Experiment, OriginSummary
from debtwatch.early_warning.metrics import Difference, ModelScore
from debtwatch.early_warning.period_names import period_text
from debtwatch.early_warning.sample import Note
from debtwatch.early_warning.trained import EVERYWHERE, Trained, as_fitted
from debtwatch.language import N_, Language
from debtwatch.reporting import classifier_names as names
from debtwatch.reporting.classifier_context import (
    ClassifierContext,
    ConditionPart,
    CountsPart,
    CoveragePart,
    DifferencePart,
    DriftPart,
    EffectPart,
    FeaturePart,
    JudgedPart,
    LeadPart,
    ModelPart,
    OriginPart,
    PromotionPart,
    ShiftPart,
    SubgroupPart,
    TargetPart,
    TrainingPart,
    VintagePart,
)
from debtwatch.reporting.classifier_numbers import (
    calibration_part,
    figure_part,
    known,
    numbers,
    plain,
    signal_part,
    verdict,
)
from debtwatch.reporting.classifier_words import findings


def classifier_context(
    experiment: Experiment,
    *,
    words: Language,
    sources: Mapping[str, str],
    versions: Mapping[str, str],
    trained: Trained | None = None,
) -> dict[str, Any]:
    """Put a back-test, and the model trained after it, into the values of its pages.

    Parameters
    ----------
    experiment : Experiment
    words : Language
    sources : mapping of str to str
        SHA-256 of each table by its file name.
    versions : mapping of str to str
        Version of each package that can move a figure.
    trained : Trained, optional

    Returns
    -------
    dict
        The tree of :class:`debtwatch.reporting.classifier_context.ClassifierContext` as plain
        values, ready for JSON; what is not known is None.
    """
    made = _Maker(experiment, words)
    context: dict[str, Any] = plain(dataclasses.asdict(made.context(sources, versions, trained)))
    context["findings"] = findings(context, words)
    return context


@dataclasses.dataclass(frozen=True)
class _Maker:
    experiment: Experiment
    words: Language

    def context(
        self, sources: Mapping[str, str], versions: Mapping[str, str], trained: Trained | None
    ) -> ClassifierContext:
        found = self.experiment
        spec = found.spec
        return ClassifierContext(
            id=spec.id,
            title=self.words.pick(spec.title.zh, spec.title.en),
            note="" if spec.note is None else self.words.pick(spec.note.zh, spec.note.en),
            country=spec.country,
            country_name=names.country_name(spec.country, self.words),
            owner=spec.owner,
            synthetic=spec.synthetic,
            language=self.words.code,
            version=debtwatch.__version__,
            frequency=found.frequency,
            production=found.production,
            production_label=self.label(found.production),
            seed=found.seed,
            draws=found.draws,
            spec_sha256=spec.sha256,
            sources=dict(sorted(sources.items())),
            versions=dict(sorted(versions.items())),
            target=self.target(),
            counts=self.counts(),
            test=self.test(),
            features=self.features(),
            leaked=list(found.leaked),
            absent=[self.label(model) for model in found.absent],
            origins=[self.origin(o) for o in found.origins],
            models=[self.model(s) for s in found.scores],
            differences=[self.difference(d) for d in found.differences],
            promotion=self.promotion(),
            lead=self.lead(),
            subgroups=self.subgroups(),
            coverage=self.coverage(),
            drift=self.drift(),
            training=None if trained is None else _training(trained, self),
            findings={},
        )

    # -- words and periods

    def label(self, model: str) -> str:
        return names.model_label(model, self.experiment.spec, self.words)

    def feature_label(self, feature: str) -> str:
        if feature not in self.experiment.spec.names:
            return feature
        label = self.experiment.spec.feature_named(feature).label
        return self.words.pick(label.zh, label.en)

    def period(self, ordinal: int) -> str:
        return period_text(int(ordinal), self.experiment.frequency)

    def say(self, note: Note | str) -> str:
        if isinstance(note, str):
            return note
        return self.words.text(note.template).format(**self.labelled(note.values))

    def labelled(self, values: Mapping[str, object]) -> Mapping[str, object]:
        """Put labels in place of the ids of a list such as ``debt 0.31, trend 0.28``."""
        if not isinstance(values.get("names"), str):
            return values
        parts = [part.split(" ", 1) for part in str(values["names"]).split(", ")]
        named = [" ".join([self.feature_label(first), *rest]) for first, *rest in parts]
        return {**values, "names": self.words.text(N_(", ")).join(named)}

    def named(self, values: dict[str, object]) -> dict[str, object]:
        """Put names in place of the keys of a subgroup."""
        if "by" not in values:
            return values
        by, label = str(values["by"]), str(values["label"])
        return {
            **values,
            "by": names.partition_label(by, self.experiment.spec, self.words),
            "label": names.part_label(by, label, 0, self.words),
        }

    # -- parts

    def target(self) -> TargetPart:
        spec, frequency = self.experiment.spec, self.experiment.frequency
        return TargetPart(
            kind=spec.target.kind,
            horizon=spec.target.horizon,
            text=names.target_text(spec, frequency, self.words),
            span=names.span(spec.target.horizon, frequency, self.words),
            source=names.target_source(spec.target, self.words),
            rules=list(self.experiment.rules),
            unreported=names.unreported_text(spec.target, self.words),
        )

    def counts(self) -> CountsPart:
        counts = self.experiment.counts
        share = counts.censored / counts.at_risk if counts.at_risk else None
        return CountsPart(**dataclasses.asdict(counts), censored_share=share)

    def test(self) -> JudgedPart:
        found = self.experiment
        score = found.score_of(found.production)
        periods = [o.period for o in found.origins]
        return JudgedPart(
            first=self.period(min(periods)),
            last=self.period(max(periods)),
            origins=len(periods),
            rows=score.rows,
            events=score.events,
            base_rate=known(score.base_rate),
            governments=int(found.predictions["unit"].nunique()),
            embargo=found.spec.origins.embargo,
            capacity=found.spec.signals.capacity,
            miss_weight=found.spec.signals.miss_weight,
            vintages=found.spec.data.known_from is not None,
            lag_days=found.spec.data.lag_days,
        )

    def features(self) -> list[FeaturePart]:
        spec = self.experiment.spec
        return [
            FeaturePart(
                id=f.id,
                label=self.words.pick(f.label.zh, f.label.en),
                of=f.of or "",
                formula=spec.columns.get(f.of or "", ""),
                measure=names.measure_text(f, self.experiment.frequency, self.words),
                sign=f.sign,
            )
            for f in spec.feature
        ]

    def origin(self, origin: OriginSummary) -> OriginPart:
        return OriginPart(
            period=self.period(origin.period),
            train_first=self.period(origin.train_first),
            train_last=self.period(origin.train_last),
            train_rows=origin.train_rows,
            train_events=origin.train_events,
            test_rows=origin.test_rows,
            test_events=origin.test_events,
            leaves=origin.leaves,
            notes=[self.say(note) for note in origin.notes],
        )

    def model(self, score: ModelScore) -> ModelPart:
        given = self.experiment.predictions.get(score.model)
        return ModelPart(
            id=score.model,
            label=self.label(score.model),
            kind=names.model_kind(score.model),
            used=score.model == self.experiment.production,
            rows=score.rows,
            events=score.events,
            base_rate=known(score.base_rate),
            mean_p=None if given is None else known(float(given.mean())),
            auc=figure_part(score.auc),
            auc_by_origin=known(score.auc_by_origin),
            pr_auc=figure_part(score.pr_auc),
            brier=figure_part(score.brier),
            skill_train=figure_part(score.skill_train),
            skill_test=known(score.skill_test),
            log_loss=known(score.log_loss),
            precision_k=figure_part(score.precision_k),
            recall_k=known(score.recall_k),
            lift_k=known(score.lift_k),
            watch=signal_part(score.watch),
            alert=signal_part(score.alert),
            calibration=calibration_part(score.calibration),
        )

    def difference(self, gap: Difference) -> DifferencePart:
        return DifferencePart(
            against=gap.against,
            label=self.label(gap.against),
            kind=names.model_kind(gap.against),
            metric=gap.metric,
            value=known(gap.value),
            lower=known(gap.lower),
            upper=known(gap.upper),
            share_better=known(gap.share_better),
            verdict=verdict(gap),
        )

    def promotion(self) -> PromotionPart:
        found = self.experiment.promotion
        return PromotionPart(
            challenger=self.label(found.challenger),
            champion=self.label(found.champion),
            promoted=found.promoted,
            conditions=[
                ConditionPart(
                    c.name, c.met, self.words.text(c.template).format(**self.named(c.values))
                )
                for c in found.reasons
            ],
        )

    def lead(self) -> LeadPart:
        lead = self.experiment.lead
        score = self.experiment.score_of(self.experiment.production)
        return LeadPart(
            threshold=score.watch.threshold,
            events=lead.events,
            unjudged=lead.unjudged,
            median=known(lead.median),
            share_two=known(lead.share_two),
            share_none=known(lead.share_none),
            counts=[[int(periods), int(events)] for periods, events in lead.counts],
            open=lead.open,
        )

    def subgroups(self) -> list[SubgroupPart]:
        spec = self.experiment.spec
        return [
            SubgroupPart(
                by=s.by,
                by_label=names.partition_label(s.by, spec, self.words),
                label=names.part_label(s.by, s.label, s.pooled, self.words),
                pooled=s.pooled,
                rows=s.rows,
                events=s.events,
                **numbers(s, ("base_rate", "mean_p", "auc", "pr_auc", "brier", "intercept")),
            )
            for s in self.experiment.subgroups
        ]

    def coverage(self) -> CoveragePart | None:
        found = self.experiment.coverage
        if found is None:
            return None
        shares = numbers(found, ("events", "others", "uncertain"))
        return CoveragePart(alpha=found.alpha, rows=found.rows, **shares)

    def drift(self) -> DriftPart:
        found = self.experiment
        totals = dict(zip(found.cusum.period, zip(found.cusum.total, found.cusum.z, strict=True),
                          strict=True))  # fmt: skip
        first = found.cusum.first_alarm
        return DriftPart(
            level=found.drift.level,
            reasons=[self.say(reason) for reason in found.drift.reasons],
            vintages=[
                self.vintage(v, totals.get(v.period, (math.nan, math.nan)))
                for v in found.vintages
            ],
            alarm=found.cusum.alarm,
            first_alarm=None if first is None else self.period(first),
            update_due=found.intercept.due,
            update_shift=found.intercept.shift,
            update_note=self.say(found.intercept.note),
            shifts=[
                ShiftPart(s.name, self.feature_label(s.name), known(s.psi), known(s.noise), s.level)
                for s in found.shifts
            ],
        )  # fmt: skip

    def vintage(self, vintage: Vintage, total: tuple[float, float]) -> VintagePart:
        return VintagePart(
            period=self.period(vintage.period),
            rows=vintage.rows,
            events=vintage.events,
            total=known(total[0]),
            total_z=known(total[1]),
            **numbers(vintage, ("mean_p", "mean_y", "intercept", "se", "z")),
        )


# -- the trained model -----------------------------------------------------------------------------


def _training(trained: Trained, made: _Maker) -> TrainingPart:
    sets = trained.conformal
    return TrainingPart(
        first=made.period(trained.train_first),
        last=made.period(trained.train_last),
        rows=trained.rows,
        events=trained.events,
        groups=trained.groups,
        base_rate=known(trained.base_rate),
        members=[made.label(member) for member in trained.members],
        calibration={
            made.label(name): [platt.intercept, platt.slope]
            for name, platt in trained.calibration.items()
        },
        intercept_shift=trained.intercept_shift,
        firth=bool(trained.logit.firth_),
        conformal=None if sets is None else [sets.q0, sets.q1],
        effects=_effects(trained, made),
    )


def _effects(trained: Trained, made: _Maker) -> list[EffectPart]:
    """Move each feature alone from its first decile in training to its last."""
    spec = trained.spec
    ends = {
        name: (trained.bins[name].edges[0], trained.bins[name].edges[-1])
        for name in spec.names if name in trained.bins and trained.bins[name].edges
    }  # fmt: skip
    middle = trained.medians.loc[EVERYWHERE, list(spec.names)].astype(float)
    rows = pd.DataFrame([middle] * (2 * len(ends)), columns=list(spec.names)).reset_index(drop=True)
    for k, (name, (low, high)) in enumerate(ends.items()):
        rows.loc[2 * k, name], rows.loc[2 * k + 1, name] = low, high
    parts = trained.logit.contributions(as_fitted(trained.logit, rows)) if ends else np.empty((0,))
    fitted = [str(n) for n in getattr(trained.logit, "feature_names_in_", spec.names)]
    effect = {
        name: float(parts[2 * k + 1, fitted.index(name)] - parts[2 * k, fitted.index(name)])
        for k, name in enumerate(ends)
    }
    used = {fitted[e.column] for e in trained.logit.effects_}
    return [
        EffectPart(
            id=f.id,
            label=made.feature_label(f.id),
            sign=f.sign,
            low=known(ends[f.id][0]) if f.id in ends else None,
            high=known(ends[f.id][1]) if f.id in ends else None,
            effect=effect.get(f.id) if f.id in used else None,
            left_out=f.id not in used,
        )
        for f in spec.feature
    ]

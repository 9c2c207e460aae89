"""What classifiers add to a report: attention beside the levels, or what one would need.

The level by the rule stands above all of this. A classifier may draw attention to a government; it
never lowers its level and never replaces it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from debtwatch.early_warning.applied import Applied, Said
from debtwatch.early_warning.period_names import period_text
from debtwatch.early_warning.sample import Array, Note
from debtwatch.early_warning.store_rows import groups_of
from debtwatch.language import N_, Language
from debtwatch.reporting.attention_words import (
    COUNTED,
    SIGNALS,
    SILENCES,
    VERDICTS,
    ReasonWords,
    labelled,
)
from debtwatch.reporting.context import AttentionModel, AttentionRow, AttentionSection
from debtwatch.reporting.study import Study
from debtwatch.rules.rulebook import Outcome

#: Events below which probabilities cannot be calibrated (methods, 2.6).
FEWEST_EVENTS = 50
#: Events that each explanatory figure asks for (methods, 2.5).
EVENTS_PER_FEATURE = 10
#: Explanatory figures of the specification that is shipped for counties.
SHIPPED_FEATURES = 13
#: Provinces below which they cannot be folds of their own (methods, 2.4).
FEWEST_PROVINCES = 5
#: Governments below which a fold holds fewer than 20 (ours).
FEWEST_GOVERNMENTS = 100
#: Periods: those to learn from (eight quarters by methods 2.4, two years by us), the horizon, an
#: embargo of a quarter, and three origins to be judged at.
FEWEST_PERIODS = {"quarter": 8 + 4 + 1 + 3, "year": 2 + 1 + 3}
SPECIFICATION = "models/early_warning/specs/cn-counties-entry.toml"


class AttentionParts:
    """Section, column and unit rows of the classifiers given to a report.

    Parameters
    ----------
    applied : sequence of Applied
        In the order given; the first that is not refused fills the column.
    study : Study
    language : Language
    has_page : mapping from unit to bool
    levels : mapping from unit to level
    """

    def __init__(
        self,
        applied: Sequence[Applied],
        study: Study,
        language: Language,
        has_page: Mapping[str, bool],
        *,
        levels: Mapping[str, str],
    ) -> None:
        self.study, self.language = study, language
        self.has_page, self.levels = has_page, levels
        self.names = {str(u): str(n) for u, n in study.panel.units["name"].items()}
        self.models = [self._model(one) for one in applied]
        self.used = [model for model in self.models if not model.refused]

    def section(self) -> AttentionSection:
        """Give the section of the index page."""
        count = count_of(self.study)
        return AttentionSection(
            models=self.models,
            needs=[] if self.used else self._needs(count),
            governments=count.governments,
            provinces=count.provinces,
            periods=count.periods,
            followed=count.followed,
            events=count.events,
            entries=count.entries,
        )

    def by_unit(self) -> dict[str, list[AttentionRow]]:
        """Give what each classifier says of each government."""
        found: dict[str, list[AttentionRow]] = {unit: [] for unit in self.names}
        for model in self.used:
            for row in model.rows:
                found[row.unit].append(row)
        return found

    # -- a classifier ------------------------------------------------------------------------------

    def _model(self, applied: Applied) -> AttentionModel:
        trained, spec = applied.trained, applied.trained.spec
        warnings, untrusted = self._warnings(applied), _untrusted(applied)
        caution = warnings[0] if untrusted else ""
        rows, silences = ([], []) if applied.refused else self._rows(applied, caution)
        counted = {signal: sum(row.signal == signal for row in rows) for signal in SIGNALS}
        span = (
            period_text(p, trained.frequency) for p in (trained.train_first, trained.train_last)
        )
        return AttentionModel(
            id=spec.id,
            title=self.language.pick(spec.title.zh, spec.title.en),
            note=self.language.pick(spec.note.zh, spec.note.en) if spec.note else "",
            sha256=applied.sha256,
            refused=self._note(applied.refused) if applied.refused else "",
            synthetic=trained.synthetic,
            untrusted=untrusted,
            warnings=warnings,
            horizon=self._horizon(spec.target.horizon, trained.frequency),
            until=_until(applied),
            known_on=applied.day.isoformat() if applied.day else "",
            learned=self._text(
                N_("{rows} observations of {first} to {last} with {events} events in {provinces} "
                   "provinces"),
                rows=trained.rows, first=next(span), last=next(span), events=trained.events,
                provinces=trained.groups,
            ),
            rules=list(trained.rules),
            watch=1 - spec.signals.miss_weight,
            alert=spec.signals.alert,
            capacity=spec.signals.capacity,
            base_rate=trained.base_rate,
            alerts=counted["alert"],
            watches=counted["watch"],
            quiet=counted["none"],
            silences=counted["silent"],
            silence_reasons=silences,
            rows=rows,
        )  # fmt: skip

    def _warnings(self, applied: Applied) -> list[str]:
        """Say drift first: a reader must not see a probability before it."""
        found = []
        if applied.drift is not None and applied.drift.level != "stable":
            said = [
                self._note(labelled(note, applied.trained.spec, self.language)).rstrip(".。")
                for note in applied.drift.reasons
            ]
            reasons = self.language.text(N_("; ")).join(said)
            message = (
                N_("Do not trust this model now: {reasons}. Train it again on newer outcomes.")
                if applied.drift.level == "do not trust"
                else N_("Use this model with care: {reasons}.")
            )
            found.append(self._text(message, reasons=reasons))
        if applied.trained.synthetic:
            found.append(self._text(
                N_("This model learned from invented data: for demonstration only, never for a "
                   "real place.")
            ))  # fmt: skip
        return [*found, *map(self._note, applied.notes)]

    def _rows(self, applied: Applied, caution: str) -> tuple[list[AttentionRow], list[str]]:
        """Give what the classifier says of each government, and count why it is silent."""
        words = ReasonWords(applied.trained.spec, self.language)
        given = {unit: applied.said.get(unit, Said.silence("no row")) for unit in self.names}
        said = {unit: self._why(applied, unit, one) for unit, one in given.items()}
        silent = [one.silent for one in said.values()]
        rows = [
            self._row(applied, unit, one, words, caution=caution, ranked=silent.count(""))
            for unit, one in said.items()
        ]
        counted = [
            self._text(text, n=silent.count(why)) for why, text in COUNTED.items() if why in silent
        ]
        return sorted(rows, key=_by_probability), counted

    def _why(self, applied: Applied, unit: str, said: Said) -> Said:
        """Tell a government in the class from one whose class is not known."""
        worse = applied.trained.spec.target.worse
        if said.silent != "not at risk" or not worse:
            return said
        why = "in class" if self.levels[unit] in worse else "class unknown"
        return replace(said, silent=why)

    def _row(
        self,
        applied: Applied,
        unit: str,
        said: Said,
        words: ReasonWords,
        *,
        caution: str,
        ranked: int,
    ) -> AttentionRow:
        spec, frequency = applied.trained.spec, applied.trained.frequency
        silent = said.silent
        signal = "silent" if silent else said.signal
        older = said.figures is not None and said.figures != applied.origin
        return AttentionRow(
            unit=unit,
            name=self.names[unit],
            has_page=self.has_page.get(unit, False),
            model=spec.id,
            title=self.language.pick(spec.title.zh, spec.title.en),
            caution=caution,
            level=self.levels[unit],
            probability=None if silent else said.probability,
            low=None if silent else said.low,
            high=None if silent else said.high,
            signal=signal,
            signal_label=self.language.text(SIGNALS[signal]),
            listed=said.listed and not silent,
            rank=None if silent else said.rank,
            ranked=ranked,
            until=_until(applied),
            verdict="" if silent else self.language.text(VERDICTS[said.verdict]),
            reasons=[] if silent else [words.full(reason) for reason in said.reasons],
            brief=[] if silent else [words.brief(reason) for reason in said.reasons],
            older_figures="" if silent or not older or said.figures is None
            else period_text(said.figures, frequency),
            silent=self.language.text(SILENCES[silent]) if silent else "",
        )  # fmt: skip

    # -- without a classifier ----------------------------------------------------------------------

    def _needs(self, count: Counted) -> list[str]:
        """Say what a classifier would need, in numbers counted from the store."""
        horizon = self._horizon(4 if count.frequency == "quarter" else 1, count.frequency)
        worse = self.language.pick(count.worse.label.zh, count.worse.label.en)
        periods = self._horizon(count.periods, count.frequency)
        found = [
            self._text(
                N_("Counted from this store as known on {as_of}: {governments} governments, "
                   "{provinces} provinces (a government without one counts for itself) and "
                   "{periods} with levels. A government below {worse} could be followed over "
                   "{horizon} {followed} times; {events} times it entered {worse} or a worse class "
                   "({entries} entries, each counted once)."),
                as_of=self.study.panel.as_of.isoformat(), governments=count.governments,
                provinces=count.provinces, periods=periods, worse=worse, horizon=horizon,
                followed=count.followed, events=count.events, entries=count.entries,
            ),
            self._text(
                N_("A learned model needs at least {governments} governments in {provinces} "
                   "provinces, {periods} and {events} entries; {each} for each explanatory figure "
                   "are advised, {advised} for the {features} figures of the specification that is "
                   "shipped."),
                governments=FEWEST_GOVERNMENTS, provinces=FEWEST_PROVINCES,
                periods=self._horizon(FEWEST_PERIODS[count.frequency], count.frequency),
                events=FEWEST_EVENTS, each=EVENTS_PER_FEATURE, features=SHIPPED_FEATURES,
                advised=EVENTS_PER_FEATURE * SHIPPED_FEATURES,
            ),
        ]  # fmt: skip
        lacking = self._lacking(count)
        if lacking:
            found.append(self._text(
                N_("Too few for a learned model here: {lacking}. Levels and the debt outlook "
                   "stand alone."),
                lacking=self.language.text(N_("; ")).join(lacking),
            ))  # fmt: skip
        else:
            found.append(self._text(
                N_("That is enough to try one: describe it in a file such as {specification}, run "
                   "`debtwatch train` with it and this store, read its model card, and give the "
                   "folder to `debtwatch report` with --model."),
                specification=SPECIFICATION,
            ))  # fmt: skip
        found.append(self._text(
            N_("A model of another country, of other governments or of invented data is never "
               "applied to real Chinese governments.")
        ))  # fmt: skip
        return found

    def _lacking(self, count: Counted) -> list[str]:
        pairs = (
            (count.governments, FEWEST_GOVERNMENTS, N_("{n} governments instead of {least}")),
            (count.provinces, FEWEST_PROVINCES, N_("{n} provinces instead of {least}")),
            (count.periods, FEWEST_PERIODS[count.frequency], N_("{n} periods instead of {least}")),
            (count.entries, FEWEST_EVENTS, N_("{n} entries instead of {least}")),
        )
        return [self._text(text, n=n, least=least) for n, least, text in pairs if n < least]

    # -- words -------------------------------------------------------------------------------------

    def _text(self, message: str, **values: object) -> str:
        return self.language.text(message).format(**values)

    def _note(self, note: Note) -> str:
        text = self.language.text
        values = {k: v(text) if callable(v) else v for k, v in note.values.items()}
        return text(note.template).format(**values)

    def _horizon(self, n: int, frequency: str) -> str:
        if n == 1:
            return self.language.text(N_("one year") if frequency == "year" else N_("one quarter"))
        return self._text(N_("{n} years") if frequency == "year" else N_("{n} quarters"), n=n)


def _until(applied: Applied) -> str:
    """Last period that a classifier looks ahead to."""
    if applied.origin is None:
        return ""
    trained = applied.trained
    return period_text(applied.origin + trained.spec.target.horizon, trained.frequency)


def _untrusted(applied: Applied) -> bool:
    return applied.drift is not None and applied.drift.level == "do not trust"


def _by_probability(row: AttentionRow) -> tuple[bool, float, str]:
    return (row.probability is None, -(row.probability or 0.0), row.unit)


# -- counts ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """What a store holds for a classifier to learn from.

    Attributes
    ----------
    governments, provinces : int
    frequency : {"year", "quarter"}
    periods : int
        With a level of any government, up to the quarter of the report.
    worse : Outcome
        Mildest of the levels that count as worse.
    followed, events : int
        Times a government below it could be followed over a year, and times it entered.
    entries : int
        Entries, each counted once.
    """

    governments: int
    provinces: int
    frequency: str
    periods: int
    worse: Outcome
    followed: int
    events: int
    entries: int


def count_of(study: Study) -> Counted:
    """Count what the store of a study holds, with figures as known now.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Counted
        Levels from severity 2 on (the warning level and worse) count as worse.
    """
    book = study.headline_book
    graded = sorted((o for o in book.outcome if o.severity < 9), key=lambda o: o.severity)
    worse = next((o for o in graded if o.severity >= 2), graded[-1])
    severity = {o.id: o.severity for version in (*study.versions, book) for o in version.outcome}
    step = 4 if study.annual_source else 1
    columns = range(study.column % step, study.column + 1, step)
    levels = np.array([study.levels(c) for c in columns], dtype=object).T
    graded_as = np.vectorize(lambda name: severity.get(name, 9), otypes=[int])(levels)
    state = np.where(graded_as >= 9, np.nan, graded_as >= worse.severity)
    followed, events, entries = count_entries(state, 1 if study.annual_source else 4)
    return Counted(
        governments=len(study.panel.units),
        provinces=len(set(groups_of(study.panel.units))),
        frequency="year" if study.annual_source else "quarter",
        periods=int((~np.isnan(state)).any(axis=0).sum()),
        worse=worse,
        followed=followed,
        events=events,
        entries=entries,
    )


def count_entries(state: Array, horizon: int) -> tuple[int, int, int]:
    """Count how often a class was entered.

    Parameters
    ----------
    state : ndarray, shape (units, periods)
        1 in the class, 0 below it, NaN not known.
    horizon : int
        Periods.

    Returns
    -------
    followed, events, entries : int
        Times a unit below the class had an outcome within the horizon (in the class in some
        period, or known to stay below in all), the events among them, and steps from below into
        the class between a period and the next one known.

    Examples
    --------
    >>> count_entries(np.array([[0.0, 0.0, 1.0, 0.0], [0.0, np.nan, 0.0, 0.0]]), 2)
    (2, 2, 1)
    >>> count_entries(np.array([[0.0, 0.0, 1.0, 0.0], [0.0, np.nan, 1.0, 0.0]]), 1)
    (2, 1, 2)
    """
    if state.shape[1] <= horizon:
        windows = np.empty((len(state), 0, horizon))
    else:
        windows = sliding_window_view(state[:, 1:], horizon, axis=1)
    below = state[:, : windows.shape[1]] == 0
    entered = below & (windows == 1).any(axis=2)
    stayed = below & (windows == 0).all(axis=2)
    last = np.full(len(state), np.nan)
    entries = 0
    for period in state.T:
        entries += int(((last == 0) & (period == 1)).sum())
        last = np.where(np.isnan(period), last, period)
    return int((entered | stayed).sum()), int(entered.sum()), entries

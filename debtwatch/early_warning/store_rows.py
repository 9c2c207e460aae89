"""A store as the classifier's figures: what was known at each origin, and what was projected then.

At every origin the store is read as known on the origin's day, checked and turned into a panel,
as a report of that day would have been; figures that differ from those of the origin before are
added as a vintage. So doubtful figures are left out as they were then, not with hindsight.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.as_known import origin_day
from debtwatch.early_warning.sample import Array, Frequency, Note, Observations, Words
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.store_projection import no_projection, project
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import FIELDS
from debtwatch.panel.panel import Panel, build_panel
from debtwatch.panel.period import quarter_end
from debtwatch.panel.store import Known, Store
from debtwatch.rules.assess import assess
from debtwatch.rules.capacity import (
    CAPACITY,
    Basis,
    capacity_book,
    choose_basis,
    history_inputs,
)
from debtwatch.rules.expression import evaluate
from debtwatch.rules.rulebook import Rulebook
from debtwatch.sustainability.drivers import province_of

Days = NDArray[np.datetime64]
#: Country whose accounts a store holds.
COUNTRY = "CN"
#: Words that a store holds of a government.
WORDS = ("level", "parent")
BALANCES = ("debt_balance", "general_debt_balance", "special_debt_balance")
CAPACITIES = ("general_capacity", "fund_capacity", CAPACITY)
#: Rulebooks whose indicators come first where several have one of the same name.
FIRST_FAMILIES = ("cn-debt-tiers", "cn-debt-quota", "cn-fiscal-restructuring")
#: A government whose first figures are older than this was given with its history, all at once.
OLD_DAYS = 366
#: Simulated paths behind a probability of the projection: its error is 1.6 points at most.
PATHS = 1000


def store_frequency(panel: Panel) -> Frequency:
    """Tell how often a store's balances come: a year unless one stands at another quarter's end."""
    number = (panel.first_quarter + np.arange(panel.quarters)) % 4
    within = number != 3
    reported = any(not np.isnan(panel.value(b)[:, within]).all() for b in BALANCES)
    return "quarter" if reported else "year"


def observations_of_store(
    store: Store,
    spec: Spec,
    *,
    as_of: dt.date,
    books: Sequence[Rulebook],
    origins: Sequence[int] | None = None,
    projected: Sequence[int] | None = None,
    panel: Panel | None = None,
    paths: int = PATHS,
    seed: int = 20260930,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Observations, pd.Series[Any]]:
    """Read a store as vintages of figures, with the debt projection of each origin.

    Columns are fields of the accounts, flows over four quarters as the rules use them, totals and
    fiscal capacity, indicators of rulebooks by their ids (in the version for the quarter), and the
    words ``level`` and ``parent``. Money is in yuan, ratios are decimals. The group is the
    province; a government without one is a group of its own.

    Parameters
    ----------
    store : Store
    spec : Spec
        Its columns decide what is read, its ``origin_days`` the day of each origin.
    as_of : date
        Nothing published after this day is used, not even as an outcome.
    books : sequence of Rulebook
        All that are known.
    origins : sequence of int, optional
        Ordinals, quarters or, where balances come once a year, years (see
        :func:`store_frequency`). By default every period with figures.
    projected : sequence of int, optional
        Origins whose projection is wanted; all by default.
    panel : Panel, optional
        What is known on ``as_of``, where it was built before.
    paths, seed : int
        Of the simulation.
    progress : callable, optional
        Told origins done and origins in all.

    Returns
    -------
    observations : Observations
        Vintages change at the days of the origins; the last one is what is known at ``as_of``. A
        figure's ``known_from`` is the latest publication day among the figures behind the row
        where that explains the change, else the day of the origin.
    projection : Series
        Probability of the target's event by the simulated debt outlook, indexed by unit and
        origin; see :func:`debtwatch.early_warning.store_projection.project`.

    Raises
    ------
    DataProblem
        When the store knew nothing on the day, or has no such column.
    """
    final = store.known_on(as_of) if panel is None else panel.known
    if final.observations.empty:
        raise DataProblem(
            N_("Nothing in the store was known on {as_of}. Give a later day with --as-of."),
            as_of=as_of.isoformat(),
        )
    late = _history_given_at_once(store, spec, final)
    whole = build_panel(final) if panel is None else panel
    frequency = store_frequency(whole)
    table = _Table.of(whole, spec, books, frequency)
    asked = table.periods_with_figures() if origins is None else sorted(set(origins))
    wanted = set(asked if projected is None else projected)
    series = [no_projection()]
    for done, origin in enumerate(asked, start=1):
        day = min(pd.Timestamp(origin_day(origin, spec.data, frequency)).date(), as_of)
        known = _with_history(store.known_on(day), final, late, day)
        if len(known.observations):
            then = build_panel(known)
            basis = choose_basis(then)
            table.add(then, basis, day)
            if origin in wanted:
                series.append(project(then, basis, spec, books, origin=origin,
                                      frequency=frequency, paths=paths, seed=seed))  # fmt: skip
        if progress is not None:
            progress(done, len(asked))
    table.add(whole, choose_basis(whole), as_of)
    notes = [*table.notes(), *_history_note(late, spec)]
    if wanted and not any(len(s) for s in series):
        notes.append(Note(N_("The debt projection gives no probability of this target."), {}))
    sources = {str(i.file): str(i.sha256) for i in final.imports.itertuples()}
    observations = Observations(table.frame(), frequency, tuple(notes), sources)
    return observations, pd.concat([s for s in series if len(s)] or series[:1])


# -- history that came with the first import -------------------------------------------------------


def _history_given_at_once(store: Store, spec: Spec, final: Known) -> pd.DataFrame:
    """Find quarters whose publication day is not recorded, with the day assumed for each.

    A government's first figures that were already old when the store first heard of it came as a
    history: nobody knows when they were published. Figures that come late from a government that
    had reported before are late.
    """
    first = store.first_known()
    first = first[first["day"] <= pd.Timestamp(final.as_of)]
    ends = pd.to_datetime([quarter_end(int(q)) for q in first["quarter"]])
    start = first.groupby("unit")["day"].transform("min")
    age = (pd.to_datetime(first["day"]).to_numpy() - ends.to_numpy()).astype("timedelta64[D]")
    old = (first["day"] == start).to_numpy() & (age > np.timedelta64(OLD_DAYS, "D"))
    assumed = (ends + pd.Timedelta(days=spec.data.lag_days))[old]
    return first.loc[old, ["unit", "quarter"]].assign(assumed=assumed).reset_index(drop=True)


def _with_history(known: Known, final: Known, late: pd.DataFrame, day: dt.date) -> Known:
    """Add figures of a history whose assumed publication day has come."""
    due = late[late["assumed"] <= pd.Timestamp(day)]
    if due.empty:
        return known
    have = known.observations[["unit", "quarter"]].drop_duplicates()
    have = have.astype({"unit": str})
    due = due.merge(have, on=["unit", "quarter"], how="left", indicator=True)
    due = due[due["_merge"] == "left_only"]
    rows = final.observations.assign(unit_text=final.observations["unit"].astype(str)).merge(
        due[["unit", "quarter", "assumed"]].rename(columns={"unit": "unit_text"}),
        on=["unit_text", "quarter"],
    )
    if rows.empty:
        return known
    kind = known.observations["known_from"].dtype
    added = rows.assign(known_from=rows["assumed"].astype(kind))[list(known.observations.columns)]
    units = pd.concat([known.units, final.units.loc[final.units.index.isin(rows["unit_text"])]])
    units = units[~units.index.duplicated()].sort_index()
    return replace(
        known,
        observations=pd.concat([known.observations, added], ignore_index=True)
        if len(known.observations)
        else added.reset_index(drop=True),
        units=units,
        imports=final.imports,
    )


def _history_note(late: pd.DataFrame, spec: Spec) -> list[Note]:
    if late.empty:
        return []
    return [Note(
        N_("The history of {units} governments came into the store at once, without the days of "
           "publication. These figures count as known {days} days after their quarter; later "
           "corrections may already be in them."),
        {"units": int(late["unit"].nunique()), "days": spec.data.lag_days},
    )]  # fmt: skip


# -- figures by vintage ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    """A column asked for and where its figures come from.

    Attributes
    ----------
    name : str
    versions : tuple of Rulebook
        That have it as an indicator, oldest first; empty for a field or total.
    """

    name: str
    versions: tuple[Rulebook, ...] = ()

    def fields(self) -> set[str]:
        """Fields of the accounts behind it."""
        names = {self.name}
        for book in self.versions:
            for indicator in book.indicator:
                if indicator.id == self.name:
                    names |= set(indicator.parsed.names())
        totals = {t.name: t.formula for t in capacity_book().total}
        if names & set(CAPACITIES):
            names |= {f for variant in capacity_book().variant for f in variant.fields()}
        if names & set(totals):
            names |= {"general_debt_balance", "special_debt_balance"}
        return names

    def values(self, inputs: dict[str, Array], first_quarter: int, shape: tuple[int, int]) -> Array:
        """Figures of every unit and quarter."""
        blank: Array = np.full(shape, np.nan)
        if not self.versions:
            return np.asarray(inputs.get(self.name, blank), dtype=np.float64)
        number = np.array([self._version_at(first_quarter + k) for k in range(shape[1])])
        for position in sorted(set(number)):
            columns = number == position
            figures = {name: array[:, columns] for name, array in inputs.items()}
            blank[:, columns] = assess(self.versions[position], figures).values[self.name]
        return blank

    def _version_at(self, quarter: int) -> int:
        covering = [k for k, book in enumerate(self.versions) if book.covers(quarter)]
        return covering[-1] if covering else 0


class _Table:
    """Figures by unit and period, of which only what changed is written down again."""

    def __init__(
        self,
        panel: Panel,
        spec: Spec,
        columns: Sequence[_Column],
        words: Sequence[str],
        frequency: Frequency,
    ) -> None:
        self.spec, self.columns, self.words, self.frequency = spec, columns, words, frequency
        self.units = panel.units
        self.rows_of = pd.Index(panel.units.index.astype(str))
        self.first = panel.first_quarter
        shape = (len(columns), len(panel.units), panel.quarters)
        self.last: Array = np.full(shape, np.nan)
        self.before: np.datetime64 | None = None
        self.vintages: list[dict[str, Any]] = []

    @classmethod
    def of(
        cls, panel: Panel, spec: Spec, books: Sequence[Rulebook], frequency: Frequency
    ) -> _Table:
        """Make an empty table of the columns that a specification asks for."""
        asked = spec.columns_read()
        words = [name for name in asked if name in WORDS]
        columns = [
            _column(name, spec, books)
            for name in asked
            if name not in words and name != spec.target.event
        ]
        return cls(panel, spec, columns, words, frequency)

    def periods_with_figures(self) -> list[int]:
        """Find the periods of the panel that end a period of the frequency."""
        quarters = self.first + np.arange(self.last.shape[2])
        if self.frequency == "year":
            return [int(q) // 4 for q in quarters if q % 4 == 3]
        return [int(q) for q in quarters]

    def add(self, panel: Panel, basis: Basis, day: dt.date) -> None:
        """Write down the figures of a day that differ from those of the day before."""
        inputs = history_inputs(panel, basis)
        shape = (len(panel.units), panel.quarters)
        rows = self.rows_of.get_indexer(panel.units.index.astype(str))
        width = min(shape[1], self.first + self.last.shape[2] - panel.first_quarter)
        skipped = max(self.first - panel.first_quarter, 0)
        place = slice(panel.first_quarter + skipped - self.first,
                      panel.first_quarter + width - self.first)  # fmt: skip
        now = np.full_like(self.last, np.nan)
        for k, column in enumerate(self.columns):
            found = column.values(inputs, panel.first_quarter, shape)
            now[k, rows, place] = found[:, skipped:width]
        same = (now == self.last) | (np.isnan(now) & np.isnan(self.last))
        changed = ~same.all(axis=0)
        if self.frequency == "year":
            changed[:, (self.first + np.arange(changed.shape[1])) % 4 != 3] = False
        unit, quarter = np.nonzero(changed)
        published = np.full(changed.shape, np.datetime64("NaT"), dtype="datetime64[D]")
        published[rows, place] = self._published(panel)[:, skipped:width]
        today = np.datetime64(day, "D")
        own = published[unit, quarter]
        explains = own <= today
        if self.before is not None:
            explains &= own > self.before
        self.vintages.append({
            "unit": unit, "quarter": quarter, "known_from": np.where(explains, own, today),
            "values": now[:, unit, quarter],
        })  # fmt: skip
        self.last, self.before = now, today

    def _published(self, panel: Panel) -> Days:
        """Latest publication day of the figures behind a row."""
        days = np.full((len(panel.units), panel.quarters), np.datetime64("NaT"), "datetime64[D]")
        for name in sorted({f for column in self.columns for f in column.fields()}):
            if name in panel.known_from:
                days = np.fmax(days, panel.known_from[name])
        return days

    def notes(self) -> list[Note]:
        """Say which columns hold nothing."""
        empty = [c.name for k, c in enumerate(self.columns) if self._is_empty(k)]
        notes = [
            Note(N_("The store holds no figure of {column}: its features are left out."),
                 {"column": name})
            for name in empty
        ]  # fmt: skip
        if self.spec.target.event not in (None, *self.spec.columns):
            notes.append(Note(
                N_("A store holds no list of events: {column} is empty."),
                {"column": self.spec.target.event},
            ))  # fmt: skip
        return notes

    def _is_empty(self, column: int) -> bool:
        return all(np.isnan(v["values"][column]).all() for v in self.vintages)

    def frame(self) -> pd.DataFrame:
        """All vintages, sorted, derived columns added."""
        unit = np.concatenate([v["unit"] for v in self.vintages])
        quarter = self.first + np.concatenate([v["quarter"] for v in self.vintages])
        period = quarter // 4 if self.frequency == "year" else quarter
        days = np.concatenate([v["known_from"] for v in self.vintages])
        figures = np.concatenate([v["values"] for v in self.vintages], axis=1)
        frame = pd.DataFrame({
            "unit": np.asarray(self.rows_of, dtype=object)[unit],
            "group": groups_of(self.units)[unit],
            "period": period.astype(np.int64),
            "known_from": days.astype("datetime64[s]"),
        })  # fmt: skip
        figures_by_name = {c.name: figures[k] for k, c in enumerate(self.columns)}
        for name in self.words:
            held = [str(word) or None for word in self.units[name]]
            frame[name] = pd.Series([held[row] for row in unit], dtype=object)
        if self.spec.target.event is not None:
            figures_by_name[self.spec.target.event] = np.full(len(frame), np.nan)
        for name, values in {**figures_by_name, **self._derived(figures_by_name)}.items():
            frame[name] = values
        # A day on which two origins end is one vintage: the later reading of it counts.
        frame = frame.drop_duplicates(["unit", "period", "known_from"], keep="last")
        return frame.sort_values(["unit", "period", "known_from"], ignore_index=True)

    def _derived(self, figures: dict[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(figures.values()))) if figures else 0
        found = {}
        for name in self.spec.columns:
            formula = self.spec.formula(name)
            if formula is not None and set(formula.names()) <= set(figures):
                value = np.asarray(evaluate(formula, figures), dtype=np.float64)
                value = np.broadcast_to(value, (rows,))
                found[name] = np.where(np.isfinite(value), value, np.nan)
        return found


def groups_of(units: pd.DataFrame) -> Words:
    """Give the province of each government, itself where it has none.

    Parameters
    ----------
    units : DataFrame
        Of a panel: index of codes, columns ``level`` and ``parent``.

    Examples
    --------
    >>> units = pd.DataFrame({"level": ["county", "city"], "parent": ["", ""]},
    ...                      index=["530102", "3302"])
    >>> groups_of(units).tolist()
    ['53', '3302']
    """
    number, names = province_of(units)
    codes = np.asarray(units.index.astype(str), dtype=object)
    found = np.array(names, dtype=object)[number]
    return np.asarray(np.where(found == "", codes, found), dtype=object)


def _column(name: str, spec: Spec, books: Sequence[Rulebook]) -> _Column:
    """Find a column: a field, a total, or an indicator of the rulebook that comes first.

    Raises
    ------
    DataProblem
        When there is none of that name.
    """
    held = amount_columns()
    if name in held:
        return _Column(name)
    own = [b for b in books if b.jurisdiction == spec.country and b.enabled
           and any(i.id == name for i in b.indicator)]  # fmt: skip
    if not own:
        known = sorted(held | {i.id for b in books if b.jurisdiction == COUNTRY
                               for i in b.indicator})  # fmt: skip
        raise DataProblem(
            N_("A store holds no “{column}”, which the specification asks for. Near it: {near}. "
               "A store holds the fields of docs/data-dictionary.md and indicators of rulebooks."),
            column=name, near=", ".join(get_close_matches(name, known, n=4)) or "—",
        )  # fmt: skip
    rank = {family: k for k, family in enumerate(FIRST_FAMILIES)}
    asked = (spec.target.rulebook or "").partition("@")[0]
    families = sorted(
        {b.family for b in own}, key=lambda f: (f != asked, rank.get(f, len(rank)), f)
    )
    versions = sorted((b for b in own if b.family == families[0]), key=lambda b: b.effective_from)
    return _Column(name, tuple(versions))


def amount_columns() -> frozenset[str]:
    """Columns of a store that are amounts or people; the others are ratios of them.

    Examples
    --------
    >>> "land_revenue" in amount_columns(), "debt_ratio" in amount_columns()
    (True, False)
    """
    fields = {field.name for field in FIELDS}
    return frozenset(fields | set(CAPACITIES) | {t.name for t in capacity_book().total})

"""Join keyed tables into one by vintage: each day shows the latest row of every table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.period_names import period_end, period_text
from debtwatch.early_warning.sample import Frequency, Note
from debtwatch.early_warning.spec import Spec
from debtwatch.errors import DataProblem
from debtwatch.language import N_

_KEYS = ["unit", "period"]
#: Day of rows that only a list of events has: they tell outcomes and are never seen as figures.
NEVER = np.datetime64("2200-01-01", "s")


@dataclass(frozen=True)
class KeyedTable:
    """A table with its keys read.

    Attributes
    ----------
    file : str
    frame : DataFrame
        ``unit``, ``period``, ``known_from`` where the table has such a column (NaT where blank),
        ``group`` and the columns of figures that are taken from this table.
    frequency : {"year", "quarter"} or None
        None of a table without any period.
    """

    file: str
    frame: pd.DataFrame
    frequency: Frequency | None


def joined(
    tables: Sequence[KeyedTable], spec: Spec, frequency: Frequency, notes: list[Note]
) -> pd.DataFrame:
    """Join tables to the first one.

    Parameters
    ----------
    tables : sequence of KeyedTable
    spec : Spec
    frequency : {"year", "quarter"}
    notes : list of Note
        Takes what the user should know.

    Returns
    -------
    DataFrame
        ``unit``, ``group``, ``period``, ``known_from`` and the columns of all tables. A row
        without a day is known ``lag_days`` after its period's end; rows that only a list of events
        has are known from :data:`NEVER`.

    Raises
    ------
    DataProblem
        When a table holds a key twice, or nothing of the first one.
    """
    spine = _dated(tables[0], spec, frequency, notes)
    _check_unique(spine, spec, frequency)
    frame = spine.frame
    for further in tables[1:]:
        table = _dated(further, spec, frequency, notes)
        table = _one_event_each(table, spec)
        _check_unique(table, spec, frequency)
        kept = [c for c in table.frame if c not in frame.columns]
        matched = pd.MultiIndex.from_frame(frame[_KEYS]).isin(
            pd.MultiIndex.from_frame(table.frame[_KEYS])
        )
        if not matched.any():
            raise DataProblem(
                N_("No government and period of {file} is in {other}; write codes and periods the "
                   "same way in both."),
                file=table.file, other=spine.file,
            )  # fmt: skip
        if spec.target.event not in table.frame:
            notes += _unmatched(frame, table, spine.file, matched)
        outcomes = _beyond(frame, table, spec, notes)
        if "known_from" in frame and "known_from" in table.frame:
            frame = _join_vintages(frame, table.frame)
        else:
            _check_one_vintage(table, spine.file)
            frame = frame.merge(table.frame[[*_KEYS, *kept]], on=_KEYS, how="left")
        frame = pd.concat([frame, outcomes], ignore_index=True) if len(outcomes) else frame
    return _grouped(_known(frame, spec, frequency))


def _dated(table: KeyedTable, spec: Spec, frequency: Frequency, notes: list[Note]) -> KeyedTable:
    """Fill in days of publication that a table leaves blank."""
    frame = table.frame
    if "known_from" not in frame:
        return table
    if blank := int(frame["known_from"].isna().sum()):
        text = N_("{file}: {count} rows have no day in column {column}; they count as known "
                  "{days} days after the end of their period.")  # fmt: skip
        notes.append(
            Note(text, {"file": table.file, "count": blank, "column": spec.data.known_from,
                        "days": spec.data.lag_days})
        )  # fmt: skip
    dated = _known(frame, spec, frequency)
    ends = _ends(dated["period"], frequency)
    if early := int((dated["known_from"].to_numpy() < ends).sum()):
        text = N_("{file}: {count} rows have a day in column {column} that is before the end of "
                  "their period; they are plans, or the column says something else.")  # fmt: skip
        notes.append(
            Note(text, {"file": table.file, "count": early, "column": spec.data.known_from})
        )
    return dataclasses.replace(table, frame=dated)


def _unmatched(
    frame: pd.DataFrame, table: KeyedTable, spine: str, matched: NDArray[np.bool_]
) -> list[Note]:
    """Say of how many rows two tables do not speak of the same."""
    keys = pd.MultiIndex.from_frame(table.frame[_KEYS]).isin(pd.MultiIndex.from_frame(frame[_KEYS]))
    notes = []
    if lacking := int((~matched).sum()):
        text = N_("{file}: {count} of {rows} rows of {other} have no row in it; its columns are "
                  "missing there.")  # fmt: skip
        values = {"file": table.file, "count": lacking, "rows": len(frame), "other": spine}
        notes.append(Note(text, values))
    if unused := int((~keys).sum()):
        text = N_("{file}: {count} of {rows} rows have no row in {other} and are not used.")
        values = {"file": table.file, "count": unused, "rows": len(table.frame), "other": spine}
        notes.append(Note(text, values))
    return notes


def _known(frame: pd.DataFrame, spec: Spec, frequency: Frequency) -> pd.DataFrame:
    ends = _ends(frame["period"], frequency)
    days = (ends + spec.data.lag_days).astype("datetime64[s]")
    known = frame["known_from"].to_numpy() if "known_from" in frame else np.datetime64("NaT", "s")
    days = np.where(np.isnat(known), days, known).astype("datetime64[s]")
    return frame.assign(known_from=days)


def _ends(period: pd.Series[int], frequency: Frequency) -> NDArray[np.datetime64]:
    """Last day of the period of each row."""
    codes, periods = pd.factorize(period)
    days = [period_end(int(p), frequency) for p in periods]
    return np.asarray(np.array(days, dtype="datetime64[D]")[codes])


def _check_unique(table: KeyedTable, spec: Spec, frequency: Frequency) -> None:
    keys = [*_KEYS, "known_from"] if "known_from" in table.frame else _KEYS
    twice = table.frame.duplicated(keys)
    if not twice.any():
        return
    named = table.frame.loc[twice, keys].drop_duplicates()
    first = named.head(3)
    said = [
        f"{unit} {period_text(int(period), frequency)}"
        for unit, period in zip(first["unit"], first["period"], strict=True)
    ]
    if "known_from" in first:
        days = first["known_from"].dt.strftime("%Y-%m-%d")
        said = [f"{key} {day}" for key, day in zip(said, days, strict=True)]
    raise DataProblem(
        N_("{file}: {count} combinations of {keys} stand in more than one row, such as {first}. "
           "Keep one row of each, or name the column of publication days as data.known_from."),
        file=table.file, count=len(named), first="; ".join(said),
        keys=", ".join(str(getattr(spec.data, key)) for key in keys),
    )  # fmt: skip


def _check_one_vintage(table: KeyedTable, spine: str) -> None:
    """Vintages of a further table have no place where the first one has no days."""
    if table.frame.duplicated(_KEYS).any():
        raise DataProblem(
            N_("{file} holds several days of publication of one government and period, but {other} "
               "holds none; give {file} first."),
            file=table.file, other=spine,
        )  # fmt: skip


def _one_event_each(table: KeyedTable, spec: Spec) -> KeyedTable:
    """Two events of one government and period are one outcome."""
    event = spec.target.event
    if event is None or set(table.frame.columns) - {*_KEYS, "group", "known_from"} != {event}:
        return table
    latest = table.frame.sort_values(event).drop_duplicates(_KEYS, keep="last")
    return dataclasses.replace(table, frame=latest.drop(columns="known_from", errors="ignore"))


def _beyond(frame: pd.DataFrame, table: KeyedTable, spec: Spec, notes: list[Note]) -> pd.DataFrame:
    """Rows that only the list of events has: of governments of the spine, known never."""
    event = spec.target.event
    if event is None or event not in table.frame or event in frame:
        return table.frame.iloc[:0]
    listed = table.frame[[*_KEYS, event]]
    known_unit = listed["unit"].isin(frame["unit"])
    in_spine = pd.MultiIndex.from_frame(listed[_KEYS]).isin(pd.MultiIndex.from_frame(frame[_KEYS]))
    if foreign := int((~known_unit).sum()):
        text = N_("{file}: {count} rows are about governments that the first table does not hold.")
        notes.append(Note(text, {"file": table.file, "count": foreign}))
    rows = listed[known_unit & ~in_spine]
    if len(rows):
        text = N_("{file}: {count} rows are about periods that the first table does not hold for "
                  "the government; they count as outcomes only.")  # fmt: skip
        notes.append(Note(text, {"file": table.file, "count": len(rows)}))
    return rows.assign(known_from=NEVER)


def _join_vintages(left: pd.DataFrame, right: pd.DataFrame) -> pd.DataFrame:
    """Join two tables with days: each day of either shows the latest row of both."""
    keys = [*_KEYS, "known_from"]
    spine = pd.MultiIndex.from_frame(left[_KEYS])
    right = right[pd.MultiIndex.from_frame(right[_KEYS]).isin(spine)]
    days = pd.concat([left[keys], right[keys]]).drop_duplicates().sort_values("known_from")
    right = right[[*keys, *(c for c in right if c not in left.columns)]]
    for part in (left, right):
        days = pd.merge_asof(days, part.sort_values("known_from"), on="known_from", by=_KEYS)
    return days


def _grouped(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each row its group: that of its government elsewhere where blank, else itself."""
    if "group" not in frame:
        return frame.assign(group=frame["unit"])
    group = frame["group"].astype(object)
    group = group.where(group.notna(), frame["unit"].map(group.groupby(frame["unit"]).first()))
    return frame.assign(group=group.where(group.notna(), frame["unit"]))

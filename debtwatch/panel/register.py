"""The register: what was decided on proposals, on which conditions, and what came of them.

It lives in the store and is append-only like the rest of it. A later decision on the same proposal
takes the place of the earlier one; both stay. Read as of a day, nothing recorded after it is seen.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debtwatch import provenance
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.store import Store, open_store

OUTCOMES = ("pass", "conditional", "defer", "reject")
STATUSES = ("met", "broken", "waived")
#: What may differ between two records of the same decision.
_NOT_CONTENT = {"screened_on", "decision_id", "conditions", "override"}
#: Columns that may be empty; in any other an empty cell is damage.
_OPTIONAL = {
    "valid_until", "earliest", "line", "ratio_now", "ratio_with_worst", "worst_quarter",
    "probability_with", "probability_without", "debt_now", "capacity_now", "due",
}  # fmt: skip

Values = tuple[float | None, ...]


@dataclass(frozen=True)
class ConditionRecord:
    """A condition of a decision.

    Attributes
    ----------
    number : int
        From 1, within its decision.
    key : str
        Kind of condition, such as ``reserve``.
    zh, en : str
    checks : tuple of str
        Ids of the checks it answers.
    due : int or None
        Ordinal of the quarter by whose end it must be met.
    decision_id : str
        Empty until recorded.
    """

    number: int
    key: str
    zh: str
    en: str
    checks: tuple[str, ...] = ()
    due: int | None = None
    decision_id: str = ""


@dataclass(frozen=True)
class OverrideRecord:
    """A person's decision that lifted deferrals or conditions.

    Attributes
    ----------
    ground, name, reason : str
    date : date
    lifted : tuple of str
        Ids of the checks that it lifted.
    decision_id : str
        Empty until recorded.
    """

    ground: str
    name: str
    date: dt.date
    reason: str
    lifted: tuple[str, ...] = ()
    decision_id: str = ""


@dataclass(frozen=True)
class ConditionEvent:
    """What became of a condition.

    Attributes
    ----------
    decision_id : str
    number : int
        Of the condition.
    status : {"met", "broken", "waived"}
    on : date
    by, note : str
    """

    decision_id: str
    number: int
    status: str
    on: dt.date
    by: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """A decision on a proposal with the forecast behind it; None is "not known".

    Attributes
    ----------
    screened_on, as_of : date
        Day of the decision, and of the latest figure it could see.
    quarter : int
        Ordinal of the quarter of the accounts.
    unit, code, name : str
        Government, and the proposal's code and name.
    outcome, before_override : {"pass", "conditional", "defer", "reject"}
    valid_until, earliest : int or None
        Ordinals of the last quarter of validity and of the earliest start.
    reasons : tuple of str
        Ids of the checks that decided.
    project_sha256 : str
        Hash of the proposal.
    rulebooks : mapping from family@version to hash
    indicator : str
        Id of the indicator of the forecast.
    line : float or None
    line_inclusive : bool
        Whether the line itself already belongs to the worse level.
    ratio_now, ratio_with_worst : float or None
    worst_quarter : int or None
    probability_with, probability_without : float or None
        Of reaching the line.
    first_quarter : int
        Ordinal of the first quarter of the paths.
    path_without, path_with : tuple of float or None
        Central outlook of the indicator.
    debt_now, capacity_now : float or None
        Yuan.
    total_investment, public_debt : float
        Yuan.
    start_quarter, build_quarters : int
    version : str
        Of debtwatch.
    seed : int
    synthetic, illustrative : bool
        Whether accounts or proposal are invented, and how.
    conditions : tuple of ConditionRecord
    override : OverrideRecord or None
    decision_id : str
        Empty until recorded.
    """

    screened_on: dt.date
    quarter: int
    as_of: dt.date
    unit: str
    code: str
    name: str
    outcome: str
    before_override: str
    valid_until: int | None
    earliest: int | None
    reasons: tuple[str, ...]
    project_sha256: str
    rulebooks: Mapping[str, str]
    indicator: str
    line: float | None
    line_inclusive: bool
    ratio_now: float | None
    ratio_with_worst: float | None
    worst_quarter: int | None
    probability_with: float | None
    probability_without: float | None
    first_quarter: int
    path_without: Values
    path_with: Values
    debt_now: float | None
    capacity_now: float | None
    total_investment: float
    public_debt: float
    start_quarter: int
    build_quarters: int
    version: str
    seed: int
    synthetic: bool = False
    illustrative: bool = False
    conditions: tuple[ConditionRecord, ...] = ()
    override: OverrideRecord | None = None
    decision_id: str = ""

    def content_sha256(self) -> str:
        """Hash of what was decided and why, whatever the day it was decided on."""
        content = _row_of(self) | {
            "conditions": [_condition_row(c) for c in self.conditions],
            "override": None if self.override is None else _override_row(self.override),
        }
        text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
        return provenance.sha256_of_bytes(text.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Register:
    """What the register held on a day, in the order of recording.

    Attributes
    ----------
    decisions : tuple of DecisionRecord
        With their conditions and overrides.
    events : tuple of ConditionEvent
    """

    decisions: tuple[DecisionRecord, ...] = ()
    events: tuple[ConditionEvent, ...] = ()

    @property
    def conditions(self) -> tuple[ConditionRecord, ...]:
        """Conditions of all decisions."""
        return tuple(c for d in self.decisions for c in d.conditions)

    @property
    def overrides(self) -> tuple[OverrideRecord, ...]:
        """Overrides of all decisions."""
        return tuple(d.override for d in self.decisions if d.override is not None)

    def latest(self) -> dict[str, DecisionRecord]:
        """Decision that stands on each proposal: of the latest day, the last recorded."""
        found: dict[str, DecisionRecord] = {}
        for decision in self.decisions:
            known = found.get(decision.code)
            if known is None or decision.screened_on >= known.screened_on:
                found[decision.code] = decision
        return found

    def known_on(self, day: dt.date) -> Register:
        """Leave out what was decided, or happened, after a day."""
        decisions = tuple(d for d in self.decisions if d.screened_on <= day)
        known = {d.decision_id for d in decisions}
        events = tuple(e for e in self.events if e.on <= day and e.decision_id in known)
        return Register(decisions, events)


# -- writing ------------------------------------------------------------------------------------


def record_decisions(store_path: Path, records: Sequence[DecisionRecord]) -> int:
    """Append decisions to the register, in one transaction.

    A decision that repeats what already stands on its proposal adds nothing.

    Parameters
    ----------
    store_path : Path
        An existing store.
    records : sequence of DecisionRecord

    Returns
    -------
    int
        Decisions added.

    Raises
    ------
    DataProblem
        When the store cannot be used.
    """
    with open_store(store_path, create=store_path.exists()) as store:
        added = _new_decisions(store, records)
        if added:
            with store.recording():
                _append_decisions(store, added)
    return len(added)


def _append_decisions(store: Store, added: Sequence[tuple[dict[str, Any], DecisionRecord]]) -> None:
    store.append_rows("decisions", [row for row, _ in added])
    ids = [({"decision_id": row["decision_id"]}, record) for row, record in added]
    conditions = [{**own, **_condition_row(c)} for own, r in ids for c in r.conditions]
    store.append_rows("conditions", conditions)
    taken = [(own, record.override) for own, record in ids]
    overrides = [{**own, **_override_row(o)} for own, o in taken if o is not None]
    store.append_rows("overrides", overrides)


def _new_decisions(
    store: Store, records: Sequence[DecisionRecord]
) -> list[tuple[dict[str, Any], DecisionRecord]]:
    """Rows of the decisions that change what stands on their proposals."""
    rows = store.read_rows("decisions")
    number = max((int(row["recorded"]) for row in rows), default=0)
    by_code: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_code.setdefault(row["code"], []).append(row)
    added = []
    for record in records:
        content = record.content_sha256()
        own = by_code.setdefault(record.code, [])
        # A decision may be recorded late: it repeats what stood on its own day.
        standing = _last([row for row in own if row["screened_on"] <= record.screened_on])
        if standing is not None and standing["content_sha256"] == content:
            continue
        number += 1
        before = own[-1]["decision_id"] if own else ""
        row = {
            "decision_id": provenance.sha256_of_bytes(f"{before}:{content}".encode())[:16],
            "recorded": number,
            "content_sha256": content,
            "screened_on": record.screened_on,
            **_row_of(record),
        }
        own.append(row)
        added.append((row, record))
    return added


def _last(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    return max(rows, key=lambda row: (row["screened_on"], row["recorded"]), default=None)


def record_event(
    store_path: Path,
    code: str,
    number: int,
    status: str,
    *,
    on: dt.date,
    by: str,
    note: str = "",
) -> bool:
    """Append what became of a condition of the decision that stood on a proposal on a day.

    Parameters
    ----------
    store_path : Path
    code : str
        Of the proposal.
    number : int
        Of the condition.
    status : {"met", "broken", "waived"}
    on : date
        Day of the event.
    by : str
        Who found or decided it.
    note : str

    Returns
    -------
    bool
        False when this is what the register says already.

    Raises
    ------
    DataProblem
        When the register holds no such proposal or condition, the day lies before the decision,
        or nobody is named.
    """
    if status not in STATUSES:
        raise DataProblem(
            N_("“{status}” is no status of a condition. Known: {known}."),
            status=status,
            known=", ".join(STATUSES),
        )
    if not by.strip():
        raise DataProblem(N_("Say who found or decided it: the name is missing."))
    with open_store(store_path, create=store_path.exists()) as store:
        decision = _standing_decision(read_from(store, as_of=dt.date.max), code, on)
        if decision.outcome in {"defer", "reject"}:
            raise DataProblem(
                N_(
                    "The decision on project {code} lets it not go ahead, so its conditions bind "
                    "nobody; screen the changed proposal."
                ),
                code=code,
            )
        if number not in {c.number for c in decision.conditions}:
            raise DataProblem(
                N_(
                    "The decision on project {code} has no condition {number}. Its conditions: "
                    "{known}."
                ),
                code=code,
                number=number,
                known=", ".join(str(c.number) for c in decision.conditions) or "—",
            )
        return _append_event(
            store,
            ConditionEvent(decision.decision_id, number, status, on, by.strip(), note.strip()),
        )


def _standing_decision(register: Register, code: str, on: dt.date) -> DecisionRecord:
    mine = [d for d in register.decisions if d.code == code]
    if not mine:
        raise DataProblem(N_("The register holds no decision on project {code}."), code=code)
    standing = register.known_on(on).latest().get(code)
    if standing is None:
        raise DataProblem(
            N_("The first decision on project {code} is of {day}; nothing can happen before it."),
            code=code,
            day=min(d.screened_on for d in mine).isoformat(),
        )
    return standing


def _append_event(store: Store, event: ConditionEvent) -> bool:
    rows = store.read_rows("condition_events")
    row = dataclasses.asdict(event)
    own = [r for r in rows if all(r[n] == row[n] for n in ("decision_id", "number"))]
    if own and {name: own[-1][name] for name in row} == row:
        return False
    last = max((int(r["recorded"]) for r in rows), default=0)
    with store.recording():
        store.append_rows("condition_events", [{"recorded": last + 1, **row}])
    return True


def _row_of(record: DecisionRecord) -> dict[str, Any]:
    """Columns of a decision, without those that recording gives."""
    row: dict[str, Any] = {}
    for item in dataclasses.fields(record):
        if item.name in _NOT_CONTENT:
            continue
        value = getattr(record, item.name)
        if item.name in {"path_without", "path_with"}:
            value = json.dumps([_number(v) for v in value])
        elif item.name == "rulebooks":
            value = json.dumps(dict(value), sort_keys=True, ensure_ascii=False)
        elif item.name == "reasons":
            value = ",".join(value)
        elif isinstance(value, float):
            value = _number(value)
        row[item.name] = value
    return row


def _condition_row(condition: ConditionRecord) -> dict[str, Any]:
    row = dataclasses.asdict(condition) | {"checks": ",".join(condition.checks)}
    del row["decision_id"]
    return row


def _override_row(override: OverrideRecord) -> dict[str, Any]:
    row = dataclasses.asdict(override) | {"lifted": ",".join(override.lifted)}
    del row["decision_id"]
    return row


def _number(value: float | None) -> float | None:
    """Write what is not a number as missing."""
    return None if value is None or not math.isfinite(value) else float(value)


# -- reading ------------------------------------------------------------------------------------


def read_register(store_path: Path, *, as_of: dt.date) -> Register:
    """Read the register as it stood on a day.

    Parameters
    ----------
    store_path : Path
    as_of : date
        Nothing decided or recorded as happening after this day is seen.

    Returns
    -------
    Register
        Empty for a store that holds none.

    Raises
    ------
    DataProblem
        When the store cannot be used or a row of the register is damaged.
    """
    with open_store(store_path) as store:
        return read_from(store, as_of=as_of)


def read_from(store: Store, *, as_of: dt.date) -> Register:
    """Read the register of an open store as it stood on a day.

    Parameters
    ----------
    store : Store
    as_of : date

    Raises
    ------
    DataProblem
        When a row of the register is damaged.
    """
    conditions = _by_decision(store.read_rows("conditions"))
    overrides = _by_decision(store.read_rows("overrides"))
    decisions = [
        _Row(store.path, row).decision(
            conditions.get(row["decision_id"], []), overrides.get(row["decision_id"], [])
        )
        for row in store.read_rows("decisions")
        if _day(store.path, row, "screened_on") <= as_of
    ]
    return Register(tuple(decisions), tuple(_events(store))).known_on(as_of)


def _day(path: Path, row: dict[str, Any], column: str) -> dt.date:
    day = row[column]
    if not isinstance(day, dt.date):
        raise _damaged(path, row["decision_id"], column)
    return day


def _events(store: Store) -> Iterator[ConditionEvent]:
    for row in store.read_rows("condition_events"):
        if row["status"] not in STATUSES:
            raise _damaged(store.path, row["decision_id"], "status")
        _day(store.path, row, "on")
        yield ConditionEvent(**{name: value for name, value in row.items() if name != "recorded"})


def _by_decision(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["decision_id"], []).append(row)
    return found


@dataclass(frozen=True)
class _Row:
    """A row of decisions that becomes a record, or says where it is damaged."""

    path: Path
    row: dict[str, Any]

    def decision(
        self, conditions: Sequence[dict[str, Any]], overrides: Sequence[dict[str, Any]]
    ) -> DecisionRecord:
        for column in ("outcome", "before_override"):
            if self.row[column] not in OUTCOMES:
                raise self._damaged(column)
        for part in (self.row, *conditions, *overrides):
            self._refuse_gaps(part)
        taken = {"recorded", "content_sha256"}
        values = {name: v for name, v in self.row.items() if name not in taken}
        values |= {
            "reasons": _split(values["reasons"]),
            "rulebooks": self._mapping("rulebooks"),
            "path_without": self._path("path_without"),
            "path_with": self._path("path_with"),
            "conditions": tuple(
                ConditionRecord(**{**c, "checks": _split(c["checks"])}) for c in conditions
            ),
            "override": next(
                (OverrideRecord(**{**o, "lifted": _split(o["lifted"])}) for o in overrides), None
            ),
        }
        return DecisionRecord(**values)

    def _refuse_gaps(self, row: dict[str, Any]) -> None:
        for column, value in row.items():
            if value is None and column not in _OPTIONAL:
                raise self._damaged(column)

    def _path(self, column: str) -> Values:
        values = self._json(column)
        if not isinstance(values, list) or not all(_is_number(v) for v in values):
            raise self._damaged(column)
        return tuple(None if v is None else float(v) for v in values)

    def _mapping(self, column: str) -> dict[str, str]:
        values = self._json(column)
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise self._damaged(column)
        return values

    def _json(self, column: str) -> Any:
        try:
            return json.loads(self.row[column])
        except (TypeError, ValueError, RecursionError) as error:
            raise self._damaged(column) from error

    def _damaged(self, column: str) -> DataProblem:
        return _damaged(self.path, self.row["decision_id"], column)


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or (isinstance(value, int | float) and math.isfinite(value))


def _damaged(path: Path, decision: object, column: str) -> DataProblem:
    return DataProblem(
        N_(
            "The register in {path} is damaged: {column} of decision {decision} cannot be read. "
            "Restore the store from a copy."
        ),
        path=path,
        column=column,
        decision=decision,
    )


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()

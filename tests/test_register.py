"""The register: append-only, as known on a day, all or nothing, and how it stands at a quarter."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import signal
import subprocess
import sys
import time

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import DataProblem
from debtwatch.panel.period import quarter, quarter_text
from debtwatch.panel.read import read_file
from debtwatch.panel.register import (
    ConditionEvent,
    ConditionRecord,
    DecisionRecord,
    OverrideRecord,
    Register,
    read_register,
    record_decisions,
    record_event,
)
from debtwatch.panel.store import REGISTER_TABLES, SCHEMA_VERSION, open_store
from debtwatch.reporting.quarterly import quarterly_report
from debtwatch.reporting.register_answer import register_answer, register_text
from debtwatch.reporting.register_part import Accounts, project_sha256, records_of, shown
from debtwatch.screening.decision import Condition, Decision, Screened
from debtwatch.screening.project import Override
from debtwatch.screening.sentence import Quarter, Sentence
from debtwatch.screening.standing import Observed, condition_state, standing
from tests.conftest import county_rows
from tests.proposal_cases import case, healthy_project

DAY, LATER, END = dt.date(2026, 1, 25), dt.date(2026, 5, 4), dt.date(2026, 12, 31)
Q4 = quarter(2025, 4)
NOW = quarter(2026, 4)
FIRST = Q4 + 1


def condition(number=1, due=Q4 + 2, **changes):
    plain = ConditionRecord(
        number, "reserve", "在首期还本前设立偿债备付金。", "Fund a reserve.", ("F6",), due
    )
    return dataclasses.replace(plain, **changes)


def decision(**changes):
    plain = DecisionRecord(
        screened_on=DAY, quarter=Q4, as_of=DAY, unit="900001", code="P1", name="甲县污水处理厂",
        outcome="conditional", before_override="conditional", valid_until=Q4 + 2, earliest=None,
        reasons=("F5", "F6"), project_sha256="ab" * 32, rulebooks={"cn-debt-tiers@2018": "cd" * 32},
        indicator="debt_ratio", line=1.2, line_inclusive=True, ratio_now=1.1,
        ratio_with_worst=1.25, worst_quarter=Q4 + 8, probability_with=0.2, probability_without=0.1,
        first_quarter=FIRST, path_without=(1.11, 1.12, None, 1.14),
        path_with=(1.15, 1.2, 1.22, 1.25),
        debt_now=4e9, capacity_now=3.6e9, total_investment=1.2e9, public_debt=8.4e8,
        start_quarter=Q4 + 2, build_quarters=8, version="0.1.0", seed=7, conditions=(condition(),),
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


OVERRIDDEN = {
    "outcome": "pass",
    "before_override": "defer",
    "override": OverrideRecord("mandatory_safety", "张某", DAY, "堤防险段", ("T1", "F8")),
    "conditions": (),
}


def plain(record):
    """A record as it was before recording."""
    return dataclasses.replace(
        record,
        decision_id="",
        conditions=tuple(dataclasses.replace(c, decision_id="") for c in record.conditions),
        override=record.override and dataclasses.replace(record.override, decision_id=""),
    )


def rows(store, table):
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(f"select * from {table} order by all").fetchall()


def edit(store, sql, *values):
    with duckdb.connect(str(store)) as connection:
        connection.execute(sql, list(values))


@pytest.fixture
def store(county_store):
    return county_store


# -- keeping ---------------------------------------------------------------------------------------


def test_what_is_recorded_is_read_back(store):
    records = [decision(), decision(code="P2", **OVERRIDDEN), decision(code="P3", conditions=())]
    assert record_decisions(store, records) == 3
    held = read_register(store, as_of=END)
    assert [plain(d) for d in held.decisions] == records
    assert plain(held.decisions[0]).conditions == (condition(),)
    assert {c.decision_id for c in held.conditions} == {held.decisions[0].decision_id}
    assert [o.name for o in held.overrides] == ["张某"]
    assert len({d.decision_id for d in held.decisions}) == 3


def test_missing_numbers_stay_missing(store):
    gone = dict.fromkeys(
        ("line", "ratio_now", "ratio_with_worst", "worst_quarter", "probability_with",
         "probability_without", "debt_now", "capacity_now"))  # fmt: skip
    one = decision(**gone, path_without=(None, float("nan")), path_with=(float("inf"), 1.0))
    record_decisions(store, [one])
    held = read_register(store, as_of=END).decisions[0]
    assert [getattr(held, name) for name in gone] == [None] * len(gone)
    assert (held.path_without, held.path_with) == ((None, None), (None, 1.0))
    nan = decision(code="P2", ratio_now=float("nan"))
    record_decisions(store, [nan])
    assert read_register(store, as_of=END).decisions[1].ratio_now is None


def test_a_decision_that_stands_already_adds_nothing(store):
    assert record_decisions(store, [decision()]) == 1
    before = {table: rows(store, table) for table in REGISTER_TABLES}
    assert record_decisions(store, [decision()]) == 0
    assert record_decisions(store, [decision(screened_on=LATER)]) == 0  # another day, nothing new
    assert {table: rows(store, table) for table in REGISTER_TABLES} == before


def test_any_difference_is_a_new_decision(store):
    record_decisions(store, [decision()])
    changed = [
        {"outcome": "defer"}, {"total_investment": 1.1e9}, {"path_with": (1.15,)}, {"seed": 8},
        {"conditions": (condition(due=Q4 + 3),)}, {"reasons": ("F5",)}, {"project_sha256": "0"},
        {"rulebooks": {"cn-debt-tiers@2018": "00"}}, {"override": OVERRIDDEN["override"]},
    ]  # fmt: skip
    for change in changed:
        assert record_decisions(store, [decision(screened_on=LATER, **change)]) == 1, change


def test_a_later_decision_replaces_the_earlier_and_both_stay(store):
    record_decisions(store, [decision()])
    first = rows(store, "decisions")
    record_decisions(store, [decision(screened_on=LATER, outcome="reject")])
    held = read_register(store, as_of=END)
    assert [d.outcome for d in held.decisions] == ["conditional", "reject"]
    assert held.latest()["P1"].outcome == "reject"
    assert set(first) < set(rows(store, "decisions"))


def test_going_back_to_an_earlier_decision_is_recorded(store):
    one, other = decision(), decision(screened_on=LATER, outcome="reject")
    again = decision(screened_on=END)
    for record in (one, other, again):
        assert record_decisions(store, [record]) == 1
    held = read_register(store, as_of=END)
    assert held.latest()["P1"].outcome == "conditional"
    assert len({d.decision_id for d in held.decisions}) == 3
    assert record_decisions(store, [one]) == 0  # a repeat of the first day's run


def test_repeating_an_earlier_day_adds_nothing(store):
    one, other = decision(), decision(screened_on=LATER, outcome="reject")
    record_decisions(store, [one, other])
    assert record_decisions(store, [one]) == 0
    assert read_register(store, as_of=END).latest()["P1"].outcome == "reject"


def test_of_one_day_the_last_decision_stands(store):
    record_decisions(store, [decision(), decision(outcome="reject"), decision(code="P2")])
    held = read_register(store, as_of=END)
    assert {code: d.outcome for code, d in held.latest().items()} == {
        "P1": "reject", "P2": "conditional",
    }  # fmt: skip


def test_a_decision_recorded_late_does_not_replace_a_newer_one(store):
    record_decisions(store, [decision(screened_on=LATER, outcome="reject")])
    record_decisions(store, [decision(screened_on=DAY, outcome="pass")])
    assert read_register(store, as_of=END).latest()["P1"].outcome == "reject"
    assert read_register(store, as_of=DAY).latest()["P1"].outcome == "pass"


def test_nothing_decided_later_is_seen(store):
    record_decisions(store, [decision(screened_on=LATER)])
    assert read_register(store, as_of=LATER - dt.timedelta(days=1)) == Register()
    assert len(read_register(store, as_of=LATER).decisions) == 1


def test_nothing_that_happened_later_is_seen(store):
    record_decisions(store, [decision()])
    record_event(store, "P1", 1, "met", on=LATER, by="李某")
    assert not read_register(store, as_of=LATER - dt.timedelta(days=1)).events
    assert [e.by for e in read_register(store, as_of=LATER).events] == ["李某"]


def test_a_store_is_not_made_for_a_register(tmp_path):
    for act in (
        lambda p: record_decisions(p, [decision()]),
        lambda p: record_event(p, "P1", 1, "met", on=DAY, by="x"),
        lambda p: read_register(p, as_of=END),
    ):
        with pytest.raises(DataProblem, match="no store"):
            act(tmp_path / "none.duckdb")
        assert not list(tmp_path.iterdir())


def test_hostile_texts_are_kept_as_they_are(store):
    evil = "=cmd|'/C calc'!A0 <b>\x1b[31m\x07\u202e'); drop table decisions; --\n\t"
    record_decisions(store, [decision(code=evil, name=evil, conditions=(condition(zh=evil),))])
    record_event(store, evil, 1, "broken", on=LATER, by="x" + evil, note=evil)
    held = read_register(store, as_of=END)
    assert (held.decisions[0].code, held.conditions[0].zh) == (evil, evil)
    assert held.events[0].note == evil.strip()


# -- conditions ------------------------------------------------------------------------------------


def test_events_of_conditions(store):
    record_decisions(store, [decision(conditions=(condition(1), condition(2)))])
    assert record_event(store, "P1", 2, "met", on=LATER, by="李某", note="专户回单")
    assert not record_event(store, "P1", 2, "met", on=LATER, by="李某", note="专户回单")
    assert record_event(store, "P1", 2, "broken", on=END, by="王某")
    held = read_register(store, as_of=END)
    assert [(e.number, e.status) for e in held.events] == [(2, "met"), (2, "broken")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("P9", 1, "met"), "no decision on project P9"),
        (("P1", 3, "met"), "no condition 3. Its conditions: 1, 2"),
        (("P1", 0, "met"), "no condition 0"),
        (("P1", 1, "done"), "no status of a condition"),
    ],
)
def test_events_of_nothing_are_refused(store, arguments, said):
    record_decisions(store, [decision(conditions=(condition(1), condition(2)))])
    with pytest.raises(DataProblem, match=re.escape(said)):
        record_event(store, *arguments, on=LATER, by="李某")
    assert not read_register(store, as_of=END).events


def test_events_need_a_name_and_a_day_after_the_decision(store):
    record_decisions(store, [decision()])
    with pytest.raises(DataProblem, match="name is missing"):
        record_event(store, "P1", 1, "met", on=LATER, by="  ")
    with pytest.raises(DataProblem, match="nothing can happen before"):
        record_event(store, "P1", 1, "met", on=DAY - dt.timedelta(days=1), by="李某")
    assert record_event(store, "P1", 1, "met", on=DAY, by="李某")


def test_an_event_belongs_to_the_decision_that_stood_on_its_day(store):
    record_decisions(store, [decision()])
    record_decisions(store, [decision(screened_on=LATER, outcome="pass", conditions=())])
    assert record_event(store, "P1", 1, "met", on=DAY, by="李某")
    with pytest.raises(DataProblem, match=r"no condition 1\. Its conditions: —"):
        record_event(store, "P1", 1, "met", on=LATER, by="李某")


# -- versions of the store -------------------------------------------------------------------------

OLD_SCHEMA = """
create table about (schema_version integer);
create table imports (import_id integer primary key, sha256 varchar, file varchar,
    known_from date, status varchar, synthetic boolean, figures integer);
create table units (import_id integer, unit varchar, name varchar, level varchar, parent varchar,
    scope varchar, known_from date);
create table observations (import_id integer, unit varchar, field varchar, quarter integer,
    basis varchar, value double, status varchar, known_from date, known_from_estimated boolean,
    sheet varchar, "row" integer, "column" integer);
create table bonds (import_id integer, unit varchar, bond varchar, ledger varchar,
    principal double, coupon double, frequency integer, maturity integer, repayment varchar,
    known_from date);
create table confirmations (unit varchar, field varchar, quarter integer, known_from date);
insert into about values (1);
"""


@pytest.fixture
def old_store(tmp_path, workbook):
    """A store of schema 1 with a county in it."""
    path = tmp_path / "old.duckdb"
    edit(path, OLD_SCHEMA)
    with open_store(path, create=True) as opened:
        opened.add(read_file(workbook(county_rows())), known_from=dt.date(2026, 1, 20))
    return path


def schema_of(path):
    return max(row[0] for row in rows(path, "about"))


def test_an_old_store_is_read_and_imported_into_as_before(old_store, workbook):
    before = old_store.read_bytes()
    assert read_register(old_store, as_of=END) == Register()
    assert old_store.read_bytes() == before
    with open_store(old_store, create=True) as opened:
        opened.add(read_file(workbook(county_rows(unit="900002"))), known_from=DAY)
    assert schema_of(old_store) == 1  # an older program can still read it


def test_an_old_store_gains_the_tables_on_the_first_decision(old_store):
    with open_store(old_store) as opened:
        figures = opened.known_on(END).observations
    assert record_decisions(old_store, []) == 0
    assert schema_of(old_store) == 1
    assert record_decisions(old_store, [decision()]) == 1
    assert schema_of(old_store) == SCHEMA_VERSION == 2
    assert [plain(d) for d in read_register(old_store, as_of=END).decisions] == [decision()]
    with open_store(old_store) as opened:
        assert opened.known_on(END).observations.equals(figures)


def test_a_newer_store_is_refused(store):
    edit(store, "insert into about values (?)", SCHEMA_VERSION + 1)
    with pytest.raises(DataProblem, match="another version"):
        read_register(store, as_of=END)
    with pytest.raises(DataProblem, match="another version"):
        record_decisions(store, [decision()])


def test_the_tables_hold_every_field_of_a_decision():
    fields = {f.name for f in dataclasses.fields(DecisionRecord)} - {"conditions", "override"}
    assert set(REGISTER_TABLES["decisions"]) == fields | {"recorded", "content_sha256"}
    for table, kind in (("conditions", ConditionRecord), ("overrides", OverrideRecord)):
        assert set(REGISTER_TABLES[table]) == {f.name for f in dataclasses.fields(kind)}


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2", "{}", '["a"]', "[true]", "[NaN]", "null", "[" * 100_000, None]
)
def test_a_damaged_path_is_said(store, text):
    record_decisions(store, [decision()])
    edit(store, "update decisions set path_with = ?", text)
    with pytest.raises(DataProblem, match=r"damaged: path_with of decision [0-9a-f]{16}"):
        read_register(store, as_of=END)


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ("update decisions set rulebooks = '[1]'", "rulebooks"),
        ("update decisions set rulebooks = '{\"a\": 1}'", "rulebooks"),
        ("update decisions set outcome = 'approved'", "outcome"),
        ("update decisions set before_override = null", "before_override"),
        ("update decisions set quarter = null", "quarter"),
        ("update decisions set screened_on = null", "screened_on"),
        ("update conditions set zh = null", "zh"),
        ("update condition_events set status = 'lost'", "status"),
        ('update condition_events set "on" = null', "on"),
    ],
)
def test_other_damage_is_said(store, sql, column):
    record_decisions(store, [decision()])
    record_event(store, "P1", 1, "met", on=LATER, by="李某")
    edit(store, sql)
    with pytest.raises(DataProblem, match=f"damaged: {column} of decision"):
        read_register(store, as_of=END)


# -- all or nothing --------------------------------------------------------------------------------

DYING = f"""
import dataclasses, datetime, os, signal, sys
from pathlib import Path
from debtwatch.panel import store as stores
from debtwatch.panel.register import *

last = int(sys.argv[2])
rows, seen = stores.Store._rows, [0]
def counted(self, sql, values=None):
    found = rows(self, sql, values)
    seen[0] += 1
    if seen[0] == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
stores.Store._rows = counted
one, lifted = {decision()!r}, {decision(**OVERRIDDEN)!r}
records = [dataclasses.replace(one, code=str(k)) for k in range(40)] + [lifted]
record_decisions(Path(sys.argv[1]), records)
"""


@pytest.mark.parametrize("kind", ["new", "old"])
def test_a_recording_killed_after_any_statement_leaves_nothing(store, old_store, kind):
    path = store if kind == "new" else old_store
    empty = schema_of(path)
    for statement in range(1, 20):
        done = subprocess.run(
            [sys.executable, "-c", DYING, str(path), str(statement)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert read_register(path, as_of=END) == Register()
        assert schema_of(path) == empty
    assert done.returncode == 0
    assert statement > 4  # it was killed between the tables too
    assert len(read_register(path, as_of=END).decisions) == 41
    assert len(read_register(path, as_of=END).conditions) == 40


@pytest.mark.parametrize("delay", [0.4, 0.6, 0.8, 1.0])
def test_a_recording_killed_at_any_time_leaves_all_or_nothing(store, delay):
    job = subprocess.Popen(
        [sys.executable, "-c", DYING, str(store), "0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(delay)
    job.send_signal(signal.SIGKILL)
    job.wait()
    held = read_register(store, as_of=END)
    assert (len(held.decisions), len(held.conditions), len(held.overrides)) in {
        (0, 0, 0), (41, 40, 1),
    }  # fmt: skip


def test_a_failed_recording_leaves_nothing(store, monkeypatch):
    from debtwatch.panel import store as stores

    append = stores.Store.append_rows

    def broken(self, table, given):
        if table == "overrides":
            raise OSError(28, "No space left on device")
        append(self, table, given)

    monkeypatch.setattr(stores.Store, "append_rows", broken)
    with pytest.raises(OSError, match="No space"):
        record_decisions(store, [decision()])
    assert read_register(store, as_of=END) == Register()


# -- how it stands ---------------------------------------------------------------------------------


def nothing(_decision, _quarter):
    return Observed()


def at(register, when, actual=nothing, **options):
    return standing(register, quarter=when, as_of=END, actual=actual, **options)


def held(*decisions, events=()):
    """A register as read: every decision and its parts carry an id."""
    marked = [
        dataclasses.replace(
            d,
            decision_id=f"d{k}",
            conditions=tuple(dataclasses.replace(c, decision_id=f"d{k}") for c in d.conditions),
        )
        for k, d in enumerate(decisions)
    ]
    return Register(tuple(marked), tuple(events))


def event(status, *, on=LATER, number=1, of="d0"):
    return ConditionEvent(of, number, status, on, "李某")


@pytest.mark.parametrize(("shift", "expired"), [(-1, False), (0, False), (1, True)])
def test_a_decision_expires_after_its_last_quarter(shift, expired):
    stands = at(held(decision(valid_until=Q4 + 2)), Q4 + 2 + shift)
    assert bool(stands.expired) is expired
    assert bool(stands.in_force) is not expired


def test_a_decision_without_a_last_quarter_does_not_expire():
    assert at(held(decision(valid_until=None, outcome="reject")), Q4 + 40).in_force


@pytest.mark.parametrize(("shift", "state"), [(-1, "open"), (0, "due"), (1, "overdue")])
def test_a_condition_is_due_in_its_quarter_and_overdue_after(shift, state):
    stands = at(held(decision(valid_until=None)), Q4 + 2 + shift)
    assert [c.state for c in stands.conditions] == [state]


@pytest.mark.parametrize(
    ("status", "state"), [("met", "met"), ("waived", "waived"), ("broken", "broken")]
)
@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_what_was_recorded_decides_whatever_the_quarter(status, state, shift):
    stands = at(held(decision(), events=[event(status)]), Q4 + 2 + shift)
    assert [c.state for c in stands.conditions] == [state]


def test_the_latest_event_counts():
    events = [event("met", on=END), event("broken", on=LATER)]
    assert at(held(decision(), events=events), Q4 + 2).conditions[0].state == "met"
    same_day = [event("met"), event("broken")]
    assert at(held(decision(), events=same_day), Q4 + 2).conditions[0].state == "broken"


def test_a_condition_without_a_date_is_never_due():
    stands = at(held(decision(conditions=(condition(due=None),))), Q4 + 40)
    assert stands.conditions[0].state == "open"


def test_events_of_another_condition_or_decision_do_not_count():
    both = decision(conditions=(condition(1), condition(2)))
    register = held(both, decision(code="P2"), events=[event("met", number=2)])
    assert [c.state for c in at(register, Q4 + 3).conditions] == ["overdue", "met", "overdue"]


def test_later_records_do_not_count():
    register = held(
        decision(), decision(screened_on=END, outcome="reject"), events=[event("met", on=END)]
    )
    stands = standing(register, quarter=Q4 + 2, as_of=LATER, actual=nothing)
    assert [d.outcome for d in stands.in_force] == ["conditional"]
    assert stands.conditions[0].state == "due"


def test_a_replaced_decision_brings_no_conditions():
    register = held(decision(), decision(screened_on=LATER, outcome="reject", conditions=()))
    stands = at(register, Q4 + 3)
    assert [d.outcome for d in stands.superseded] == ["conditional"]
    assert not stands.conditions


@pytest.mark.parametrize(("shift", "back"), [(-1, False), (0, True), (1, True)])
def test_a_deferral_comes_back_in_its_earliest_quarter(shift, back):
    deferred = decision(outcome="defer", valid_until=None, earliest=Q4 + 3)
    assert bool(at(held(deferred), Q4 + 3 + shift).returning) is back


def test_only_deferrals_come_back():
    register = held(decision(earliest=Q4), decision(code="P2", outcome="defer", valid_until=None))
    assert not at(register, Q4 + 2).returning


def test_overrides_are_in_force_while_their_decision_is():
    register = held(decision(**OVERRIDDEN, valid_until=Q4 + 1))
    assert [o.name for _, o in at(register, Q4 + 1).overrides] == ["张某"]
    assert not at(register, Q4 + 2).overrides


# -- passes ----------------------------------------------------------------------------------------

PASS = {"outcome": "pass", "before_override": "pass", "conditions": ()}


def seen(ratio=1.1, debt=4e9, capacity=3.6e9, when=FIRST):
    return lambda _d, q: Observed(ratio, debt, capacity) if q == when else Observed()


@pytest.mark.parametrize("name", ["ratio", "debt", "capacity"])
@pytest.mark.parametrize(
    ("factor", "lapsed"),
    [(1.0999, False), (1.1, False), (1.1001, True), (0.9001, False), (0.9, False), (0.8999, True)],
)
def test_a_pass_lapses_when_a_figure_moves_by_more_than_a_tenth(name, factor, lapsed):
    then = {"ratio": 1.1, "debt": 4e9, "capacity": 3.6e9}
    now = {**then, name: then[name] * factor}
    stands = at(held(decision(**PASS)), FIRST, seen(**now))
    assert bool(stands.lapsed) is lapsed
    assert bool(stands.in_force) is not lapsed
    assert not stands.unchecked
    moved = {m.name for m in stands.passes[0].moves if m.too_far}
    assert moved == ({name} if lapsed else set())


def test_a_pass_without_newer_figures_cannot_be_checked():
    register = held(decision(**PASS))
    assert at(register, FIRST, nothing).unchecked
    assert at(register, FIRST, seen(when=Q4)).unchecked  # what it rested on itself
    assert not at(register, Q4, seen(when=Q4)).unchecked
    assert at(register, FIRST, seen(debt=None)).unchecked
    assert at(register, FIRST, seen(debt=None, ratio=1.3)).lapsed  # one figure is enough
    assert not at(register, FIRST, nothing).lapsed


def test_figures_that_were_not_recorded_are_not_compared():
    bare = decision(**PASS, debt_now=None, capacity_now=None)
    assert at(held(bare), FIRST, seen()).passes[0].lapsed is False
    none = decision(**PASS, debt_now=None, capacity_now=None, ratio_now=None)
    assert at(held(none), FIRST, seen()).passes[0].lapsed is None


def test_figures_corrected_after_the_pass_count():
    assert at(held(decision(**PASS)), Q4, seen(ratio=1.3, when=Q4)).lapsed


def test_the_latest_figures_decide():
    def actual(_decision, q):
        return {FIRST: Observed(1.5, 4e9, 3.6e9), FIRST + 1: Observed(1.1, 4e9, 3.6e9)}.get(
            q, Observed()
        )

    register = held(decision(**PASS))
    assert not at(register, FIRST + 1, actual).lapsed
    assert at(register, FIRST, actual).lapsed


def test_debt_from_nothing_moves_too_far():
    assert at(held(decision(**PASS, debt_now=0.0)), FIRST, seen(debt=1.0)).lapsed
    assert not at(held(decision(**PASS, debt_now=0.0)), FIRST, seen(debt=0.0)).lapsed


def test_only_passes_lapse():
    assert not at(held(decision()), FIRST, seen(ratio=9.0)).passes


# -- forecasts -------------------------------------------------------------------------------------


def ratios(values):
    return lambda _d, q: Observed(ratio=values.get(q))


def test_the_outlook_beside_what_happened():
    register = held(decision())
    one = at(register, FIRST + 1, ratios({FIRST: 1.15, FIRST + 1: 1.19})).forecasts[0]
    assert (one.quarter, one.without, one.with_, one.actual) == (FIRST + 1, 1.12, 1.2, 1.19)
    assert one.miss_without == pytest.approx(0.07)
    assert one.miss_with == pytest.approx(-0.01)
    assert (one.crossed, one.crossed_in) == (False, None)
    assert (one.expected_without, one.expected_with) == (None, FIRST + 1)


def test_the_latest_quarter_with_both_is_compared():
    register = held(decision())
    one = at(register, FIRST + 3, ratios({FIRST: 1.15})).forecasts[0]
    assert (one.quarter, one.actual) == (FIRST, 1.15)
    # The outlook covers four quarters; later accounts have nothing to stand beside.
    one = at(register, FIRST + 9, ratios({FIRST + 3: 1.3, FIRST + 9: 1.4})).forecasts[0]
    assert (one.quarter, one.actual) == (FIRST + 3, 1.3)


def test_missing_accounts_are_said():
    one = at(held(decision()), FIRST + 1, nothing).forecasts[0]
    assert (one.quarter, one.actual, one.crossed) == (FIRST + 1, None, None)
    assert (one.miss_without, one.miss_with) == (None, None)


def test_a_gap_in_one_path_leaves_the_other():
    one = at(held(decision()), FIRST + 2, ratios({FIRST + 2: 1.2})).forecasts[0]
    assert (one.quarter, one.without, one.miss_without) == (FIRST + 2, None, None)
    assert one.miss_with == pytest.approx(-0.02)


@pytest.mark.parametrize(
    ("value", "inclusive", "crossed"),
    [
        (1.1999, True, False), (1.2, True, True), (1.2001, True, True),
        (1.1999, False, False), (1.2, False, False), (1.2001, False, True),
        (1.2 - 1e-12, True, True), (1.2 + 1e-12, False, False),
    ],
)  # fmt: skip
def test_the_line_is_reached_as_its_rule_says(value, inclusive, crossed):
    register = held(decision(line_inclusive=inclusive))
    assert at(register, FIRST, ratios({FIRST: value})).forecasts[0].crossed is crossed


def test_a_line_reached_earlier_was_reached():
    figures = ratios({FIRST: 1.3, FIRST + 1: 1.1})
    one = at(held(decision()), FIRST + 1, figures).forecasts[0]
    assert (one.crossed, one.crossed_in) == (True, FIRST)


def test_without_a_line_nothing_is_said_of_it():
    assert at(held(decision(line=None)), FIRST, ratios({FIRST: 9.0})).forecasts[0].crossed is None


def test_a_decision_of_the_same_quarter_has_nothing_to_compare():
    assert not at(held(decision()), Q4, ratios({Q4: 1.1})).forecasts


DECISIONS = st.builds(
    decision,
    code=st.sampled_from("ABC"),
    outcome=st.sampled_from(["pass", "conditional", "defer", "reject"]),
    screened_on=st.dates(DAY, END),
    valid_until=st.one_of(st.none(), st.integers(Q4 - 4, Q4 + 8)),
)


@given(
    decisions=st.lists(DECISIONS, min_size=1, max_size=8),
    when=st.integers(Q4 - 2, Q4 + 10),
    ratio=st.one_of(st.none(), st.floats(0.5, 3.0)),
)
def test_every_decision_stands_in_exactly_one_place(decisions, when, ratio):
    register = held(*decisions)
    asked = []

    def actual(_decision, q):
        asked.append(q)
        return Observed(ratio, None, None)

    stands = at(register, when, actual)
    lapsed = [p.decision for p in stands.lapsed]
    parts = [*stands.in_force, *stands.expired, *stands.superseded, *lapsed]
    assert sorted(d.decision_id for d in parts) == sorted(d.decision_id for d in register.decisions)
    assert len(parts) - len(stands.superseded) == len({d.code for d in register.decisions})
    assert all(q <= when for q in asked)


@given(due=st.integers(0, 100), now=st.integers(0, 100))
def test_states_follow_the_order_of_quarters(due, now):
    expected = "open" if now < due else "due" if now == due else "overdue"
    assert condition_state(due, None, now) == expected


# -- screened proposals as records -----------------------------------------------------------------


def screened(**changes):
    one = Screened(
        case=case(),
        checks=(),
        decision=Decision(
            "conditional", "defer", ("F6",),
            Override("ongoing", "张某", DAY, "续建"), ("T1",), None, Q4 + 4, None,
        ),
        conditions=(
            Condition("timing", Sentence("Not before {q}.", {"q": Quarter(Q4)}), ("T1",), Q4 + 3),
        ),
    )  # fmt: skip
    return dataclasses.replace(one, **changes)


def records(*all_screened, **options):
    return records_of(
        all_screened, screened_on=LATER, as_of=DAY, version="0.1.0", seed=7, **options
    )


def test_records_hold_what_was_screened(store):
    one = screened()
    record = records(one)[0]
    tier = one.case.impact.tier
    assert (record.code, record.unit) == (one.case.project.code, one.case.project.unit)
    assert (record.outcome, record.before_override) == ("conditional", "defer")
    assert record.quarter == one.case.government.quarter
    assert record.path_with == tuple(tier.path_with)
    assert record.ratio_with_worst == max(tier.path_with)
    assert (record.line, record.indicator) == (tier.line.value, "debt_ratio")
    assert record.conditions[0].number == 1
    assert record.conditions[0].zh
    assert record.override == OverrideRecord("ongoing", "张某", DAY, "续建", ("T1",))
    assert not record.synthetic
    assert record_decisions(store, [record]) == 1
    assert plain(read_register(store, as_of=END).decisions[0]) == record


def test_accounts_follow_from_balances_or_are_given():
    one = screened()
    balances = {q.ledger: q.balance for q in one.case.impact.quotas}
    record = records(one)[0]
    assert record.debt_now == pytest.approx(balances["general"] + balances["special"])
    assert record.capacity_now == pytest.approx(record.debt_now / record.ratio_now)
    given_ = records(one, accounts={one.case.project.unit: Accounts(5.0, 4.0)})[0]
    assert (given_.debt_now, given_.capacity_now) == (5.0, 4.0)
    impact = dataclasses.replace(one.case.impact, quotas=one.case.impact.quotas[:1])
    bare = screened(case=dataclasses.replace(one.case, impact=impact))
    assert records(bare)[0].debt_now is None


def test_a_case_without_figures_is_recorded_as_such(store):
    one = screened()
    nan = np.full(4, np.nan)
    tier = dataclasses.replace(
        one.case.impact.tier, value_now=float("nan"), path_without=nan, path_with=nan, line=None,
        worst_quarter=None,
    )  # fmt: skip
    impact = dataclasses.replace(one.case.impact, tier=tier, probability=None, quotas=())
    record = records(screened(case=dataclasses.replace(one.case, impact=impact)))[0]
    assert (record.ratio_now, record.ratio_with_worst, record.line) == (None, None, None)
    assert record.path_with == (None,) * 4
    assert (record.probability_with, record.debt_now) == (None, None)
    record_decisions(store, [record])
    assert plain(read_register(store, as_of=END).decisions[0]) == record


@pytest.mark.parametrize(
    ("mark", "given_", "expected"),
    [("", False, (False, False)), ("", True, (True, False)), ("synthetic", False, (True, False)),
     ("illustrative", False, (False, True))],
)  # fmt: skip
def test_what_is_invented_stays_marked(mark, given_, expected):
    one = screened(case=case(project=healthy_project(illustrative=mark)))
    record = records(one, synthetic=given_)[0]
    assert (record.synthetic, record.illustrative) == expected


def test_the_hash_of_a_proposal_is_of_what_it_says():
    one = healthy_project()
    assert project_sha256(one) == project_sha256(dataclasses.replace(one, place="表1!7"))
    assert project_sha256(one) != project_sha256(dataclasses.replace(one, build_quarters=9))


# -- in the report ---------------------------------------------------------------------------------


def write(store, out, *, lang="en", as_of=END):
    quarterly_report(store, Q4, as_of=as_of, out=out, lang=lang)
    return (out / "index.html").read_text("utf-8"), json.loads(
        (out / "report.json").read_text("utf-8")
    )


def full_register(store, shift=-3, now=Q4):
    """Decisions on accounts of 2025Q1, so that the report of 2025Q4 has something to say."""
    base = Q4 + shift
    then = {"quarter": base, "first_quarter": base + 1}
    four = tuple(condition(k, now + due) for k, due in enumerate((-1, 0, 1, 1), start=1))
    record_decisions(
        store,
        [
            decision(code="A", **then, valid_until=now - 1, conditions=(condition(1, now - 1),)),
            decision(code="B", **then, valid_until=now, conditions=four),
            decision(code="C", **then, **PASS, valid_until=now, ratio_now=0.9),
            decision(code="D", **then, outcome="defer", valid_until=None, earliest=now,
                     conditions=()),
            decision(code="E", **then, **OVERRIDDEN, valid_until=now, unit="900009",
                     illustrative=True),
            decision(code="F", **then, outcome="reject", valid_until=None, conditions=()),
        ],
    )  # fmt: skip
    record_event(store, "B", 4, "broken", on=LATER, by="李某", note="未达标")


def test_the_report_says_how_the_register_stands(store, tmp_path):
    """Due dates are days of the calendar: accounts of 2025Q4 are read at the end of 2026."""
    full_register(store, now=NOW)
    page, data = write(store, tmp_path / "r")
    part = data["register"]
    assert (part["decisions"], part["superseded"]) == (6, 0)
    assert [d["code"] for d in part["expired"]] == ["A"]
    states = [(c["decision"]["code"], c["number"], c["state"]) for c in part["conditions"]]
    assert states == [("B", 4, "broken"), ("A", 1, "overdue"), ("B", 1, "overdue"), ("B", 2, "due")]
    assert [(p["decision"]["code"], p["lapsed"]) for p in part["passes"]] == [
        ("C", True), ("E", False),
    ]  # fmt: skip
    assert [d["code"] for d in part["returning"]] == ["D"]
    assert [(o["decision"]["code"], o["by"]) for o in part["overrides"]] == [("E", "张某")]
    assert len(part["forecasts"]) == 6
    actual = {f["decision"]["code"]: f["actual"] for f in part["forecasts"]}
    assert actual["E"] is None  # a government that the store does not know
    assert actual["A"] == pytest.approx(data["units"][0]["value"])
    for text in ("Register of screening decisions", "Overrides in force", "illustrative",
                 "not reported", "Validity is over"):  # fmt: skip
        assert text in page
    section = re.search(r'<section class="register">.*?</section>', page, re.DOTALL)[0]
    assert not re.search(r"\b(None|nan|inf)\b", section)


def test_a_report_does_not_see_later_records(store, tmp_path):
    day = DAY - dt.timedelta(days=1)
    before, data = write(store, tmp_path / "a", as_of=day)
    full_register(store)
    after, again = write(store, tmp_path / "b", as_of=day)
    assert (before, data) == (after, again)
    assert data["register"]["decisions"] == 0


def test_a_report_without_a_register_has_no_section(store, tmp_path):
    page, data = write(store, tmp_path / "r")
    assert "register" not in page
    assert data["register"] == {
        "decisions": 0, "in_force": 0, "superseded": 0, "expired": [], "passes": [],
        "conditions": [], "returning": [], "overrides": [], "forecasts": [],
    }  # fmt: skip


def test_a_quiet_register_says_so(store, tmp_path):
    record_decisions(store, [decision(valid_until=NOW, conditions=(condition(1, NOW + 1),))])
    page, _ = write(store, tmp_path / "r")
    assert "Nothing is due, overdue, broken or expired." in page


def test_both_languages_hold_the_same_register(store, tmp_path):
    full_register(store)
    _, zh = write(store, tmp_path / "zh", lang="zh")
    _, en = write(store, tmp_path / "en", lang="en")

    def figures(node):
        if isinstance(node, dict):
            return {k: figures(v) for k, v in node.items()}
        if isinstance(node, list):
            return [figures(v) for v in node]
        return node if isinstance(node, int | float | None) else None

    assert figures(zh["register"]) == figures(en["register"])
    assert zh["register"]["conditions"][0]["text"] == "在首期还本前设立偿债备付金。"


def test_hostile_texts_do_nothing_on_the_page(store, tmp_path):
    evil = "<script>alert(1)</script>=cmd|' /C calc'!A0\x1b[31m\x00\u202e" + "长" * 300
    override = OverrideRecord("<b>", evil, DAY, evil, ("<i>",))
    due = condition(1, Q4, zh=evil, en=evil)
    record_decisions(
        store,
        [
            decision(code=evil, name=evil, unit="<x>", conditions=(due,)),
            decision(code="E", name=evil, **{**OVERRIDDEN, "override": override}),
        ],
    )  # fmt: skip
    record_event(store, evil, 1, "broken", on=LATER, by=evil, note=evil)
    page, data = write(store, tmp_path / "r")
    section = re.search(r'<section class="register">.*?</section>', page, re.DOTALL)[0]
    assert "<script" not in section
    assert "&lt;script&gt;alert(1)" in section
    assert not re.search("[\x00\x1b\u202e]|<x>|<b>|<i>", section)
    assert "\x1b" not in json.dumps(data["register"], ensure_ascii=False)


def test_what_cannot_be_seen_is_shown_as_a_mark():
    assert shown("a\x00\x1b\u202e\u200b b\n") == "a\ufffd\ufffd\ufffd\ufffd b "


# -- on the command line ---------------------------------------------------------------------------


def test_the_answer_lists_everything(store):
    full_register(store)
    record_decisions(store, [decision(code="A", screened_on=LATER, outcome="reject")])
    answer = register_answer(store, as_of=END, lang="en", quarter=Q4)
    json.dumps(answer, allow_nan=False)
    assert [(d["code"], d["state"]) for d in answer["decisions"]] == [
        ("A", "superseded"), ("B", "in_force"), ("C", "lapsed"), ("D", "in_force"),
        ("E", "in_force"), ("F", "in_force"), ("A", "in_force"),
    ]  # fmt: skip
    # Those of the rejected proposal say what would have to change; they bind nobody.
    assert len(answer["conditions"]) == 4
    assert answer["events"][0]["status"] == "broken"
    assert answer["decisions"][4]["override"]["by"] == "张某"
    assert answer["decisions"][1]["conditions"][0]["zh"] == "在首期还本前设立偿债备付金。"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_text_lists_everything(store, lang):
    full_register(store)
    text = register_text(store, as_of=END, lang=lang, quarter=Q4)
    for part in ("甲县污水处理厂", "张某", "李某", "未达标", quarter_text(Q4), "120%"):
        assert part in text
    assert not re.search(r"\b(None|nan|inf)\b|\{", text)
    assert len(text.splitlines()) == 1 + 6 * 2 + 6 + 5 + 2 + 1 + 1 + 6


def test_the_quarter_of_the_day_is_the_default(store):
    record_decisions(store, [decision(valid_until=Q4 + 2)])
    last_day, next_day = dt.date(2026, 6, 30), dt.date(2026, 7, 1)
    states = [
        register_answer(store, as_of=day, lang="en")["decisions"][0]["state"]
        for day in (last_day, next_day)
    ]
    assert states == ["in_force", "expired"]


def test_an_empty_register_is_said(store):
    assert "holds no decision" in register_text(store, as_of=END, lang="en")
    assert register_answer(store, as_of=END, lang="en")["decisions"] == []


def test_a_register_older_than_the_figures_is_listed(store):
    record_decisions(store, [decision(screened_on=dt.date(2025, 1, 1))])
    answer = register_answer(store, as_of=dt.date(2025, 2, 1), lang="en", quarter=Q4 + 1)
    assert answer["forecasts"][0]["actual"] is None

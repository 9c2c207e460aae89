"""The register for the command line: everything it holds, as text or JSON."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debtwatch.language import LOCALES, N_, language
from debtwatch.panel.period import quarter_of, quarter_text
from debtwatch.panel.register import ConditionRecord, DecisionRecord, read_from
from debtwatch.panel.store import open_store
from debtwatch.reporting.figures import Figures, choose_size
from debtwatch.reporting.register_part import (
    History,
    RegisterRows,
    history_of_store,
    shown,
    written,
)
from debtwatch.screening.standing import RegisterStanding, standing

INVENTED_WORDS = {"synthetic": N_("synthetic"), "illustrative": N_("illustrative")}
STANDING_WORDS = {
    "in_force": N_("in force"),
    "expired": N_("expired"),
    "superseded": N_("replaced by a later one"),
    "lapsed": N_("lapsed: figures moved"),
}


def register_answer(
    store: Path, *, as_of: dt.date, lang: str, quarter: int | None = None
) -> dict[str, Any]:
    """List the register and how it stands.

    Parameters
    ----------
    store : Path
    as_of : date
        Nothing recorded or published after this day is seen.
    lang : {"zh", "en"}
    quarter : int, optional
        Ordinal of the quarter to judge at; the one in which ``as_of`` lies by default.

    Returns
    -------
    dict
        Ready for JSON; missing numbers are None.

    Raises
    ------
    DataProblem
        When the store cannot be used or its register is damaged.
    """
    at = quarter_of(as_of) if quarter is None else quarter
    with open_store(store) as opened:
        register = read_from(opened, as_of=as_of)
        known = opened.known_on(as_of) if register.decisions else None
    figures = History() if known is None else history_of_store(known, at)
    stands = standing(register, quarter=at, as_of=as_of, actual=figures.observed)
    section = RegisterRows(stands, language(lang), figures.names, {})
    states = _states(stands)
    return {
        "as_of": as_of.isoformat(),
        "quarter": quarter_text(at),
        "decisions": [
            _decision_answer(section, d, states[d.decision_id]) for d in register.decisions
        ],
        "conditions": [_row(section.condition(c)) for c in stands.conditions],
        "passes": [_row(section.passed(p)) for p in stands.passes if p.lapsed is not False],
        "returning": [_row(section.decision(d)) for d in stands.returning],
        "overrides": [_row(section.override(d, o)) for d, o in stands.overrides],
        "forecasts": [_row(section.forecast(f)) for f in stands.forecasts],
        "events": [
            {**dataclasses.asdict(e), "on": e.on.isoformat(), "by": shown(e.by),
             "note": shown(e.note)}
            for e in register.events
        ],
    }  # fmt: skip


def _states(stands: RegisterStanding) -> dict[str, str]:
    """State of every decision by its id."""
    found = {d.decision_id: "in_force" for d in stands.in_force}
    found |= {d.decision_id: "expired" for d in stands.expired}
    found |= {d.decision_id: "superseded" for d in stands.superseded}
    return found | {p.decision.decision_id: "lapsed" for p in stands.lapsed}


def _decision_answer(section: RegisterRows, one: DecisionRecord, state: str) -> dict[str, Any]:
    record = dataclasses.asdict(one)
    quarters = ("worst_quarter", "first_quarter", "start_quarter")
    return {
        **record,
        **_row(section.decision(one)),
        **{name: written(record[name]) for name in quarters},
        "as_of": one.as_of.isoformat(),
        "state": state,
        "override": None if one.override is None else _row(section.override(one, one.override)),
        "conditions": [_condition_answer(c) for c in one.conditions],
    }


def _condition_answer(one: ConditionRecord) -> dict[str, Any]:
    return {
        "number": one.number,
        "key": one.key,
        **{code: shown(getattr(one, code)) for code in LOCALES},
        "checks": list(one.checks),
        "due": written(one.due),
    }


def _row(value: Any) -> dict[str, Any]:
    """Make a row of an answer; pages exist in reports only."""
    row = dataclasses.asdict(value)
    row.pop("has_page", None)
    if isinstance(row.get("decision"), dict):
        row["decision"].pop("has_page")
    return row


def register_text(store: Path, *, as_of: dt.date, lang: str, quarter: int | None = None) -> str:
    """Write the register and how it stands as text.

    Parameters
    ----------
    store : Path
    as_of : date
    lang : {"zh", "en"}
    quarter : int, optional
        As for :func:`register_answer`.
    """
    answer = register_answer(store, as_of=as_of, lang=lang, quarter=quarter)
    if not answer["decisions"]:
        return (
            language(lang)
            .text(N_("The register holds no decision known on {as_of}."))
            .format(**answer)
        )
    return "\n".join(_Listing(answer, lang).lines())


@dataclass(frozen=True)
class _Listing:
    """An answer as lines of text."""

    answer: dict[str, Any]
    lang: str

    def say(self, message: str, **details: object) -> str:
        return language(self.lang).text(message).format(**details)

    def lines(self) -> list[str]:
        answer = self.answer
        head = self.say(
            N_("Register as known on {as_of}, judged at {quarter}: {count} decisions. "
               "Recommendations of this desk, not official ratings."),
            as_of=answer["as_of"], quarter=answer["quarter"], count=len(answer["decisions"]),
        )  # fmt: skip
        blocks = (
            (N_("Decisions"), [self.decision(d) for d in answer["decisions"]]),
            (N_("Conditions"), [self.condition(c) for c in answer["conditions"]]),
            (N_("Passes to look at again"), [self.passed(p) for p in answer["passes"]]),
            (N_("Deferrals that may come back"), [self.back(d) for d in answer["returning"]]),
            (N_("Overrides in force"), [self.override(o) for o in answer["overrides"]]),
            (N_("Outlook beside what happened"), [self.forecast(f) for f in answer["forecasts"]]),
        )
        lines = [head]
        for title, rows in blocks:
            if rows:
                lines += ["", self.say(title), *(f"  {row}" for row in rows)]
        return lines

    def project(self, one: dict[str, Any]) -> str:
        invented = one["invented"]
        mark = f" [{self.say(INVENTED_WORDS[invented])}]" if invented else ""
        return f"{one['code']} {one['name']} ({one['government']}){mark}"

    def decision(self, one: dict[str, Any]) -> str:
        parts = [self.project(one), one["outcome_label"], one["screened_on"],
                 self.say(STANDING_WORDS[one["state"]])]  # fmt: skip
        if one["valid_until"] is not None:
            parts.append(self.say(N_("valid to {quarter}"), quarter=one["valid_until"]))
        if one["earliest"] is not None:
            parts.append(self.say(N_("not before {quarter}"), quarter=one["earliest"]))
        if one["reasons"]:
            parts.append(", ".join(one["reasons"]))
        return " · ".join(parts)

    def condition(self, one: dict[str, Any]) -> str:
        parts = [f"{one['decision']['code']} {one['number']}", one["state_label"]]
        if one["due"] is not None:
            parts.append(self.say(N_("due by the end of {quarter}"), quarter=one["due"]))
        parts.append(one["text"])
        if one["recorded_on"] is not None:
            recorded = (one["recorded_on"], one["recorded_by"], one["note"])
            parts.append(" ".join(r for r in recorded if r))
        return " · ".join(parts)

    def passed(self, one: dict[str, Any]) -> str:
        if one["lapsed"]:
            why = ", ".join(self.move(m) for m in one["moves"] if m["too_far"])
            why = " ".join(part for part in (why, one["quarter"]) if part)
        else:
            why = self.say(N_("cannot be checked: no newer figures"))
        return f"{self.project(one['decision'])} · {why}"

    def move(self, one: dict[str, Any]) -> str:
        figures = self.figures()
        if one["name"] == "ratio":
            then, now = figures.percent(one["then"]), figures.percent(one["now"])
            return f"{one['label']} {then} → {now}"
        then, now = figures.money(one["then"]), figures.money(one["now"])
        return f"{one['label']} {then} → {now} ({figures.money_unit})"

    def back(self, one: dict[str, Any]) -> str:
        since = self.say(N_("not before {quarter}"), quarter=one["earliest"])
        return f"{self.project(one)} · {since}"

    def override(self, one: dict[str, Any]) -> str:
        parts = (
            self.project(one["decision"]),
            f"{one['before_label']} → {one['decision']['outcome_label']}",
            one["ground_label"],
            f"{one['by']} {one['date']}",
            one["reason"],
            ", ".join(one["lifted"]),
        )
        return " · ".join(part for part in parts if part)

    def forecast(self, one: dict[str, Any]) -> str:
        figures = self.figures(one["line"])
        parts = [
            self.project(one["decision"]),
            one["quarter"],
            self.say(
                N_("outlook without {without}, with {with_project}"),
                without=figures.percent(one["without"]),
                with_project=figures.percent(one["with_project"]),
            ),
        ]
        if one["actual"] is None:
            parts.append(self.say(N_("no figures to compare with")))
        else:
            parts.append(
                self.say(
                    N_("actual {actual} ({without} and {with_project} points)"),
                    actual=figures.percent(one["actual"]),
                    without=figures.points(one["miss_without"]),
                    with_project=figures.points(one["miss_with"]),
                )
            )
        parts.append(self.crossing(one, figures))
        return " · ".join(part for part in parts if part)

    def crossing(self, one: dict[str, Any], figures: Figures) -> str:
        if one["crossed"] is None:
            return ""
        line = figures.percent(one["line"], 0)
        if one["crossed"]:
            return self.say(
                N_("line {line} reached in {quarter}"), line=line, quarter=one["crossed_in"]
            )
        return self.say(N_("line {line} not reached"), line=line)

    def figures(self, line: float | None = None) -> Figures:
        return Figures(self.lang, choose_size(0.0), () if line is None else (line,))

"""The ranking for the command line: who could be built up first, as table or JSON."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from debtwatch.errors import DataProblem
from debtwatch.language import N_, Language, language
from debtwatch.panel.panel import Panel, build_panel
from debtwatch.panel.period import quarter_text
from debtwatch.panel.store import open_store
from debtwatch.reporting.figures import Figures
from debtwatch.rules.capacity import CAPACITY, Basis, choose_basis, history_inputs
from debtwatch.rules.rulebook import choose, load_rulebooks
from debtwatch.screening.governments import read_governments
from debtwatch.screening.population import Population, census_populations
from debtwatch.screening.rank import (
    LEVEL_NAMES,
    QUOTA,
    RESTRUCTURING,
    TIERS,
    Ranked,
    RankingModel,
    Standing,
    rank_governments,
    ranking_model,
)
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.settings import outlook_settings


def rank_store(
    store: Path,
    *,
    as_of: dt.date,
    quarter: int | None = None,
    level: str = "county",
    weights: Path | None = None,
    population: Path | None = None,
    governments: Path | None = None,
    lang: str = "zh",
) -> dict[str, Any]:
    """Rank the governments of a store.

    Parameters
    ----------
    store : Path
    as_of : date
        Nothing published after this day is seen.
    quarter : int, optional
        Ordinal of the quarter of the accounts; by default the latest in which at least half of the
        governments that ever report a debt ratio report one.
    level : str
        Level of government that is ranked.
    weights : Path, optional
        Criteria and weights instead of ``models/ranking.toml``, or weights alone.
    population : Path, optional
        Census file for governments whose accounts tell no population trend.
    governments : Path, optional
        Facts that no account holds, such as a restructuring plan.
    lang : {"zh", "en"}

    Returns
    -------
    dict
        Ready for JSON; missing numbers are None.

    Raises
    ------
    DataProblem
        When a file cannot be used, or the level has too few governments.
    ModelProblem
        When the weights cannot be used.
    """
    model = ranking_model(weights)
    census = None if population is None else census_populations(population)
    facts = None if governments is None else read_governments(governments)
    with open_store(store) as opened:
        panel = build_panel(opened.known_on(as_of))
    basis = choose_basis(panel)
    origin = quarter if quarter is not None else _latest(panel, basis, level)
    books = load_rulebooks()
    outlook = central_outlook(
        panel, basis, origin, inflation=outlook_settings().calibration.inflation
    )
    ranked = rank_governments(
        panel, origin, basis=basis, outlook=outlook, rulebooks=books, model=model, level=level,
        census=census, facts=facts,
    )  # fmt: skip
    words = language(lang)
    in_force = [
        book for f in (TIERS, QUOTA, RESTRUCTURING) if (book := choose(books, f, origin)[0])
    ]
    return {
        "as_of": as_of.isoformat(),
        "quarter": quarter_text(origin),
        "level": level,
        "count": len(ranked),
        "fewest": model.fewest,
        "weights_file": model.path,
        "weights_sha256": model.sha256,
        "weights_are": words.text(N_("Criteria, weights and gates are ours, not an authority's.")),
        "rulebooks": [book.reference for book in in_force],
        "groups": {key: words.pick(g.zh, g.en) for key, g in model.groups.items()},
        "criteria": _criteria(model, ranked, words),
        "ranked": [_row(r, words) for r in ranked if r.place is not None],
        "not_now": [_apart(r, r.barred, words) for r in ranked if r.barred],
        "unclear": [_apart(r, r.unclear, words) for r in ranked if r.unclear],
    }


def _latest(panel: Panel, basis: Basis, level: str) -> int:
    """Latest quarter whose debt ratio at least half of the reporting governments know."""
    inputs = history_inputs(panel, basis)
    shape = (len(panel.units), panel.quarters)
    of_level = np.asarray(panel.units["level"] == level)
    known = np.logical_and(
        *(np.isfinite(np.broadcast_to(inputs.get(name, np.nan), shape))
          for name in ("debt_balance", CAPACITY))
    )[of_level]  # fmt: skip
    reporting = known.any(axis=1).sum()
    columns = np.flatnonzero(known.sum(axis=0) >= max(1, reporting / 2))
    if not len(columns):
        raise DataProblem(
            N_("No government at “{level}” has a debt ratio as known on {as_of}."),
            level=lambda translate: translate(LEVEL_NAMES.get(level, level)),
            as_of=panel.as_of.isoformat(),
        )
    return panel.first_quarter + int(columns[-1])


def _criteria(
    model: RankingModel, ranked: Sequence[Ranked], words: Language
) -> list[dict[str, Any]]:
    shares = model.shares
    return [
        {
            "id": c.id,
            "group": c.group,
            "label": words.pick(c.label.zh, c.label.en),
            "formula": c.formula,
            "unit": c.unit,
            "better": c.better,
            "weight": model.weights[c.id],
            "share": shares[c.id],
            "reported_by": sum(r.standings[k].value is not None for r in ranked),
            "ranked_for": sum(r.standings[k].percentile is not None for r in ranked),
            "source": words.pick(c.source.zh, c.source.en),
        }
        for k, c in enumerate(model.criterion)
    ]


def _row(ranked: Ranked, words: Language) -> dict[str, Any]:
    return {
        "place": ranked.place,
        "unit": ranked.unit,
        "name": ranked.name,
        "level": words.pick(ranked.level.zh, ranked.level.en),
        "score": {"low": ranked.low, "high": ranked.high},
        "missing": [c.id for c in ranked.missing],
        "criteria": [_standing(s) for s in ranked.standings],
        "population": _population(ranked.population),
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "id": standing.criterion.id,
        "value": standing.value,
        "percentile": standing.percentile,
        "weight": standing.share,
        "contribution": {"low": standing.low, "high": standing.high},
    }


def _population(one: Population | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "residents": one.resident,
        "year": one.resident_year,
        "earlier_year": one.earlier_year,
        "growth": one.growth,
        "seat_growth": one.seat_growth,
        "net_out": one.net_out,
        "losing": one.losing,
        "severe": one.severe,
        "basis": one.basis,
        "boundaries_adjusted": one.boundaries_adjusted or one.source == "accounts",
        "source": one.source,
    }


def _apart(ranked: Ranked, reasons: Sequence[Any], words: Language) -> dict[str, Any]:
    row = _row(ranked, words)
    return {
        **{key: row[key] for key in ("unit", "name", "level", "criteria", "population")},
        "reasons": [reason.say(words) for reason in reasons],
    }


# -- text ----------------------------------------------------------------------------------------


def rank_text(answer: Mapping[str, Any], lang: str) -> str:
    """Write an answer as tables: the ranking, those not to be built up now, the criteria."""
    words = language(lang)
    figures = Figures(lang, "small")
    title = words.text(N_("{count} governments, {level} · {quarter} · as known on {as_of}")).format(
        **{**answer, "level": words.text(LEVEL_NAMES.get(answer["level"], answer["level"]))}
    )
    lines = [title, answer["weights_are"], ""]
    lines += _ranking_lines(answer, figures, words)
    for key, heading in (
        ("not_now", N_("Not to be built up now")),
        ("unclear", N_("Not ranked: what is missing decides whether they may be built up")),
    ):
        if answer[key]:
            lines += ["", words.text(heading)]
            lines += [f"  {r['unit']} {r['name']}  {' '.join(r['reasons'])}" for r in answer[key]]
    lines += ["", words.text(N_("Criteria")), *_criterion_lines(answer, figures, words)]
    return "\n".join(lines)


def _ranking_lines(answer: Mapping[str, Any], figures: Figures, words: Language) -> list[str]:
    heads = [N_("rank"), N_("code"), N_("name"), N_("score"), N_("level")]
    table = [[*(words.text(h) for h in heads), *answer["groups"].values(),
              words.text(N_("remarks"))]]  # fmt: skip
    for row in answer["ranked"]:
        sums = [_group_sum(answer, row, key) for key in answer["groups"]]
        table.append([
            str(row["place"]), row["unit"], row["name"],
            _range(row["score"]["low"], row["score"]["high"], figures), row["level"],
            *(_range(low, high, figures) for low, high in sums), _remarks(answer, row, words),
        ])  # fmt: skip
    lines = _aligned(table)
    unreported = [c["label"] for c in answer["criteria"] if not c["ranked_for"] and c["share"] > 0]
    if unreported:
        text = N_("Too few report this, which widens every score: {criteria}.")
        lines += ["", words.text(text).format(criteria=_joined(unreported, words))]
    return lines


def _group_sum(
    answer: Mapping[str, Any], row: Mapping[str, Any], group: str
) -> tuple[float, float]:
    own = {c["id"] for c in answer["criteria"] if c["group"] == group}
    ends = [c["contribution"] for c in row["criteria"] if c["id"] in own]
    return sum(e["low"] for e in ends), sum(e["high"] for e in ends)


def _remarks(answer: Mapping[str, Any], row: Mapping[str, Any], words: Language) -> str:
    """Say what a government lacks that others have, and that it loses people."""
    label_of = {c["id"]: c["label"] for c in answer["criteria"] if c["ranked_for"]}
    lacking = [label_of[m] for m in row["missing"] if m in label_of]
    remarks = []
    people = row["population"]
    if people is not None and people["losing"]:
        remarks.append(
            words.text(N_("loses people"))
            if people["boundaries_adjusted"]
            else words.text(N_("loses people (boundaries not adjusted)"))
        )
    if lacking:
        text = words.text(N_("missing: {criteria}"))
        remarks.append(text.format(criteria=_joined(lacking, words)))
    return ("；" if words.code == "zh" else "; ").join(remarks)


def _joined(labels: Sequence[str], words: Language) -> str:
    return ("、" if words.code == "zh" else ", ").join(labels)


def _range(low: float, high: float, figures: Figures) -> str:
    """Points of 100, as a range when its ends differ."""
    ends = [figures.decimal(100 * end, 1) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _criterion_lines(answer: Mapping[str, Any], figures: Figures, words: Language) -> list[str]:
    reported = words.text(N_("reported by {count}"))
    table = [
        ["", answer["groups"][c["group"]], c["label"], figures.percent(c["share"]), c["formula"],
         reported.format(count=c["reported_by"]), c["source"]]
        for c in answer["criteria"]
    ]  # fmt: skip
    return _aligned(table)


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width on a terminal, where Chinese characters take two cells."""
    widths = [max(_cells(row[k]) for row in table) for k in range(len(table[0]))]
    return [
        "  ".join(cell + " " * (w - _cells(cell)) for cell, w in zip(row, widths, strict=True))
        .rstrip()
        for row in table
    ]  # fmt: skip


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

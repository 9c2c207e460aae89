"""Explain one government's findings on the command line: the same figures as on its page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from debtwatch.errors import DataProblem
from debtwatch.language import N_, Language, language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.store import open_store
from debtwatch.reporting.context import IndicatorCard, InputRow
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.study import run_study
from debtwatch.reporting.unit_page import UnitPages
from debtwatch.rules.rulebook import load_rulebooks


def explain_unit(
    store: Path,
    unit: str,
    quarter: int,
    *,
    as_of: dt.date,
    rulebooks: Sequence[str] = (),
    lang: str = "zh",
) -> str:
    """Write the computation tree of every finding of one government.

    Parameters
    ----------
    store : Path
    unit : str
        Code of the government.
    quarter : int
        Ordinal of the quarter.
    as_of : date
    rulebooks : sequence of str
        Rulebooks beyond the default ones, or versions to pin.
    lang : {"zh", "en"}

    Returns
    -------
    str
        Indicator, formula with its numbers, each input with its vintage and place, the band edge
        that decided, the clause.

    Raises
    ------
    DataProblem
        When the store does not know the government, or has no figures for the quarter.
    """
    with open_store(store) as opened:
        known = opened.known_on(as_of)
    panel = build_panel(known)  # the findings need no fan: a few paths do
    study = run_study(panel, quarter, rulebooks=load_rulebooks(), asked=rulebooks, paths=100)
    codes = [str(code) for code in study.panel.units.index]
    if unit not in codes:
        raise DataProblem(
            N_("The store knows no government “{unit}” on {as_of}."),
            unit=unit,
            as_of=as_of.isoformat(),
        )
    row = codes.index(unit)
    pages = UnitPages(study, language(lang), {})
    levels = [(study.levels(study.column)[row], study.levels(study.before)[row], "")]
    page = pages.pages([row], levels)[0]
    lines = [f"{page.name} {page.unit}", ""]
    for card in page.indicators:
        lines += [*_card_lines(card, language(lang), pages.figures), ""]
    return "\n".join(lines).rstrip()


def _card_lines(card: IndicatorCard, words: Language, figures: Figures) -> list[str]:
    band = card.band or words.text(N_("No data"))
    edge = f"  [{card.edge}]" if card.edge else ""
    lines = [
        f"{card.label}: {figures.percent(card.value, 2)} -> {band}{edge}",
        f"├─ {card.text}",
        f"├─ {card.formula} = {card.put_in} ({figures.money_unit})",
    ]
    lines += [f"├─ {reason}" for reason in card.why_missing]
    lines += [f"│  ├─ {_input_line(x, words, figures)}" for x in card.inputs]
    lines.append(f"└─ {card.rulebook}: {'; '.join(card.sources)}")
    return lines


def _input_line(row: InputRow, words: Language, figures: Figures) -> str:
    marks = [
        words.text(text)
        for text, present in (
            (N_("implied, estimated"), row.implied),
            (N_("estimated"), row.estimated and not row.implied),
            (N_("not in these accounts"), row.absent),
        )
        if present
    ]
    parts = [f"{row.label} {figures.money(row.value)}", *marks, row.status, row.known_from]
    return " · ".join(part for part in (*parts, "; ".join(row.places)) if part)

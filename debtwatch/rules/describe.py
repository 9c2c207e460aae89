"""A rulebook as an official would read it, in Chinese or English, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from debtwatch.errors import RulebookProblem
from debtwatch.language import N_, Language
from debtwatch.rules.rulebook import Band, Bilingual, Indicator, Rulebook

STATUS_WORDS = {
    "official": N_("official"),
    "practice": N_("practice"),
    "reference": N_("reference"),
    "project_default": N_("default of this tool"),
}
_CONFIDENCE = {"high": N_("high"), "medium": N_("medium"), "low": N_("low")}


def find(rulebooks: Sequence[Rulebook], asked: str) -> list[Rulebook]:
    """Rulebooks of an id, a family (all its versions) or a family@version.

    Raises
    ------
    RulebookProblem
        When nothing has that name.
    """
    found = [r for r in rulebooks if asked in {r.id, r.reference}]
    found = found or [r for r in rulebooks if r.family == asked]
    if not found:
        known = ", ".join(sorted({r.reference for r in rulebooks}))
        raise RulebookProblem(
            N_("There is no rulebook “{asked}”. Known: {known}."), asked=asked, known=known
        )
    return found


def describe(book: Rulebook, words: Language, heading: str = "#") -> str:
    """Write a rulebook out.

    Parameters
    ----------
    book : Rulebook
    words : Language
    heading : str
        Mark of the highest heading.

    Returns
    -------
    str
        Markdown: what it is, whom it binds, indicators with their bands, rules in order, outcomes
        and consequences, sources, number of worked examples.
    """
    _ = words.text

    def pick(text: Bilingual | None) -> str:
        return "" if text is None else words.pick(text.zh, text.en)

    # Named here: texts inside f-strings are not found by the extraction.
    titles = {
        text: _(text)
        for text in (N_("confidence"), N_("Not enabled"), N_("Indicators"),
                     N_("Rules, first hit decides"), N_("Outcomes"), N_("Sources"))
    }  # fmt: skip
    dates = f"{book.effective_from}–{book.effective_to or ''}"
    periods = f"{book.applies_from or book.effective_from}–{book.applies_to or ''}"
    facts = [
        (_("Rulebook"), f"{book.reference} ({book.id})"),
        (_("Jurisdiction and levels"), f"{book.jurisdiction}: {', '.join(book.levels)}"),
        (_("Authority"), pick(book.authority)),
        (_("In force"), dates),
        (_("Accounting periods"), periods),
        (_("Status"), f"{_(STATUS_WORDS[book.status])}; {titles['confidence']} "
                      f"{_(_CONFIDENCE[book.confidence])}"),
    ]  # fmt: skip
    lines = [f"{heading} {pick(book.title)}", ""]
    if not book.enabled:
        lines += [f"**{titles['Not enabled']}**: {pick(book.disabled_because)}", ""]
    lines += [f"* {name}: {value}" for name, value in facts]
    lines += ["", f"{heading}# {titles['Indicators']}", ""]
    for indicator in book.indicator:
        lines += _indicator_lines(indicator, words)
    lines += ["", f"{heading}# {titles['Rules, first hit decides']}", ""]
    outcomes = {o.id: pick(o.label) for o in book.outcome}
    lines += [f"{k}. `{r.when}` → {outcomes.get(r.outcome, r.outcome)}"
              for k, r in enumerate(book.rule, start=1)]  # fmt: skip
    lines += ["", f"{heading}# {titles['Outcomes']}", ""]
    lines += [f"* {pick(o.label)} ({o.severity}): {pick(o.consequence)}" for o in book.outcome]
    lines += ["", f"{heading}# {titles['Sources']}", ""]
    lines += [f"* {pick(source)}" for source in book.legal_source]
    lines += [f"\n{pick(n)}" for n in (book.note, book.confidence_note) if n is not None]
    lines += ["", _("{n} worked examples").format(n=len(book.case)), ""]
    return "\n".join(lines)


def _indicator_lines(indicator: Indicator, words: Language) -> list[str]:
    label = words.pick(indicator.label.zh, indicator.label.en)
    text = words.pick(indicator.text.zh, indicator.text.en)
    bands = "; ".join(_band_words(band, words) for band in indicator.bands)
    return [f"* **{label}** = {text}", f"  `{indicator.id} = {indicator.formula}`", f"  {bands}"]


def _band_words(band: Band, words: Language) -> str:
    name = words.pick(band.label.zh, band.label.en) if band.label else band.band
    signs = (("≥", band.ge), (">", band.gt), ("≤", band.le), ("<", band.lt), ("=", band.eq))
    edges = " ".join(f"{sign} {edge:g}" for sign, edge in signs if edge is not None)
    return f"{name}: {edges}" if edges else name

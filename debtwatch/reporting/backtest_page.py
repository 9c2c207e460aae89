"""The back-test of the outlook from store to page: as-known origins, numbers, words, folder."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

import debtwatch
from debtwatch.errors import DataProblem
from debtwatch.language import N_, Language, language
from debtwatch.panel.fields import field_named
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import parse_period, quarter_end, quarter_text
from debtwatch.panel.store import Known, Store, open_store
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.render import refuse_foreign_backtest, write_backtest
from debtwatch.rules.capacity import CAPACITY
from debtwatch.rules.rulebook import Rulebook, choose, load_rulebooks
from debtwatch.sustainability.backtest import (
    FEWEST_CASES,
    TOLERANCE_80,
    Backtest,
    Band,
    LineScore,
    Origin,
    Score,
    backtest,
    headline_of,
)
from debtwatch.sustainability.draws import Method
from debtwatch.sustainability.settings import outlook_settings

#: An origin's figures count as published once this share of those known today was known.
PUBLISHED = 0.9
LONGEST = 40
#: Coverage of the other bands is called off beyond these distances (ours).
OFF = {0.5: 0.10, 0.9: 0.05}
#: A forecast is off centre when a share further than this from one half lies above the median.
OFF_CENTRE = 0.15
FEW_ORIGINS = 10


@dataclass(frozen=True)
class AsKnown:
    """What was known at an origin.

    Attributes
    ----------
    quarter : int
    day : date
        When the quarter's own figures were published.
    vintages : bool
        Whether the store holds what was known then. If not, it first learnt these figures together
        with later ones: those are left out.
    known : Known
    """

    quarter: int
    day: dt.date
    vintages: bool
    known: Known


def backtest_store(
    store: Path,
    origins: Sequence[str],
    *,
    as_of: dt.date,
    horizons: str = "4,8,12",
    paths: int = 2000,
    rulebook: str = "cn-debt-tiers",
    method: Method = "auto",
    seed: int = 20260930,
    out: Path | None = None,
    lang: str = "zh",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Judge the outlook of a store at past origins.

    Parameters
    ----------
    store : Path
    origins : sequence of str
        Quarters, lists ``2020Q4,2021Q4`` and spans ``2018Q4..2023Q4``.
    as_of : date
        Nothing published after this day is used, not even as an outcome.
    horizons : str
        Quarters ahead, separated by commas.
    paths : int
    rulebook : str
        Its headline indicator is judged beside the totals.
    method : {"auto", "bootstrap", "normal", "student"}
    seed : int
    out : Path, optional
        Folder for the page, ``metrics.json`` and ``manifest.json``.
    lang : {"zh", "en"}
    progress : callable, optional
        Told origins done and origins in all.

    Returns
    -------
    dict
        Ready for JSON; missing numbers are None.

    Raises
    ------
    DataProblem
        When an option cannot be read, or no origin can be judged.
    ModelProblem
        When the folder holds something else.
    """
    asked, ahead = parse_origins(origins), parse_horizons(horizons)
    if out is not None:
        refuse_foreign_backtest(out)
    book = _rulebook(rulebook, asked[-1])
    with open_store(store) as opened:
        final = opened.known_on(as_of)
        usable, skipped = _usable(final, asked, ahead)
        known: list[AsKnown] = []
        result = backtest(
            _panels(opened, final, usable, known), build_panel(final), book,
            horizons=ahead, paths=paths, seed=seed, method=method,
            inflation=outlook_settings().calibration.inflation,
            progress=None if progress is None else lambda done: progress(done, len(usable)),
        )  # fmt: skip
    if not result.scores:
        raise DataProblem(
            N_("No forecast can be judged: no government has figures at an origin of {origins} and "
               "an outcome {horizons} quarters later that allow an outlook."),
            origins=", ".join(map(quarter_text, usable)), horizons=", ".join(map(str, ahead)),
        )  # fmt: skip
    words = language(lang)
    answer = {
        "as_of": as_of.isoformat(),
        "rulebook": book.reference,
        "headline": headline_of(book).id,
        "horizons": ahead,
        "paths": paths,
        "seed": seed,
        "method": method,
        **_result(result, book, words),
        "origins": _origins(result, known),
        "skipped": skipped,
        "calibration": _calibration(result, words),
        "synthetic": final.synthetic,
        "sources": _sources(final),
    }
    if out is not None:
        page = {**answer, "words": findings(answer, words), "version": debtwatch.__version__}
        write_backtest(page, answer, {book.reference: book.sha256}, out, lang=lang)
    return answer


# -- options ---------------------------------------------------------------------------------------


def parse_origins(texts: Sequence[str]) -> list[int]:
    """Read origins: quarters, years (their fourth quarter), lists and spans in yearly steps.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    list of int
        Ordinals of quarters, each once, in order of time.

    Raises
    ------
    DataProblem

    Examples
    --------
    >>> [quarter_text(q) for q in parse_origins(["2018Q4..2020Q4", "2022,2021Q1"])]
    ['2018Q4', '2019Q4', '2020Q4', '2021Q1', '2022Q4']
    """
    found: set[int] = set()
    for text in texts:
        parts = [part for part in re.split(r"[,，、;；\s]+", text.strip()) if part]
        for part in parts:
            first, dots, last = part.partition("..")
            start = _origin(first, text)
            found.update(_span(start, _origin(last, text), part) if dots else [start])
    if not found:
        raise DataProblem(N_("--origins names no quarter; write 2020Q4 or 2018Q4..2023Q4."))
    return sorted(found)


def _origin(part: str, text: str) -> int:
    period = parse_period(part)
    if period is None or period.kind not in {"quarter", "year"}:
        raise DataProblem(
            N_("--origins {text}: “{part}” is not a quarter; write 2020Q4, a list 2020Q4,2021Q4 or "
               "a span 2018Q4..2023Q4."),
            text=text, part=part,
        )  # fmt: skip
    return period.quarter


def _span(first: int, last: int, part: str) -> range:
    if last < first or (last - first) % 4:
        raise DataProblem(
            N_("--origins: the span {part} must run forward between the same quarters of two "
               "years, such as 2018Q4..2023Q4."),
            part=part,
        )  # fmt: skip
    return range(first, last + 1, 4)


def parse_horizons(text: str) -> list[int]:
    """Read quarters ahead.

    Raises
    ------
    DataProblem

    Examples
    --------
    >>> parse_horizons("8, 4")
    [4, 8]
    """
    parts = [part for part in re.split(r"[,，、;；\s]+", text.strip()) if part]
    if not parts or not all(re.fullmatch(r"\d{1,3}", p) and 1 <= int(p) <= LONGEST for p in parts):
        raise DataProblem(
            N_("--horizons {text}: give whole quarters from 1 to {longest}, such as 4,8,12."),
            text=text, longest=LONGEST,
        )  # fmt: skip
    return sorted({int(part) for part in parts})


def _rulebook(asked: str, quarter: int) -> Rulebook:
    """Version of a rulebook for a quarter; the earliest where none applies yet."""
    books = load_rulebooks()
    book, _ = choose(books, asked, quarter)
    if book is None:
        family = [b for b in books if asked in {b.family, b.id}]
        book = min(family, key=lambda b: b.effective_from)
    return book


# -- what was known --------------------------------------------------------------------------------


def _usable(
    final: Known, asked: Sequence[int], horizons: Sequence[int]
) -> tuple[list[int], list[dict[str, Any]]]:
    """Origins with figures and with a later quarter to be judged by; the others with a reason."""
    held = set(map(int, _accounts(final.observations)["quarter"].unique()))
    usable, skipped = [], []
    for quarter in asked:
        if quarter not in held:
            skipped.append({"quarter": quarter_text(quarter), "reason": "no_figures"})
        elif not held & {quarter + h for h in horizons}:
            skipped.append({"quarter": quarter_text(quarter), "reason": "no_outcome"})
        else:
            usable.append(quarter)
    if not held:
        raise DataProblem(
            N_("Nothing in the store was known on {as_of}. Give a later day with --as-of."),
            as_of=final.as_of.isoformat(),
        )
    if not usable:
        raise DataProblem(
            N_("No origin can be judged: {origins} have no figures, or none {horizons} quarters "
               "later. As known on {as_of}, the store covers {first} to {last}."),
            origins=", ".join(map(quarter_text, asked)), horizons=", ".join(map(str, horizons)),
            as_of=final.as_of.isoformat(),
            first=quarter_text(min(held)), last=quarter_text(max(held)),
        )  # fmt: skip
    return usable, skipped


def _panels(
    store: Store, final: Known, origins: Iterable[int], seen: list[AsKnown]
) -> Iterator[Origin]:
    """Build the panel of each origin, one at a time; what was known is noted in ``seen``."""
    for quarter in origins:
        found = as_known(store, final, quarter)
        seen.append(found)
        yield Origin(quarter, build_panel(found.known))


def as_known(store: Store, final: Known, quarter: int) -> AsKnown:
    """Find what was known once an origin's own figures had been published.

    The day is the first one on which 90 % of the quarter's figures that are known today were known
    in some vintage, budgets apart. Where figures of a whole year later were known on it too, the
    store has no vintage of the time: then only figures up to the origin are used, and no bond list.

    Parameters
    ----------
    store : Store
    final : Known
        What is known today.
    quarter : int
        Ordinal of the origin; figures of it are known.

    Returns
    -------
    AsKnown
    """
    earliest = quarter_end(quarter)
    figures = _figures_of(final, quarter)
    needed = max(math.ceil(PUBLISHED * len(figures)), 1)
    day = _day_of(figures, needed)
    # A revision hides when a figure was first known: look before it, as long as enough was known.
    while day > earliest:
        before = _figures_of(store.known_on(day - dt.timedelta(days=1)), quarter)
        if len(before) < needed:
            break
        day = _day_of(before, needed)
    day = max(day, earliest)
    known = store.known_on(day)
    if not (_accounts(known.observations)["quarter"] >= quarter + 4).any():
        return AsKnown(quarter, day, vintages=True, known=known)
    early = known.observations[known.observations["quarter"] <= quarter].reset_index(drop=True)
    return AsKnown(
        quarter, day, vintages=False,
        known=replace(known, as_of=earliest, observations=early, bonds=known.bonds.iloc[:0]),
    )  # fmt: skip


def _accounts(observations: pd.DataFrame) -> pd.DataFrame:
    """Figures of accounts, without budgets."""
    return observations[observations["status"] != "budget"]


def _figures_of(known: Known, quarter: int) -> pd.DataFrame:
    figures = _accounts(known.observations)
    return figures[figures["quarter"] == quarter]


def _day_of(figures: pd.DataFrame, needed: int) -> dt.date:
    """Day by which so many figures were known."""
    days = figures["known_from"].sort_values()
    return pd.Timestamp(days.iloc[needed - 1]).date()


# -- numbers ---------------------------------------------------------------------------------------


def _result(result: Backtest, book: Rulebook, words: Language) -> dict[str, Any]:
    return {
        "clusters": "province" if result.by_province else "government",
        "scores": [_score(score, book, words) for score in result.scores],
        "lines": [_line(line, book, words) for line in result.lines],
    }


def _score(score: Score, book: Rulebook, words: Language) -> dict[str, Any]:
    return {
        "target": score.target,
        "label": _label(score.target, book, words),
        "horizon": score.horizon,
        "cases": score.cases,
        "origins": score.origins,
        "held": score.held,
        "bands": [_band(band) for band in score.bands],
        "above_median": _plain(score.above),
        "pit": [_plain(share) for share in score.pit],
        "pit_p": _plain(score.pit_p),
        "crps": _plain(score.crps),
        "crps_walk": _plain(score.crps_walk),
        "crps_climate": _plain(score.crps_climate),
        "skill": _plain(score.skill),
        "wins": _plain(score.wins),
        "inflation_asked": _plain(score.inflation),
        "widened": None if score.widened is None else _band(score.widened),
        "widened_by": _plain(score.widened_by),
    }


def _band(band: Band) -> dict[str, float | None]:
    return {
        "level": band.level,
        "covered": _plain(band.covered),
        "low": _plain(band.low),
        "high": _plain(band.high),
    }


def _line(line: LineScore, book: Rulebook, words: Language) -> dict[str, Any]:
    return {
        "indicator": line.indicator,
        "label": _label(line.indicator, book, words),
        "line": line.line,
        "inclusive": line.inclusive,
        "horizon": line.horizon,
        "cases": line.cases,
        "events": line.events,
        "said": _plain(line.said),
        "brier": _plain(line.brier),
        "brier_base": _plain(line.base),
        "brier_stay": _plain(line.stay),
    }


def _label(target: str, book: Rulebook, words: Language) -> str:
    headline = headline_of(book)
    if target == headline.id:
        return words.pick(headline.label.zh, headline.label.en)
    if target == CAPACITY:
        return words.text(N_("Comprehensive fiscal capacity"))
    item = field_named(target)
    return words.pick(item.zh, item.en)


def _origins(result: Backtest, known: Sequence[AsKnown]) -> list[dict[str, Any]]:
    return [
        {
            "quarter": quarter_text(run.quarter),
            "known_on": at.day.isoformat(),
            "vintages": at.vintages,
            "governments": run.governments,
            "method": run.method,
            "step": run.step,
        }
        for run, at in zip(result.runs, known, strict=True)
    ]


def _calibration(result: Backtest, words: Language) -> dict[str, Any]:
    """Put what the outlook applies now beside what these origins ask for beyond it."""
    applied = outlook_settings().calibration
    return {
        "inflation": applied.inflation,
        "drift_inflation": applied.drift_inflation,
        "measured": words.pick(applied.measured.zh, applied.measured.en),
        "inflation_asked": result.inflation,
    }


def _sources(known: Known) -> list[dict[str, Any]]:
    return [
        {"file": str(i.file), "sha256": str(i.sha256), "synthetic": bool(i.synthetic)}
        for i in known.imports.itertuples(index=False)
    ]


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# -- words -----------------------------------------------------------------------------------------


def findings(answer: dict[str, Any], words: Language) -> dict[str, list[str]]:
    """Say what the numbers mean: whether the bands held, where not, and what would mend it.

    Parameters
    ----------
    answer : dict
        Of :func:`backtest_store`.
    words : Language

    Returns
    -------
    dict
        ``bands``: sentences on the bands; ``rivals``: on simpler forecasts; ``limits``: what the
        numbers cannot show.
    """
    said = _Said(answer, words)
    return {"bands": said.bands(), "rivals": said.rivals(), "limits": said.limits()}


@dataclass(frozen=True)
class _Said:
    answer: dict[str, Any]
    words: Language

    @property
    def scores(self) -> list[dict[str, Any]]:
        scores: list[dict[str, Any]] = self.answer["scores"]
        return scores

    def text(self, message: str, **values: object) -> str:
        return self.words.text(message).format(**values)

    def percent(self, share: float | None, digits: int = 1) -> str:
        return Figures(self.words.code, "large").percent(share, digits)

    def names(self, scores: Iterable[dict[str, Any]]) -> str:
        """Quantities with their horizons, one mention for each quantity."""
        horizons: dict[str, list[str]] = {}
        for score in scores:
            horizons.setdefault(score["label"], []).append(str(score["horizon"]))
        return self.words.text(N_("; ")).join(
            score_name({"label": label, "horizon": "/".join(found)}, self.words)
            for label, found in horizons.items()
        )

    def bands(self) -> list[str]:
        low, high = TOLERANCE_80
        held = sum(s["held"] == "held" for s in self.scores)
        found = [self.text(
            N_("The 80 % band held in {held} of {all} cases (quantity and horizon): it covered "
               "{low} to {high} of what happened."),
            held=held, all=len(self.scores), low=self.percent(low, 0),
            high=self.percent(high, 0),
        )]  # fmt: skip
        found += [self.missed(s) for s in self.scores if s["held"] != "held"]
        found += self.off_centre()
        for level, distance in OFF.items():
            off = [s for s in self.scores if abs(_covered(s, level) - level) > distance]
            if off:
                found.append(self.text(
                    N_("The {level} band is off by more than {distance} points for: {names}."),
                    level=self.percent(level, 0), distance=round(100 * distance),
                    names=self.names(off),
                ))  # fmt: skip
        return [*found, self.factor()]

    def missed(self, score: dict[str, Any]) -> str:
        band = next(b for b in score["bands"] if b["level"] == 0.8)
        message = (
            N_("Too narrow: {name}. The 80 % band covered {covered} ({low} to {high}); half-widths "
               "times {factor} would have covered 80 %.")
            if score["held"] == "narrow"
            else N_("Too wide: {name}. The 80 % band covered {covered} ({low} to {high}).")
        )  # fmt: skip
        return self.text(
            message, name=score_name(score, self.words),
            factor=f"{score['inflation_asked']:.2f}",
            **{key: self.percent(band[key]) for key in ("covered", "low", "high")},
        )  # fmt: skip

    def off_centre(self) -> list[str]:
        below = [s for s in self.scores if s["above_median"] > 0.5 + OFF_CENTRE]
        above = [s for s in self.scores if s["above_median"] < 0.5 - OFF_CENTRE]
        share = self.percent(0.5 + OFF_CENTRE, 0)
        found = []
        if below:
            found.append(self.text(
                N_("Forecasts were too low, more than {share} of outcomes lay above the median: "
                   "{names}. A wider band hides that and does not mend it."),
                share=share, names=self.names(below),
            ))  # fmt: skip
        if above:
            found.append(self.text(
                N_("Forecasts were too high, more than {share} of outcomes lay below the median: "
                   "{names}. A wider band hides that and does not mend it."),
                share=share, names=self.names(above),
            ))  # fmt: skip
        return found

    def factor(self) -> str:
        calibration = self.answer["calibration"]
        return self.text(
            N_("The 80 % bands of {name} ask for half-widths times {asked} at the horizon that "
               "needs most. The outlook now multiplies the spread of every shock by {inflation} "
               "and the error of the pool's mean by {drift}; the forecasts judged here include "
               "both."),
            name=self.scores[0]["label"],
            asked=f"{calibration['inflation_asked']:.2f}",
            inflation=f"{calibration['inflation']:.2f}",
            drift=f"{calibration['drift_inflation']:.2f}",
        )  # fmt: skip

    def rivals(self) -> list[str]:
        worse = [s for s in self.scores if s["crps"] >= s["crps_walk"]]
        behind = [s for s in self.scores if s["crps"] >= s["crps_climate"]]
        everything = len(self.scores)
        found = [self.text(
            N_("The mean CRPS was better than that of a random walk with drift in {walk} of {all} "
               "cases, and better than climatology in {climate}."),
            walk=everything - len(worse), climate=everything - len(behind), all=everything,
        )]  # fmt: skip
        mostly = [s for s in self.scores if s["wins"] <= 0.5]
        if worse:
            found.append(self.text(N_("Not better than the random walk: {names}."),
                                   names=self.names(worse)))  # fmt: skip
        if mostly:
            found.append(self.text(N_("In half of the governments or more the random walk did no "
                                      "worse: {names}."), names=self.names(mostly)))  # fmt: skip
        if behind:
            found.append(self.text(N_("Not better than climatology: {names}."),
                                   names=self.names(behind)))  # fmt: skip
        return found

    def limits(self) -> list[str]:
        answer = self.answer
        found = [skipped_text(s, answer["horizons"], self.words) for s in answer["skipped"]]
        found += self.late()
        few = [s for s in self.scores if s["cases"] < FEWEST_CASES]
        if few:
            found.append(self.text(
                N_("Fewer than {fewest} cases, too few to release a band on: {names}."),
                fewest=FEWEST_CASES, names=self.names(few),
            ))  # fmt: skip
        judged = sum(1 for o in answer["origins"] if o["governments"])
        if judged < FEW_ORIGINS:
            found.append(self.text(
                N_("Shocks common to all governments move an origin as one. Here are {origins} "
                   "origins; the intervals, drawn over {clusters}, do not show how few that is."),
                origins=judged,
                clusters=self.words.text(
                    N_("provinces") if answer["clusters"] == "province" else N_("governments")
                ),
            ))  # fmt: skip
        return found

    def late(self) -> list[str]:
        """Origins of which the store has no vintage of the time, by the day of the first one."""
        late: dict[str, list[str]] = {}
        for origin in self.answer["origins"]:
            if not origin["vintages"]:
                late.setdefault(origin["known_on"], []).append(origin["quarter"])
        return [
            self.text(
                N_("{origins}: as known on {day}; earlier vintages are not in the store. Figures "
                   "after the origin were left out, but earlier ones may have been revised since."),
                origins=self.words.text(N_(", ")).join(quarters), day=day,
            )
            for day, quarters in late.items()
        ]  # fmt: skip


def _covered(score: dict[str, Any], level: float) -> float:
    return float(next(b["covered"] for b in score["bands"] if b["level"] == level))


def score_name(score: dict[str, Any], words: Language) -> str:
    """Name of a quantity and horizon."""
    text = words.text(N_("{label}, {horizon} q ahead"))
    return text.format(label=score["label"], horizon=score["horizon"])


def skipped_text(item: dict[str, Any], horizons: Sequence[int], words: Language) -> str:
    """Say why an origin was left out."""
    message = (
        N_("{quarter} was left out: the store has no figures of it.")
        if item["reason"] == "no_figures"
        else N_("{quarter} was left out: no figures {horizons} quarters later are known.")
    )
    return words.text(message).format(
        quarter=item["quarter"], horizons=words.text(N_(", ")).join(map(str, horizons))
    )


def backtest_text(answer: dict[str, Any], lang: str) -> str:
    """Write a result as sentences and a table.

    Parameters
    ----------
    answer : dict
        Of :func:`backtest_store`.
    lang : {"zh", "en"}
    """
    words, figures = language(lang), Figures(lang, "large")
    said = findings(answer, words)
    head = words.text(N_("{paths} paths, seed {seed}; origins {origins}")).format(
        paths=answer["paths"], seed=answer["seed"],
        origins=", ".join(o["quarter"] for o in answer["origins"]),
    )  # fmt: skip
    lines = [head, "", *said["bands"], *said["rivals"], *said["limits"], ""]
    titles = [N_("Cases"), "50 %", "80 %", "90 %", "CRPS", N_("Walk"), N_("Climate"), N_("Factor")]
    lines.append("".join(f"{words.text(t):>8}" for t in titles))
    for score in answer["scores"]:
        cells = [
            str(score["cases"]),
            *(figures.percent(band["covered"]) for band in score["bands"]),
            *(f"{score[key]:.4f}" for key in ("crps", "crps_walk", "crps_climate")),
            f"{score['inflation_asked']:.2f}",
        ]
        row = "".join(f"{cell:>8}" for cell in cells)
        lines.append(f"{row}  {score_name(score, words)}")
    if answer["lines"]:
        lines += ["", words.text(N_("Brier score, beside the base rate and “stays as it is”"))]
    for line in answer["lines"]:
        row = "".join(f"{line[k]:>8.4f}" for k in ("brier", "brier_base", "brier_stay"))
        edge = f"{'≥' if line['inclusive'] else '>'} {figures.percent(line['line'], 0)}"
        lines.append(f"{row}  {score_name(line, words)} {edge}")
    return "\n".join(lines)

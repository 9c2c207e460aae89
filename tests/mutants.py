"""Mutants of rulebooks: every edge, number and operator changed; some worked example must notice.

``python -m tests.mutants [ID...]`` prints the survivors and exits with 1 when one is left that is
not known to be equivalent.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from debtwatch.errors import RulebookProblem
from debtwatch.panel.period import parse_quarter
from debtwatch.rules.assess import band_codes, run_case
from debtwatch.rules.rulebook import Indicator, Rulebook, load_rulebooks

TURNED = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt"}
OPERATORS = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="),
             "==": ("!=",), "!=": ("==",), "and": ("or",), "or": ("and",),
             "not in": ("in",), "in": ("not in",), "not": ("",)}  # fmt: skip
_TOKEN = re.compile(
    r"'[^']*'|\"[^\"]*\"|<=|>=|==|!=|<|>|\bnot in\b|\b(?:and|or|in|not)\b"
    r"|(?<![A-Za-z_0-9.])\d+\.?\d*(?:[eE][+-]?\d+)?"
)
#: Indicators that count years, days, people or documents, or are flags: they move by one.
WHOLE = {
    "dw-project-decision": {"tier_change", "tier_now", "enters_red", "documents"},
    "fr-deficit-l1612-14": {"line"},
    "no-robek": {"c"},
    "pe-dl1275": {"history_years"},
    "pl-art243-2026": {"history_years"},
    "ref-ec-dsm": {"path"},
    "us-oh-118": {"default", "payroll"},
}
#: The only survivors there may be, in full: no input gives another outcome than the original.
EQUIVALENT = {
    "br-capag-2023: dc without positive net_current_revenue":
        "lr has the same denominator and the same guard: n.d. already",
    "br-capag-2023: dc nonzero for positive net_current_revenue": "as above",
    "br-capag-2023: lr without positive net_current_revenue": "as above, through dc",
    "br-capag-2023: lr nonzero for positive net_current_revenue": "as above, through dc",
    "mx-alertas-entidades: i2 without positive freely_available_income":
        "i1 has the same denominator and the same guard, and no rule hits while i1 is na",
    "mx-alertas-entidades: i2 nonzero for positive freely_available_income": "as above",
    "mx-alertas-municipios: i2 without positive freely_available_income": "as above",
    "mx-alertas-municipios: i2 nonzero for positive freely_available_income": "as above",
    "cn-debt-tiers-wide: rule 5 removed": "unknown is also the outcome when no rule hits",
    "cn-quota-formula: new_quota.some gt 0 to -1e-06": "max(0, ...) is never below zero",
    "jp-fiscal-soundness-municipality: early_line_deficit, <= to < at 34":
        "both pieces of the line give 0.15 at a scale of 50",
    "jp-fiscal-soundness-municipality: early_line_deficit, < to <= at 156":
        "both pieces of the line give 0.125 at a scale of 200",
    "jp-fiscal-soundness-municipality: early_line_deficit, < to <= at 280":
        "both pieces of the line give 0.1125 at a scale of 500",
}  # fmt: skip


def moves(value: float, *, whole: bool) -> tuple[float, float]:
    """A natural step up and down: one for counts, a millionth for the rest."""
    step = 1.0 if whole else 1e-6 * (abs(value) or 1.0)
    return value + step, value - step


# -- edges ----------------------------------------------------------------------------------------


def _edges(indicator: Indicator) -> list[float]:
    given = [(b.lt, b.le, b.gt, b.ge, b.eq) for b in indicator.bands]
    return [edge for edges in given for edge in edges if edge is not None]


def _bands_on(indicator: Indicator, grid: np.ndarray) -> list[str]:
    names = [*(band.band for band in indicator.bands), "na"]
    return [names[code] for code in band_codes(indicator, grid)]


def _grid(indicator: Indicator, *, whole: bool) -> np.ndarray:
    """Values around every edge, nearer to it than any mutant and farther away."""
    edges = _edges(indicator)
    if whole:
        return np.arange(min(edges) - 3, max(edges) + 4)
    offsets = [0.0, *(10.0**-k * f for k in range(1, 9) for f in (0.4, 0.9, 1.1, 2.0))]
    return np.unique([e + s * d * (abs(e) or 1.0) for e in edges for d in offsets for s in (1, -1)])


def edge_mutants(book: Rulebook) -> Iterator[tuple[str, Rulebook]]:
    """Each band edge moved up and down, and turned from inclusive to exclusive.

    Left out are those that give the same bands on a dense grid around all edges, because an
    earlier band already has the values in question.
    """
    for i, indicator in enumerate(book.indicator):
        if not _edges(indicator):
            continue
        whole = indicator.id in WHOLE.get(book.id, ())
        grid = _grid(indicator, whole=whole)
        original = _bands_on(indicator, grid)
        for b, band in enumerate(indicator.bands):
            for key in ("lt", "le", "gt", "ge", "eq"):
                edge = getattr(band, key)
                if edge is None:
                    continue
                changes: list[tuple[str, dict[str, Any]]] = [
                    (f"{key} {edge:g} to {moved:.9g}", {key: moved})
                    for moved in moves(edge, whole=whole)
                ]
                if key in TURNED:
                    turned = TURNED[key]
                    changes.append((f"{key} {edge:g} to {turned}", {key: None, turned: edge}))
                for name, change in changes:
                    bands = list(indicator.bands)
                    bands[b] = band.model_copy(update=change)
                    other = indicator.model_copy(update={"bands": tuple(bands)})
                    if _bands_on(other, grid) != original:
                        yield (
                            f"{book.id}: {indicator.id}.{band.band} {name}",
                            _with_indicator(book, i, other),
                        )


# -- formulas and conditions ----------------------------------------------------------------------


def text_mutants(text: str, *, whole: bool = False) -> Iterator[tuple[str, str]]:
    """Each operator exchanged and each number moved, in a formula or condition.

    Numbers that something is compared with move by a natural step, coefficients by a thousandth.
    """
    for match in _TOKEN.finditer(text):
        token, before, after = match[0], text[: match.start()], text[match.end() :]
        if token[0] in "'\"":
            continue
        if token in OPERATORS:
            others = OPERATORS[token]
        else:
            compared = re.search(r"[<>=!]=?\s*-?$", before)
            counted = re.search(r"\bn(_of)?\([^()]*\)\s*[<>=!]+\s*$", before)
            number = float(token)
            moved = moves(number, whole=whole or counted is not None) if compared else (
                number * 1.001 + (number == 0) * 0.001, number * 0.999 - (number == 0) * 0.001
            )  # fmt: skip
            others = tuple(f"({m:.12g})" if m < 0 else f"{m:.12g}" for m in moved)
        for other in others:
            yield f"{token} to {other or 'nothing'} at {match.start()}", before + other + after


def _rewritten(part: Any, key: str, text: str) -> Any:
    other = part.model_copy(update={key: text})
    other.__dict__.pop("parsed", None)  # cached with the old text
    return other


def formula_mutants(book: Rulebook) -> Iterator[tuple[str, Rulebook]]:
    """Mutants of indicator formulas, guards, combination rules and periods."""
    for i, indicator in enumerate(book.indicator):
        where = f"{book.id}: {indicator.id}"
        whole = indicator.id in WHOLE.get(book.id, ())
        for name, text in text_mutants(indicator.formula, whole=whole):
            yield (
                f"{where}, {name}",
                _with_indicator(book, i, _rewritten(indicator, "formula", text)),
            )
        for name, update in _guard_changes(indicator):
            yield f"{where} {name}", _with_indicator(book, i, indicator.model_copy(update=update))
    for k, rule in enumerate(book.rule):
        where = f"{book.id}: rule {k + 1}"
        rules = list(book.rule)
        for name, text in text_mutants(rule.when):
            rules[k] = _rewritten(rule, "when", text)
            yield f"{where}, {name}", book.model_copy(update={"rule": tuple(rules)})
        yield (
            f"{where} removed",
            book.model_copy(update={"rule": book.rule[:k] + book.rule[k + 1 :]}),
        )
    for key in ("applies_from", "applies_to"):
        quarter = parse_quarter(getattr(book, key) or "")
        for near in (quarter - 1, quarter + 1) if quarter is not None else ():
            moved = f"{near // 4}Q{near % 4 + 1}"
            yield f"{book.id}: {key} to {moved}", book.model_copy(update={key: moved})


def _guard_changes(indicator: Indicator) -> Iterator[tuple[str, dict[str, Any]]]:
    for key in ("positive", "nonzero"):
        named = getattr(indicator, key)
        for name in named:
            kept = tuple(n for n in named if n != name)
            yield f"without {key} {name}", {key: kept}
            if key == "positive":
                loose = {key: kept, "nonzero": (*indicator.nonzero, name)}
                yield f"nonzero for positive {name}", loose


def _with_indicator(book: Rulebook, position: int, indicator: Indicator) -> Rulebook:
    indicators = list(book.indicator)
    indicators[position] = indicator
    return book.model_copy(update={"indicator": tuple(indicators)})


# -- judging --------------------------------------------------------------------------------------


def killed(mutant: Rulebook) -> bool:
    """Whether some worked example fails on a mutant."""
    for case in mutant.case:
        try:
            if run_case(mutant, case).faults:
                return True
        except RulebookProblem:
            return True
    return False


def survivors(book: Rulebook) -> tuple[int, list[str]]:
    """Number of mutants of a rulebook and the names of those that survive."""
    count, left = 0, []
    for name, mutant in (*edge_mutants(book), *formula_mutants(book)):
        count += 1
        if not killed(mutant):
            left.append(name)
    return count, left


def main(ids: list[str]) -> int:
    """Print the survivors of some or all rulebooks."""
    books = [b for b in load_rulebooks() if not ids or b.id in ids]
    total, bad, seen = 0, 0, set()
    with ProcessPoolExecutor(2) as pool:
        for book, (count, left) in zip(books, pool.map(survivors, books), strict=True):
            total += count
            seen.update(left)
            unexplained = [name for name in left if name not in EQUIVALENT]
            bad += len(unexplained)
            print(f"{book.id}: {count} mutants, {len(left) - len(unexplained)} equivalent, "
                  f"{len(unexplained)} survive")  # fmt: skip
            for name in left:
                reason = EQUIVALENT.get(name)
                print(f"  {'equivalent' if reason else 'SURVIVES'}: {name}"
                      + (f" ({reason})" if reason else ""))  # fmt: skip
    stale = [n for n in EQUIVALENT if n not in seen and n.split(":")[0] in {b.id for b in books}]
    for name in stale:
        print(f"listed as equivalent but noticed or gone: {name}")
    print(f"{total} mutants, {bad} survivors that a worked example should notice")
    return 1 if bad or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

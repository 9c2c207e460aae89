"""Mutants of rulebooks: every edge, number and operator changed; some worked example must notice.

``python -m tests.mutants [ID...]`` prints the survivors and exits with 1 when one is left that is
not known to be equivalent.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from debtwatch.errors import RulebookProblem
from debtwatch.rules.assess import band_codes, run_case
from debtwatch.rules.rulebook import Rulebook, load_rulebooks

TURNED = {"lt": "le", "le": "lt", "gt": "ge", "ge": "gt"}
OPERATORS = {"<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="),
             "==": ("!=",), "!=": ("==",), "and": ("or",), "or": ("and",)}  # fmt: skip
_TOKEN = re.compile(
    r"'[^']*'|\"[^\"]*\"|<=|>=|==|!=|<|>|\band\b|\bor\b|(?<![A-Za-z_0-9.])\d+\.?\d*"
)
#: Survivors that no input can tell from the original (by the start of their name), with the reason.
EQUIVALENT = {
    "br-capag-2023: dc without positive": "the guard of lr on the same denominator gives n.d. too",
    "br-capag-2023: lr without positive": "the guard of dc on the same denominator gives n.d. too",
    "mx-alertas-entidades: i2 without positive": "the guard of i1 on the same denominator decides",
    "mx-alertas-municipios: i2 without positive": "the guard of i1 on the same denominator decides",
    "cn-debt-tiers-wide: rule 5 removed": "unknown is also the outcome when no rule hits",
    "cn-quota-formula: new_quota.some": "a new quota is never below zero",
    "fr-deficit-l1612-14: line = 0.10 if is_commune and population < 19999": "people are whole",
    "jp-fiscal-soundness-municipality: early_line_deficit": "the line is continuous at its joints",
}


def steps(value: float, *, whole: bool) -> tuple[float, float]:
    """A natural step up and down: one for counts, a millionth for the rest."""
    if whole:
        return value + 1, value - 1
    step = max(abs(value), 1.0) * 1e-6
    return value + step, value - step


def edge_mutants(book: Rulebook) -> Iterator[tuple[str, Rulebook]]:
    """Each band edge moved up and down, and turned from inclusive to exclusive."""
    for i, indicator in enumerate(book.indicator):
        edges = [e for band in indicator.bands for e in
                 (band.lt, band.le, band.gt, band.ge, band.eq) if e is not None]  # fmt: skip
        whole = indicator.unit in {"number", "points"} and all(e == int(e) for e in edges)
        grid = np.unique([x for e in edges for d in (0.0, *(s - e for s in steps(e, whole=whole)))
                          for x in (e + d, e + d / 2)])  # fmt: skip
        if whole:
            grid = np.unique(np.round(grid))
        original = band_codes(indicator, grid)
        for b, band in enumerate(indicator.bands):
            for key, turned in (*TURNED.items(), ("eq", None)):
                edge = getattr(band, key)
                if edge is None:
                    continue
                changes = [{key: moved} for moved in steps(edge, whole=whole)]
                changes += [{key: None, turned: edge}] if turned else []
                for change in changes:
                    bands = list(indicator.bands)
                    bands[b] = band.model_copy(update=change)
                    other = indicator.model_copy(update={"bands": tuple(bands)})
                    if not np.array_equal(band_codes(other, grid), original):
                        name = f"{book.id}: {indicator.id}.{band.band} {change}"
                        yield name, _with_indicator(book, i, other)


def text_mutants(text: str) -> Iterator[str]:
    """Each operator exchanged and each number moved in a formula or condition."""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] in "'\"":
            continue
        if token in OPERATORS:
            others = OPERATORS[token]
        else:
            number = float(token)
            compared = re.search(r"[<>=]=?\s*\(?-?$", text[: match.start()])
            counted = re.search(
                r"\bn(_of)?\([^)]*\)\s*[<>=]+\s*$|tier_\w+\s*[<>=]+\s*$", text[: match.start()]
            )
            whole = number == int(number) and counted is not None
            moved = steps(number, whole=whole) if compared else (number * 1.01 + 0.001,)
            others = tuple(f"{m:.12g}" for m in moved if m >= 0)
        for other in others:
            yield text[: match.start()] + other + text[match.end() :]


def formula_mutants(book: Rulebook) -> Iterator[tuple[str, Rulebook]]:
    """Mutants of indicator formulas, guards and combination rules."""
    for i, indicator in enumerate(book.indicator):
        for text in text_mutants(indicator.formula):
            other = indicator.model_copy(update={"formula": text})
            other.__dict__.pop("parsed", None)
            yield f"{book.id}: {indicator.id} = {text}", _with_indicator(book, i, other)
        for name in indicator.positive:
            kept = tuple(n for n in indicator.positive if n != name)
            other = indicator.model_copy(update={"positive": kept})
            yield (
                f"{book.id}: {indicator.id} without positive {name}",
                _with_indicator(book, i, other),
            )
    for k, rule in enumerate(book.rule):
        for text in text_mutants(rule.when):
            other_rule = rule.model_copy(update={"when": text})
            other_rule.__dict__.pop("parsed", None)
            yield (
                f"{book.id}: rule {k + 1} {text}",
                _with_rules(book, [*book.rule[:k], other_rule, *book.rule[k + 1 :]]),
            )
        yield (
            f"{book.id}: rule {k + 1} removed",
            _with_rules(book, [*book.rule[:k], *book.rule[k + 1 :]]),
        )


def _with_indicator(book: Rulebook, position: int, indicator: object) -> Rulebook:
    indicators = list(book.indicator)
    indicators[position] = indicator
    return book.model_copy(update={"indicator": tuple(indicators)})


def _with_rules(book: Rulebook, rules: list[object]) -> Rulebook:
    return book.model_copy(update={"rule": tuple(rules)})


def killed(mutant: Rulebook) -> bool:
    """Whether some worked example fails on a mutant."""
    for case in mutant.case:
        try:
            if run_case(mutant, case).faults:
                return True
        except (RulebookProblem, KeyError):
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


def known_equivalent(name: str) -> str | None:
    """Why a survivor is equivalent to its original, None when it is not known to be."""
    return next((why for start, why in EQUIVALENT.items() if name.startswith(start)), None)


def main(ids: list[str]) -> int:
    """Print the survivors of some or all rulebooks."""
    books = [b for b in load_rulebooks() if not ids or b.id in ids]
    total, bad = 0, 0
    with ProcessPoolExecutor(2) as pool:
        for count, left in pool.map(survivors, books):
            total += count
            for name in left:
                reason = known_equivalent(name)
                bad += reason is None
                print(f"survives: {name}" + (f" (equivalent: {reason})" if reason else ""))
    print(f"{total} mutants, {bad} survivors that a worked example should notice")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

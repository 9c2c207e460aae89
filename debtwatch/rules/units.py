"""Units of formulas, checked when a rulebook is loaded.

Money over money is a ratio; money plus people is an error. Ratios, percents, points, years and
counts are plain numbers. A number written in a formula fits any unit in a comparison, a choice, a
minimum or a maximum, but may not be added to money (zero may).
"""

from __future__ import annotations

from collections.abc import Mapping

from debtwatch.errors import RulebookProblem
from debtwatch.language import N_
from debtwatch.rules.expression import Formula, Node

MONEY, PEOPLE, NUMBER, TEXT, ANY, LITERAL = "money", "people", "number", "text", "any", "literal"
_DECLARED = {
    "money": MONEY, "people": PEOPLE, "ratio": NUMBER, "percent": NUMBER, "number": NUMBER,
    "years": NUMBER, "points": NUMBER, "flag": NUMBER, "text": TEXT, "series": ANY,
}  # fmt: skip


def unit_of(formula: Formula, declared: Mapping[str, str]) -> str:
    """Derive the unit of a formula.

    Parameters
    ----------
    formula : Formula
    declared : mapping from name to declared unit
        Units as rulebooks name them: money, people, ratio, percent, number, flag, text, series.

    Returns
    -------
    str
        ``money``, ``people``, ``number``, ``text``, ``literal`` (a bare number) or ``any``.

    Raises
    ------
    RulebookProblem
        When two units cannot stand together.

    Examples
    --------
    >>> from debtwatch.rules.expression import parse
    >>> unit_of(parse("debt / revenue"), {"debt": "money", "revenue": "money"})
    'number'
    >>> unit_of(parse("debt + people"), {"debt": "money", "people": "people"})
    Traceback (most recent call last):
    debtwatch.errors.RulebookProblem: The formula “debt + people” adds money and people.
    """
    return _Derivation(formula.text, declared).of(formula.root)


def fits(derived: str, declared: str) -> bool:
    """Whether a derived unit is the one an indicator declares.

    Examples
    --------
    >>> fits("number", "ratio"), fits("number", "money")
    (True, False)
    """
    return derived in {ANY, LITERAL} or derived == _DECLARED[declared]


class _Derivation:
    def __init__(self, text: str, declared: Mapping[str, str]) -> None:
        self.text, self.declared = text, declared

    def of(self, node: Node) -> str:
        if node.kind in {"number", "text"}:
            return LITERAL if node.kind == "number" else TEXT
        if node.kind == "name":
            return _DECLARED.get(self.declared.get(node.value, ""), ANY)
        parts = [self.of(part) for part in node.parts if part.kind != "list"]
        if node.kind == "arithmetic":
            return self._arithmetic(node, *parts)
        if node.kind == "if":
            return self._together(parts[1], parts[2], N_("chooses between"))
        if node.kind == "call":
            return self._call(node, parts)
        if node.kind == "compare" and len(parts) == 2:
            self._together(parts[0], parts[1], N_("compares"))
        return parts[0] if node.kind == "negative" else NUMBER

    def _arithmetic(self, node: Node, left: str, right: str) -> str:
        if node.value in "+-":
            for unit, other in ((left, node.parts[1]), (right, node.parts[0])):
                bare = other.kind == "number" and other.value != 0
                if bare and unit in {MONEY, PEOPLE}:
                    raise self._problem(N_("adds"), unit, NUMBER)
            return self._together(left, right, N_("adds"))
        if node.value == "*":
            plain = {NUMBER, LITERAL}
            if left in plain or right in plain:
                kept = right if left in plain else left
                return NUMBER if kept == LITERAL and NUMBER in {left, right} else kept
            return ANY
        if left == right or {left, right} == {MONEY, PEOPLE}:
            return NUMBER
        return left if right in {NUMBER, LITERAL} else ANY

    def _together(self, left: str, right: str, deed: str) -> str:
        if TEXT in {left, right} and left != right and ANY not in {left, right}:
            raise self._problem(deed, left, right)
        for one, other in ((left, right), (right, left)):
            if one in {ANY, LITERAL}:
                return other
        if left != right:
            raise self._problem(deed, left, right)
        return left

    def _call(self, node: Node, parts: list[str]) -> str:
        if node.value not in {"min", "max", "sum", "mean", "abs", "if_"}:
            return NUMBER  # bands and counts of bands
        compared = parts[1:] if node.value == "if_" else parts
        unit = compared[0]
        for other in compared[1:]:
            unit = self._together(unit, other, N_("compares"))
        return unit

    def _problem(self, deed: str, left: str, right: str) -> RulebookProblem:
        return RulebookProblem(
            N_("The formula “{text}” {deed} {left} and {right}."),
            text=self.text,
            deed=deed,
            left=left,
            right=right,
        )

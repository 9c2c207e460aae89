"""Units of formulas, checked when a rulebook is loaded.

Money over money is a ratio; money plus people is an error. Ratios, percents, points, years and
counts are plain numbers. A number written in a formula fits any unit in a comparison, a choice, a
minimum or a maximum, but may not be added to money (zero may). Text stands only in ``==``, ``!=``
and ``in``. What is no formula for the evaluator either, such as ``min()``, is left to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from debtwatch.errors import RulebookProblem
from debtwatch.language import N_
from debtwatch.rules.expression import Formula, Node

MONEY, PEOPLE, NUMBER, TEXT = "money", "people", "number", "text"
ANY, LITERAL, ZERO = "any", "literal", "zero"
_DECLARED = {
    "money": MONEY, "people": PEOPLE, "ratio": NUMBER, "percent": NUMBER, "number": NUMBER,
    "years": NUMBER, "points": NUMBER, "flag": NUMBER, "text": TEXT, "series": ANY,
}  # fmt: skip
_PLAIN = {NUMBER, LITERAL, ZERO}
_ADAPTS = (ZERO, LITERAL, ANY)  # the later decides where two of them meet


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
    unit = _Derivation(formula.text, declared).of(formula.root)
    return LITERAL if unit == ZERO else unit


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
        if node.kind == "name":
            return _DECLARED.get(self.declared.get(node.value, ""), ANY)
        if node.kind == "number":
            return LITERAL if node.value else ZERO
        if node.kind == "text":
            return TEXT
        if node.kind == "compare":
            return self._compare(node)
        if node.kind == "call":
            return self._call(node)
        return self._joined(node, [self.of(part) for part in node.parts])

    def _joined(self, node: Node, parts: list[str]) -> str:
        if node.kind == "arithmetic":
            return self._arithmetic(node.value, *parts)
        if node.kind == "negative":
            return self._added(ZERO, parts[0])
        if node.kind == "if":
            return self._choice(*parts)
        if node.kind == "list":
            return ANY
        for part in parts:  # and, or, not
            self._no_text("a condition must be true or false", part)
        return NUMBER

    def _compare(self, node: Node) -> str:
        left, other = self.of(node.parts[0]), node.parts[1]
        if node.value == "in":
            for item in other.parts if other.kind == "list" else ():
                self._together(left, self.of(item), N_("compares"))
            return NUMBER
        right = self.of(other)
        if node.value not in {"==", "!="} and left == right:
            self._no_text("text can only be compared with text, by == or !=", left)
        self._together(left, right, N_("compares"))
        return NUMBER

    def _arithmetic(self, sign: str, left: str, right: str) -> str:
        if sign in "+-":
            return self._added(left, right)
        self._no_text("text cannot be used in arithmetic", left, right)
        if sign == "*":
            kept = right if left in _PLAIN else left if right in _PLAIN else ANY
            return NUMBER if kept in _PLAIN and NUMBER in {left, right} else kept
        if ANY in {left, right}:
            return ANY
        if right in _PLAIN:
            return left
        return NUMBER if left == right or {left, right} == {MONEY, PEOPLE} else ANY

    def _added(self, left: str, right: str) -> str:
        if left == right or ANY in {left, right}:
            self._no_text("text cannot be used in arithmetic", left, right)
        if LITERAL in {left, right} and {left, right} & {MONEY, PEOPLE}:
            named = [NUMBER if unit == LITERAL else unit for unit in (left, right)]
            raise self._problem(N_("adds"), *named)
        return self._together(left, right, N_("adds"))

    def _choice(self, condition: str, chosen: str, other: str) -> str:
        self._no_text("a condition must be true or false", condition)
        if chosen == other:
            self._no_text("a choice must be between numbers", chosen)
        return self._together(chosen, other, N_("chooses between"))

    def _call(self, node: Node) -> str:
        if node.value in {"cls", "n", "n_of"}:
            return TEXT if node.value == "cls" else NUMBER
        units = [self.of(part) for part in node.parts]
        if node.value == "if_" and len(units) == 3:
            return self._choice(*units)
        if node.value not in {"min", "max", "sum", "mean", "abs"} or not units:
            return ANY
        if node.value == "abs" and len(units) > 1:
            return ANY
        self._no_text("text cannot be used in arithmetic", *units)
        if node.value in {"sum", "mean"}:
            return reduce(self._added, units)
        return reduce(lambda one, two: self._together(one, two, N_("compares")), units)

    def _together(self, left: str, right: str, deed: str) -> str:
        if left in _ADAPTS and right in _ADAPTS:
            return max(left, right, key=_ADAPTS.index)
        if left == right or ANY in {left, right}:
            return right if left == ANY else left
        if TEXT not in {left, right} and (left in _ADAPTS or right in _ADAPTS):
            return right if left in _ADAPTS else left
        raise self._problem(deed, *(LITERAL if u == ZERO else u for u in (left, right)))

    def _no_text(self, reason: str, *units: str) -> None:
        if TEXT in units:
            raise RulebookProblem(
                N_("The formula “{text}” cannot be read: {reason}."), text=self.text, reason=reason
            )

    def _problem(self, deed: str, left: str, right: str) -> RulebookProblem:
        return RulebookProblem(
            N_("The formula “{text}” {deed} {left} and {right}."),
            text=self.text,
            deed=deed,
            left=left,
            right=right,
        )

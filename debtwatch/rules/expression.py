"""The formula language of rulebooks: small, safe, one evaluator for everything.

Grammar (each level binds tighter than the one above)::

    expression := or_test ["if" or_test "else" expression]
    or_test    := and_test {"or" and_test}
    and_test   := not_test {"and" not_test}
    not_test   := "not" not_test | comparison
    comparison := sum [("<" | "<=" | ">" | ">=" | "==" | "!=" | "in" | "not in") sum]
    sum        := term {("+" | "-") term}
    term       := factor {("*" | "/") factor}
    factor     := ("+" | "-") factor | atom
    atom       := number | text | "true" | "false" | name | name "(" [args] ")"
                | "(" expression ")" | "[" [args] "]"

There is no attribute access, no indexing, no loop, no power and no ``eval``. A formula works on
scalars, on columns and on (quarter x path) arrays with the same result. A truth value is 1, 0 or
na; na is NaN. Division by zero and missing fields give na. Comparisons ignore differences below
1e-9 (relative for numbers above 1), so that 0.1 * 3 does not breach a limit of 0.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import RulebookProblem
from debtwatch.language import N_

MAX_LENGTH, MAX_DEPTH, MAX_PARTS, MAX_LEVELS = 4000, 60, 1200, 120
TOLERANCE = 1e-9
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Text:
    """A column of words: codes into a list of categories, -1 for missing."""

    codes: NDArray[np.int32]
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """Several years of one quantity: the last axis holds the years."""

    values: Array


Value = Array | Text | Series
Functions = Mapping[str, Callable[..., Array | Text]]


@dataclass(frozen=True)
class Node:
    """A part of a formula: its kind, its own text or number, its parts, its height."""

    kind: str
    value: Any = None
    parts: tuple[Node, ...] = ()
    levels: int = 1


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    Attributes
    ----------
    text : str
        As written.
    root : Node
    """

    text: str
    root: Node

    def names(self) -> tuple[str, ...]:
        """Fields and indicators it uses, in order of appearance."""
        return tuple(dict.fromkeys(n.value for n in _walk(self.root) if n.kind == "name"))

    def bands_named(self) -> list[tuple[str | None, tuple[str, ...]]]:
        """List indicators and bands that a combination rule names; None for any indicator.

        Examples
        --------
        >>> parse("cls('i1') == 'high' or n_of(['i2'], 'low') >= 1").bands_named()
        [('i1', ('high',)), ('i2', ('low',))]
        """
        found: list[tuple[str | None, tuple[str, ...]]] = []
        for node in _walk(self.root):
            words = [part.value for part in node.parts if part.kind == "text"]
            if node.kind == "compare" and node.parts[0].value == "cls":
                own = [p.value for p in node.parts[0].parts]
                listed = [p.value for p in node.parts[1].parts if p.kind == "text"]
                found.append((own[0] if own else None, tuple(words + listed)))
            elif node.kind == "call" and node.value == "n":
                found.append((None, tuple(words)))
            elif node.kind == "call" and node.value == "n_of":
                listed_in = node.parts[0].parts if node.parts else ()
                found += [(part.value, tuple(words)) for part in listed_in]
        return found


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from _walk(part)


# -- reading --------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^'\\]{0,100}'|\"[^\"\\]{0,100}\")"
    r"|(?P<sign><=|>=|==|!=|[-+*/<>()\[\],]))",
    re.ASCII,
)
_WORDS = {"and", "or", "not", "if", "else", "in"}


@cache
def parse(text: str) -> Formula:
    """Parse a formula.

    Parameters
    ----------
    text : str
        At most 4,000 characters, nested at most 60 deep, at most 119 signs in a row.

    Raises
    ------
    RulebookProblem
        When the text is no formula, or larger than any rule needs.

    Examples
    --------
    >>> parse("debt_balance / capacity").names()
    ('debt_balance', 'capacity')
    """
    if len(text) > MAX_LENGTH:
        raise _problem(text[:40] + "...", N_("it is longer than any rule needs"))
    try:
        return Formula(text, _Parser(text).parse())
    except RecursionError as error:
        raise _problem(text[:40] + "...", "it is nested too deep") from error


def _problem(text: str, reason: str) -> RulebookProblem:
    return RulebookProblem(
        N_("The formula “{text}” cannot be read: {reason}."), text=text, reason=reason
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens(text)
        self.position = 0
        self.depth = 0
        self.count = 0

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        tokens, position = [], 0
        stripped = text.rstrip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None or match.lastgroup is None:
                raise _problem(text, f"unexpected “{stripped[position : position + 12]}”")
            kind, value = match.lastgroup, match[match.lastgroup]
            tokens.append(("word" if kind == "name" and value in _WORDS else kind, value))
            position = match.end()
        return tokens

    def parse(self) -> Node:
        node = self._expression()
        if self.position < len(self.tokens):
            raise _problem(self.text, f"unexpected “{self.tokens[self.position][1]}”")
        return node

    def _peek(self, *values: str) -> bool:
        if self.position >= len(self.tokens):
            return False
        kind, value = self.tokens[self.position]
        return kind in {"sign", "word"} and value in values

    def _take(self) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise _problem(self.text, "it ends too early")
        token = self.tokens[self.position]
        self.position += 1
        return token

    def _expect(self, value: str) -> None:
        kind, found = self._take()
        if found != value or kind == "text":
            raise _problem(self.text, f"expected “{value}” before “{found}”")

    def _node(self, kind: str, value: Any = None, *parts: Node) -> Node:
        self.count += 1
        if self.count > MAX_PARTS:
            raise _problem(self.text[:40] + "...", "it has too many parts")
        levels = 1 + max((part.levels for part in parts), default=0)
        if levels > MAX_LEVELS:  # a sum of many terms is as deep as it is long
            raise _problem(self.text[:40] + "...", "it has too many parts")
        return Node(kind, value, parts, levels)

    def _deeper(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _problem(self.text[:40] + "...", "it is nested too deep")
        node = read()
        self.depth -= 1
        return node

    def _expression(self) -> Node:
        return self._deeper(self._conditional)

    def _conditional(self) -> Node:
        chosen = self._joined("or", lambda: self._joined("and", self._not))
        if not self._peek("if"):
            return chosen
        self._take()
        condition = self._joined("or", lambda: self._joined("and", self._not))
        self._expect("else")
        return self._node("if", None, condition, chosen, self._expression())

    def _joined(self, word: str, read: Callable[[], Node]) -> Node:
        node = read()
        while self._peek(word):
            self._take()
            node = self._node(word, None, node, read())
        return node

    def _not(self) -> Node:
        if self._peek("not"):
            self._take()
            return self._node("not", None, self._deeper(self._not))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        if self._peek("<", "<=", ">", ">=", "==", "!=", "in"):
            sign = self._take()[1]
            return self._node("compare", sign, left, self._sum())
        if self._peek("not"):
            self._take()
            self._expect("in")
            inside = self._node("compare", "in", left, self._sum())
            return self._node("not", None, inside)
        return left

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._factor))

    def _chain(self, signs: tuple[str, ...], read: Callable[[], Node]) -> Node:
        node = read()
        while self._peek(*signs):
            node = self._node("arithmetic", self._take()[1], node, read())
        return node

    def _factor(self) -> Node:
        if self._peek("-", "+"):
            sign = self._take()[1]
            part = self._deeper(self._factor)
            return part if sign == "+" else self._node("negative", None, part)
        return self._atom()

    def _atom(self) -> Node:
        kind, value = self._take()
        if kind == "number":
            number = float(value)
            if not math.isfinite(number) or number > 1e18:
                raise _problem(self.text, f"the number {value} is too large")
            return self._node("number", number)
        if kind == "text":
            return self._node("text", value[1:-1])
        if kind == "name":
            return self._named(value)
        if value == "(":
            node = self._expression()
            self._expect(")")
            return node
        if value == "[":
            return self._node("list", None, *self._arguments("]"))
        raise _problem(self.text, f"unexpected “{value}”")

    def _named(self, value: str) -> Node:
        if value in {"true", "false"}:
            return self._node("number", float(value == "true"))
        if self._peek("("):
            self._take()
            return self._node("call", value, *self._arguments(")"))
        return self._node("name", value)

    def _arguments(self, closing: str) -> list[Node]:
        parts: list[Node] = []
        while not self._peek(closing):
            parts.append(self._expression())
            if not self._peek(closing):
                self._expect(",")
        self._take()
        return parts


# -- evaluating -----------------------------------------------------------------------------------


def at_least(left: Array, right: Array | float) -> NDArray[np.bool_]:
    """``left >= right`` up to the tolerance; False where either is missing.

    Examples
    --------
    >>> bool(at_least(np.float64(0.1 * 3), 0.3)), bool(at_least(np.float64(0.29), 0.3))
    (True, False)
    """
    return np.asarray(left - right >= -_slack(left, right))


def exceeds(left: Array, right: Array | float) -> NDArray[np.bool_]:
    """``left > right`` by more than the tolerance; False where either is missing."""
    return np.asarray(left - right > _slack(left, right))


def _slack(left: Array | float, right: Array | float) -> Array:
    with np.errstate(invalid="ignore"):
        scale = np.maximum(1.0, np.minimum(np.abs(left), np.abs(right)))
    return np.asarray(TOLERANCE * scale, dtype=np.float64)


def evaluate(
    formula: Formula, inputs: Mapping[str, Any], functions: Functions | None = None
) -> Any:
    """Evaluate a formula.

    Parameters
    ----------
    formula : Formula
    inputs : mapping from name to number, array, :class:`Text` or :class:`Series`
        All arrays broadcast with each other. A name that is not in it is missing.
    functions : mapping, optional
        Further functions, such as ``cls`` and ``n`` of combination rules.

    Returns
    -------
    ndarray of float, or Text
        NaN where the result is na; truth values are 1 and 0.

    Raises
    ------
    RulebookProblem
        For an unknown function or a type that does not fit, such as text in arithmetic.

    Examples
    --------
    >>> float(evaluate(parse("1 if a / b >= 1.2 else 0"), {"a": 6.0, "b": 5.0}))
    1.0
    >>> float(evaluate(parse("a / b"), {"a": 1.0, "b": 0.0}))
    nan
    """
    try:
        with np.errstate(all="ignore"):
            result = _Evaluator(formula.text, inputs, functions or {}).value(formula.root)
    except (TypeError, ValueError, LookupError) as error:  # shapes, kinds or names that do not fit
        raise _problem(formula.text, f"the values given do not fit it ({error})") from error
    return np.asarray(result, dtype=np.float64) if not isinstance(result, Text | Series) else result


class _Evaluator:
    def __init__(self, text: str, inputs: Mapping[str, Any], functions: Functions) -> None:
        self.text, self.inputs, self.functions = text, inputs, functions

    def value(self, node: Node) -> Any:
        return getattr(self, f"_{node.kind}")(node)

    def _number(self, node: Node) -> Any:
        return node.value

    def _text(self, node: Node) -> Text:
        return Text(np.zeros((), dtype=np.int32), (node.value,))

    def _name(self, node: Node) -> Any:
        given = self.inputs.get(node.value)
        if given is None:
            return np.nan
        if isinstance(given, str):
            return Text(np.zeros((), dtype=np.int32), (given,))
        if isinstance(given, bool):
            return float(given)
        if isinstance(given, list | tuple):
            return Series(np.asarray(given, dtype=np.float64))
        if isinstance(given, np.ndarray) and given.dtype.kind in "OUS":
            return text_column(given)
        return given

    def _negative(self, node: Node) -> Any:
        return self._elementwise(np.negative, [self.value(node.parts[0])])

    def _arithmetic(self, node: Node) -> Any:
        return self._elementwise(_ARITHMETIC[node.value], [self.value(part) for part in node.parts])

    def _elementwise(self, operation: Callable[..., Any], values: list[Any]) -> Any:
        if any(isinstance(value, Text) for value in values):
            raise _problem(self.text, "text cannot be used in arithmetic")
        if any(isinstance(value, Series) for value in values):
            plain = [
                v.values if isinstance(v, Series) else np.asarray(v)[..., None] for v in values
            ]
            return Series(operation(*plain))
        return operation(*values)

    def _compare(self, node: Node) -> Any:
        if node.value == "in":
            return self._inside(node)
        left, right = (self.value(part) for part in node.parts)
        if isinstance(left, Text) or isinstance(right, Text):
            if _all_missing(left) or _all_missing(right):
                return np.float64(np.nan)
            return self._same_text(left, right, node.value)
        return self._elementwise(_COMPARISONS[node.value], [left, right])

    def _same_text(self, left: Any, right: Any, sign: str) -> Array:
        if not (isinstance(left, Text) and isinstance(right, Text)) or sign not in {"==", "!="}:
            raise _problem(self.text, "text can only be compared with text, by == or !=")
        if len(left.categories) == 1 and len(right.categories) > 1:
            left, right = right, left
        position = {category: code for code, category in enumerate(left.categories)}
        table = np.array([position.get(c, -2) for c in right.categories] + [-1], dtype=np.int32)
        same = left.codes == table[right.codes]
        missing = (left.codes < 0) | (right.codes < 0)
        return np.where(missing, np.nan, same if sign == "==" else ~same)

    def _inside(self, node: Node) -> Array:
        if node.parts[1].kind != "list":
            raise _problem(self.text, "“in” needs a list in square brackets")
        words = [part.value for part in node.parts[1].parts if part.kind == "text"]
        left = self.value(node.parts[0])
        if isinstance(left, Text) and len(words) == len(node.parts[1].parts):
            # A long list of words is looked up at once; the result is that of the loop below.
            known = set(words)
            table = np.array([float(c in known) for c in left.categories] + [np.nan])
            return np.asarray(np.where(left.codes < 0, np.nan, table[left.codes]))
        found: Any = np.float64(0.0)
        for part in node.parts[1].parts:
            found = _or(found, self._compare(Node("compare", "==", (node.parts[0], part))))
        return np.asarray(found, dtype=np.float64)

    def _and(self, node: Node) -> Any:
        return _and(*(self._truth(part) for part in node.parts))

    def _or(self, node: Node) -> Any:
        return _or(*(self._truth(part) for part in node.parts))

    def _not(self, node: Node) -> Any:
        return 1.0 - np.asarray(self._truth(node.parts[0]), dtype=np.float64)

    def _truth(self, node: Node) -> Any:
        value = self.value(node)
        if isinstance(value, Text | Series):
            raise _problem(self.text, "a condition must be true or false")
        return np.where(np.isnan(value), np.nan, np.asarray(value) != 0)

    def _if(self, node: Node) -> Any:
        condition = self._truth(node.parts[0])
        chosen, other = self.value(node.parts[1]), self.value(node.parts[2])
        return self._choose(condition, chosen, other)

    def _choose(self, condition: Any, chosen: Any, other: Any) -> Any:
        if isinstance(chosen, Text) or isinstance(other, Text):
            raise _problem(self.text, "a choice must be between numbers")
        result = self._elementwise(
            lambda c, a, b: np.where(np.isnan(c), np.nan, np.where(c != 0, a, b)),
            [condition, chosen, other],
        )
        return result

    def _list(self, node: Node) -> Any:
        raise _problem(self.text, "a list stands only behind “in” or in a function that takes one")

    def _call(self, node: Node) -> Any:
        if node.value in self.functions:
            return self.functions[node.value](*(_literal(part, self) for part in node.parts))
        if node.value == "if_" and len(node.parts) == 3:
            return self._if(node)
        if node.value == "abs" and len(node.parts) == 1:
            return self._elementwise(np.abs, [self.value(node.parts[0])])
        if node.value in _REDUCTIONS and node.parts:
            return self._reduced(node)
        raise _problem(self.text, f"there is no function {node.value} of {len(node.parts)} values")

    def _reduced(self, node: Node) -> Any:
        over_series, of_two = _REDUCTIONS[node.value]
        values = [self.value(part) for part in node.parts]
        if len(values) == 1:
            if not isinstance(values[0], Series):
                return values[0]
            return over_series(values[0].values, axis=-1)
        result = values[0]
        for value in values[1:]:
            result = self._elementwise(of_two, [result, value])
        if node.value == "mean":
            result = self._elementwise(np.divide, [result, float(len(values))])
        return result


def text_column(words: NDArray[Any]) -> Text:
    """Words as codes; None, NaN and empty words are missing.

    Examples
    --------
    >>> text_column(np.array(["b", None, "a", "b"], dtype=object)).codes.tolist()
    [1, -1, 0, 1]
    """
    flat = np.ravel(words)
    absent = [w is None or w == "" or (isinstance(w, float) and math.isnan(w)) for w in flat]
    plain = [None if gone else str(w) for w, gone in zip(flat, absent, strict=True)]
    categories = tuple(sorted({w for w in plain if w is not None}))
    position = {word: code for code, word in enumerate(categories)}
    codes = np.array([-1 if w is None else position[w] for w in plain], dtype=np.int32)
    return Text(codes.reshape(np.shape(words)), categories)


def _all_missing(value: Any) -> bool:
    """Whether a value that is no text is missing throughout."""
    if isinstance(value, Text | Series):
        return False
    return bool(np.all(np.isnan(np.asarray(value, dtype=np.float64))))


def _divide(left: Any, right: Any) -> Any:
    return np.where(np.asarray(right) == 0, np.nan, np.divide(left, right))


def _known(result: Any, left: Any, right: Any) -> Array:
    return np.where(np.isnan(left) | np.isnan(right), np.nan, result)


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Array]] = {
    "<": lambda a, b: _known(exceeds(b, a), a, b),
    "<=": lambda a, b: _known(at_least(b, a), a, b),
    ">": lambda a, b: _known(exceeds(a, b), a, b),
    ">=": lambda a, b: _known(at_least(a, b), a, b),
    "==": lambda a, b: _known(at_least(a, b) & at_least(b, a), a, b),
    "!=": lambda a, b: _known(exceeds(a, b) | exceeds(b, a), a, b),
}
_REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "min": (np.min, np.minimum),
    "max": (np.max, np.maximum),
    "sum": (np.sum, np.add),
    "mean": (np.mean, np.add),
}


def _and(left: Any, right: Any) -> Any:
    """Three-valued and: false wins over na, na over true."""
    false = (left == 0) | (right == 0)
    return np.where(false, 0.0, np.where(np.isnan(left) | np.isnan(right), np.nan, 1.0))


def _or(left: Any, right: Any) -> Any:
    """Three-valued or: true wins over na, na over false."""
    true = (left == 1) | (right == 1)
    return np.where(true, 1.0, np.where(np.isnan(left) | np.isnan(right), np.nan, 0.0))


def _literal(node: Node, evaluator: _Evaluator) -> Any:
    """Arguments of rule functions are words and lists of words; else values."""
    if node.kind == "text":
        return node.value
    if node.kind == "list" and all(part.kind == "text" for part in node.parts):
        return [part.value for part in node.parts]
    return evaluator.value(node)


# -- explaining -----------------------------------------------------------------------------------


def why_missing(formula: Formula, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Why a formula gives na for one set of scalar inputs.

    Returns
    -------
    list of (reason, what)
        ``("missing", field)`` and ``("zero", denominator)`` in order of appearance; branches not
        taken are passed over.

    Examples
    --------
    >>> why_missing(parse("a / (b + c)"), {"a": 1.0, "b": 2.0})
    [('missing', 'c')]
    >>> why_missing(parse("a / b"), {"a": 1.0, "b": 0.0})
    [('zero', 'b')]
    """
    evaluator = _Evaluator(formula.text, inputs, {})
    found: list[tuple[str, str]] = []
    with np.errstate(all="ignore"):
        _collect_missing(formula.root, evaluator, found)
    return list(dict.fromkeys(found))


def _collect_missing(node: Node, evaluator: _Evaluator, found: list[tuple[str, str]]) -> None:
    if node.kind == "name":
        value = evaluator.value(node)
        if isinstance(value, float | np.ndarray) and np.isnan(value).any():
            found.append(("missing", node.value))
        return
    if node.kind == "if":
        _collect_missing(node.parts[0], evaluator, found)
        truth = evaluator._truth(node.parts[0])
        if not np.isnan(truth).any():
            taken = node.parts[1] if bool(np.all(truth != 0)) else node.parts[2]
            _collect_missing(taken, evaluator, found)
        return
    for part in node.parts:
        _collect_missing(part, evaluator, found)
    if node.kind == "arithmetic" and node.value == "/":
        denominator = evaluator.value(node.parts[1])
        if not isinstance(denominator, Series) and np.all(np.asarray(denominator) == 0):
            found.append(("zero", render(node.parts[1], str)))


_BINDING = {"if": 0, "or": 1, "and": 2, "not": 3, "compare": 4, "arithmetic": 5, "negative": 7}


def render(node: Node, name: Callable[[str], str]) -> str:
    """Write a formula out, each name replaced by a text such as its label or its number.

    Examples
    --------
    >>> render(parse("(a + b) / c").root, {"a": "1", "b": "2", "c": "3"}.get)
    '(1 + 2) / 3'
    """
    if node.kind == "name":
        return str(name(node.value))
    if node.kind == "number":
        return f"{node.value:g}"
    if node.kind == "text":
        return f"'{node.value}'"
    parts = [render(part, name) for part in node.parts]
    if node.kind == "call":
        return f"{node.value}({', '.join(parts)})"
    if node.kind == "list":
        return f"[{', '.join(parts)}]"
    parts = [
        _bracketed(node, part, k, text)
        for k, (part, text) in enumerate(zip(node.parts, parts, strict=True))
    ]
    return _joined_text(node, parts)


def _joined_text(node: Node, parts: Sequence[str]) -> str:
    if node.kind == "if":
        return f"{parts[1]} if {parts[0]} else {parts[2]}"
    if node.kind == "not":
        return f"not {parts[0]}"
    if node.kind == "negative":
        return f"-{parts[0]}"
    word = node.value if node.kind in {"arithmetic", "compare"} else node.kind
    return f"{parts[0]} {word} {parts[1]}"


def _bracketed(node: Node, part: Node, position: int, text: str) -> str:
    """Brackets where the part binds looser than its place asks."""

    def strength(n: Node) -> int:
        binding = _BINDING.get(n.kind, 9)
        return binding + 1 if n.kind == "arithmetic" and n.value in "*/" else binding

    inner, outer = strength(part), strength(node)
    right_of = position == 1 and node.kind == "arithmetic" and node.value in "-/"
    return f"({text})" if inner < outer or (inner == outer and right_of) else text

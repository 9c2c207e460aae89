"""Formulas of rulebooks as programs for simulated paths: the same parse tree, compiled.

A formula is written once, in a rulebook, and parsed once.
:func:`debtwatch.rules.expression.evaluate` walks the tree for tables; this module turns the same
tree into a list of operations that the compiled recursion runs on blocks of paths.
``tests/test_programs.py`` holds both to the same values on every rulebook, na included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.rules.expression import Formula, Node
from debtwatch.rules.rulebook import Indicator
from debtwatch.sustainability import operations as op

_ARITHMETIC = {"+": op.ADD, "-": op.SUBTRACT, "*": op.MULTIPLY, "/": op.DIVIDE}
_COMPARISONS = {
    "<": op.LESS, "<=": op.AT_MOST, ">": op.GREATER, ">=": op.AT_LEAST, "==": op.EQUAL,
    "!=": op.UNEQUAL,
}  # fmt: skip
_JOINED = {"min": op.MINIMUM, "max": op.MAXIMUM, "sum": op.ADD, "mean": op.ADD}


@dataclass(frozen=True)
class Program:
    """Indicators compiled for paths.

    Attributes
    ----------
    operations : ndarray of int32, shape (operations, 5)
        ``(operation, target, left, right, condition)``, positions in the slots.
    constants : ndarray of float64
        Filled once into the last slots.
    slots : int
        Slots in all: fields, results, constants.
    shown : dict from indicator to slot
        Where each indicator's value stands.
    names : dict from name to slot
        Where the fields, totals and capacities that formulas name stand.
    """

    operations: NDArray[np.int32]
    constants: NDArray[np.float64]
    slots: int
    shown: Mapping[str, int]
    names: Mapping[str, int]


def compile_program(
    indicators: Sequence[Indicator],
    fields: Sequence[str],
    totals: Mapping[str, Formula],
    wanted: Sequence[str] = (),
) -> Program:
    """Compile indicators, in order; later ones may name earlier ones.

    Parameters
    ----------
    indicators : sequence of Indicator
    fields : sequence of str
        Fields by slot, from 0 on. A name that is nowhere is na.
    totals : mapping from name to Formula
        Totals and capacities, put in where they are named.
    wanted : sequence of str
        Further names whose slot is needed.

    Raises
    ------
    ModelProblem
        For a formula that holds words or series of years: it cannot be followed along a path.

    Examples
    --------
    >>> from debtwatch.rules.rulebook import load_rulebooks
    >>> book = next(b for b in load_rulebooks() if b.id == "cn-fiscal-restructuring")
    >>> program = compile_program(book.indicator, ["gpb_debt_interest", "gpb_expenditure"], {})
    >>> sorted(program.shown), len(program.operations)
    (['general_interest_ratio', 'special_interest_ratio'], 6)
    """
    compiler = _Compiler({name: slot for slot, name in enumerate(fields)}, totals, len(fields))
    shown = {}
    for indicator in indicators:
        shown[indicator.id] = compiler.indicator(indicator)
    for name in wanted:
        compiler.named(name)
    return compiler.program(shown)


def is_followable(indicator: Indicator) -> bool:
    """Whether an indicator's formula can be compiled for paths."""
    try:
        compile_program([indicator], [], {})
    except ModelProblem:
        return False
    return True


@dataclass
class _Compiler:
    known: dict[str, int]
    totals: Mapping[str, Formula]
    free: int
    operations: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    constants: dict[float, int] = field(default_factory=dict)

    def program(self, shown: Mapping[str, int]) -> Program:
        """Put the constants behind all else and number them."""
        first = self.free
        places = {~k: first + k for k in range(len(self.constants))}
        rows = [tuple(places.get(x, x) if n else x for n, x in enumerate(row))
                for row in self.operations]  # fmt: skip
        operations = np.array(rows, dtype=np.int32).reshape(-1, 5)
        constants = np.array(list(self.constants), dtype=np.float64)
        return Program(
            operations,
            constants,
            first + len(constants),
            {name: places.get(slot, slot) for name, slot in shown.items()},
            {name: places.get(slot, slot) for name, slot in self.known.items()},
        )

    def indicator(self, indicator: Indicator) -> int:
        slot = self.node(indicator.parsed.root)
        for name in indicator.positive:
            slot = self.emit(op.IF_POSITIVE, slot, self.named(name))
        for name in indicator.nonzero:
            slot = self.emit(op.IF_NONZERO, slot, self.named(name))
        self.known[indicator.id] = slot = self.emit(op.IF_FINITE, slot)
        return slot

    def emit(self, operation: int, left: int, right: int | None = None, condition: int = 0) -> int:
        target = self.free
        self.free += 1
        self.operations.append(
            (operation, target, left, left if right is None else right, condition)
        )
        return target

    def constant(self, value: float) -> int:
        """Slot of a constant, as its complement until the last slot is known."""
        key = np.nan if np.isnan(value) else value  # one and the same object: it equals nothing
        return ~self.constants.setdefault(key, len(self.constants))

    def named(self, name: str) -> int:
        if name not in self.known and name in self.totals:
            self.known[name] = self.node(self.totals[name].root)
        return self.known.get(name, self.constant(np.nan))

    def node(self, node: Node) -> int:  # noqa: PLR0911 - one for each kind
        if node.kind == "number":
            return self.constant(float(node.value))
        if node.kind == "name":
            return self.named(str(node.value))
        if node.kind == "call":
            return self.call(node)
        parts = [self.node(part) for part in node.parts if node.kind != "list"]
        match node.kind:
            case "arithmetic":
                return self.emit(_ARITHMETIC[node.value], *parts)
            case "compare" if node.value in _COMPARISONS:
                return self.emit(_COMPARISONS[node.value], *parts)
            case "negative":
                return self.emit(op.NEGATIVE, parts[0])
            case "and" | "or":
                truths = [self.truth(part) for part in parts]
                return self.emit(op.AND if node.kind == "and" else op.OR, *truths)
            case "not":
                return self.emit(op.NOT, self.truth(parts[0]))
            case "if":
                return self.emit(op.CHOOSE, parts[1], parts[2], self.truth(parts[0]))
        raise _not_followable(node)

    def truth(self, slot: int) -> int:
        return self.emit(op.UNEQUAL_EXACT, slot, self.constant(0.0))

    def call(self, node: Node) -> int:
        parts = [self.node(part) for part in node.parts]
        if node.value == "abs" and len(parts) == 1:
            return self.emit(op.ABSOLUTE, parts[0])
        if node.value == "if_" and len(parts) == 3:
            return self.emit(op.CHOOSE, parts[1], parts[2], self.truth(parts[0]))
        if node.value not in _JOINED or len(parts) < 2:  # of one part: over its years
            raise _not_followable(node)
        slot = parts[0]
        for part in parts[1:]:
            slot = self.emit(_JOINED[node.value], slot, part)
        if node.value == "mean":
            slot = self.emit(op.DIVIDE, slot, self.constant(float(len(parts))))
        return slot


def _not_followable(node: Node) -> ModelProblem:
    return ModelProblem(
        N_("A formula with “{part}” cannot be followed along simulated paths."),
        part=str(node.value or node.kind),
    )

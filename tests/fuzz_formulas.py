"""Random formulas and rulebooks: a value or a RulebookProblem, nothing else.

``python -m tests.fuzz_formulas SECONDS`` draws new ones until the time is over.
"""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from debtwatch.errors import RulebookProblem
from debtwatch.rules.expression import Series, Text, evaluate, parse, render, why_missing
from debtwatch.rules.rulebook import Rulebook, load_rulebooks

NAMES = ["a", "b", "kind", "hist", "flag", "absent", "wide"]
_atoms = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(["0", "1", "2.5", "1e3", ".5", "9e17", "true", "false", "'x'", '"y"', "''"]),
    st.floats(0, 1e9, allow_nan=False).map(lambda x: f"{x:.6g}"),
)


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(parts, parts)
    operators = st.sampled_from(["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or"])
    return st.one_of(
        st.tuples(parts, operators, parts).map(" ".join),
        st.tuples(parts, parts, parts).map(lambda t: f"({t[0]}) if {t[1]} else {t[2]}"),
        parts.map(lambda p: f"not ({p})"),
        parts.map(lambda p: f"-({p})"),
        two.map(lambda t: f"({t[0]}) in [{t[1]}, 'x']"),
        st.tuples(st.sampled_from(["min", "max", "sum", "mean", "abs", "if_", "cls", "n"]),
                  st.lists(parts, max_size=3)).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
    )  # fmt: skip


formulas = st.one_of(
    st.recursive(_atoms, _grown, max_leaves=25),
    st.text(max_size=80),
    st.text(alphabet="ab10.+-*/()<>=!,'[] ifelsenotandor_", max_size=120),
    st.integers(1, 400).map(lambda n: "(" * n + "a" + ")" * n),
    st.integers(1, 400).map(lambda n: "-" * n + "a"),
    st.integers(1, 900).map(lambda n: "a" + "+a" * n),
    st.integers(1, 300).map(lambda n: "a if b else " * n + "a"),
    st.integers(1, 300).map(lambda n: f"a in [{', '.join(['1'] * n)}]"),
)
INPUTS: dict[str, Any] = {
    "a": np.array([1.0, 0.0, np.nan]), "b": 0.0, "kind": "x", "hist": [1.0, 2.0, 3.0],
    "flag": True, "wide": np.array(["x", None, "y"], dtype=object),
}  # fmt: skip


def check_formula(text: str) -> None:
    """Parse, evaluate, write out and explain one formula."""
    try:
        formula = parse(text)
        render(formula.root, str)
        formula.names()
        formula.bands_named()
        result = evaluate(formula, INPUTS)
        why_missing(formula, {k: v for k, v in INPUTS.items() if k not in {"a", "wide"}})
    except RulebookProblem:
        return
    assert isinstance(result, Text | Series | np.ndarray)


BOOK = next(b for b in load_rulebooks() if b.id == "cn-debt-quota").model_dump(exclude={"sha256"})
_junk = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=20),
                  st.lists(st.integers(), max_size=2), formulas)  # fmt: skip


def check_rulebook(key: str, inner: str, value: Any) -> None:
    """Validate a rulebook with one thing in it replaced."""
    data = dict(BOOK)
    if isinstance(data.get(key), list | tuple) and data[key] and isinstance(data[key][0], dict):
        first = dict(data[key][0])
        first[inner if inner in first else next(iter(first))] = value
        data[key] = [first, *data[key][1:]]
    else:
        data[key] = value
    with contextlib.suppress(ValidationError):
        Rulebook.model_validate(data)


rulebook_changes = (
    st.sampled_from(sorted(BOOK)),
    st.sampled_from(["id", "formula", "bands", "when", "outcome", "severity", "inputs", "unit"]),
    _junk,
)


def main(seconds: float) -> int:
    """Draw until the time is over; a failure is shown by hypothesis and ends the run."""
    end = time.monotonic() + seconds
    rounds = 0
    options = settings(max_examples=1500, derandomize=False, deadline=None, database=None,
                       suppress_health_check=list(HealthCheck))  # fmt: skip
    while time.monotonic() < end:
        options(given(formulas)(check_formula))()
        options(given(*rulebook_changes)(check_rulebook))()
        rounds += 1
    print(f"{rounds} rounds of 1,500 formulas and 1,500 rulebooks: no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 600))

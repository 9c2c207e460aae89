"""Random formulas and rulebooks: a value or a RulebookProblem, nothing else.

``python -m tests.fuzz_formulas SECONDS`` draws new ones until the time is over.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from debtwatch import resources
from debtwatch.errors import RulebookProblem
from debtwatch.rules.expression import Series, Text, evaluate, parse, render, why_missing
from debtwatch.rules.rulebook import Rulebook, load_rulebook
from debtwatch.rules.units import unit_of

FRAMES = 800  # what Python leaves of its 1,000 below the command line
NAMES = ["a", "b", "kind", "hist", "flag", "absent", "wide"]
FUNCTIONS = ["min", "max", "sum", "mean", "abs", "if_", "cls", "n", "n_of", "print", "__import__"]
OPERATORS = ["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "and", "or", "in", "not in"]


@contextlib.contextmanager
def few_frames() -> Iterator[None]:
    """Leave as many frames as a user has: hypothesis raises the limit and would hide a crash."""
    before, depth = sys.getrecursionlimit(), len(inspect.stack(0))
    sys.setrecursionlimit(depth + FRAMES)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


# -- formulas -------------------------------------------------------------------------------------


def _grammar(names: list[str]) -> st.SearchStrategy[str]:
    atoms = st.one_of(
        st.sampled_from(names),
        st.sampled_from(["0", "1", "2.5", "1e3", ".5", "9e17", "1e18", "9e999", "1e-300", "true"]),
        st.sampled_from(["'x'", '"y"', "''", "[]", "'红'", "'na'"]),
        st.floats(0, 1e9, allow_nan=False).map(lambda x: f"{x:.6g}"),
    )

    def grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        several = st.lists(parts, max_size=3).map(", ".join)
        return st.one_of(
            st.tuples(parts, st.sampled_from(OPERATORS), parts).map(" ".join),
            st.tuples(parts, parts, parts).map(lambda t: f"({t[0]}) if {t[1]} else {t[2]}"),
            st.tuples(st.sampled_from(["not ", "-", "+", ""]), parts).map("{0[0]}({0[1]})".format),
            st.tuples(parts, several).map("({0[0]}) in [{0[1]}]".format),
            st.tuples(st.sampled_from(FUNCTIONS), several).map("{0[0]}({0[1]})".format),
            several.map("[{}]".format),
        )

    return st.recursive(atoms, grown, max_leaves=25)


def _repeated(names: list[str]) -> st.SearchStrategy[str]:
    """Long and deep formulas: a part written many times over."""
    pieces = st.sampled_from(
        [("(", "{}", ")"), ("-", "{}", ""), ("not ", "{}", ""), ("", "{}", "+{}"),
         ("", "{}", " or {}"), ("", "{}", "/{}"), ("{} if {} else ", "{}", ""),
         ("min({},", "{}", ")"), ("(", "{}", "+{}-{})"), ("", "{} in [1", ",{}]"),
         ("", "{} in [1", ",'x'"), ("if_({},{},", "{}", ")"), ("1==", "{}", "")]
    )  # fmt: skip
    return st.builds(
        lambda piece, n, m, name: (piece[0] * n + piece[1] + piece[2] * m).replace("{}", name),
        pieces, st.integers(0, 700), st.integers(0, 2000), st.sampled_from(names),
    )  # fmt: skip


def _formulas(names: list[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        _grammar(names),
        _repeated(names),
        st.integers(1, 700).flatmap(
            lambda n: st.sampled_from(["(" * n + "a" + ")" * n, "-" * n + "a", "a" + "+a" * n])
        ),
        st.text(max_size=80),
        st.text(alphabet="ab10.+-*/()<>=!,'[] ifelsenotandor_", max_size=120),
    )


formulas = _formulas(NAMES)
INPUTS: dict[str, Any] = {
    "a": np.array([1.0, 0.0, np.nan]), "b": 0.0, "kind": "x", "hist": [1.0, 2.0, 3.0],
    "flag": True, "wide": np.array(["x", None, "y"], dtype=object),
}  # fmt: skip
DECLARED = {"a": "money", "b": "people", "kind": "text", "hist": "series", "flag": "flag",
            "wide": "text"}  # fmt: skip
RULE_FUNCTIONS: dict[str, Any] = {
    "cls": {"x": Text(np.zeros((), dtype=np.int32), ("na",))}.__getitem__,
    "n_of": lambda indicators, band: np.float64(sum({"x": 1.0}[i] for i in indicators)),
    "n": lambda band: np.float64(1.0),
}


def check_formula(text: str) -> None:
    """Parse, check the units of, evaluate, write out and explain one formula."""
    with few_frames():
        try:
            formula = parse(text)
        except RulebookProblem:
            return
        render(formula.root, str)
        formula.names()
        formula.bands_named()
        with contextlib.suppress(RulebookProblem):
            unit_of(formula, DECLARED)
        for functions in (None, RULE_FUNCTIONS):
            with contextlib.suppress(RulebookProblem):
                result = evaluate(formula, INPUTS, functions)
                assert isinstance(result, Text | Series | np.ndarray)
        with contextlib.suppress(RulebookProblem):
            scalars = {k: v for k, v in INPUTS.items() if k not in {"a", "wide"}}
            evaluate(formula, scalars)
            why_missing(formula, scalars)


# -- rulebooks ------------------------------------------------------------------------------------

_FOLDER = resources.models() / "rulebooks"
SOURCES = {
    name: (_FOLDER / f"{name}.toml").read_text("utf-8")
    for name in ("cn-debt-tiers", "br-capag-2023", "pe-dl1275", "fr-deficit-l1612-14")
}
BOOKS = {name: load_rulebook(_FOLDER / f"{name}.toml").model_dump() for name in SOURCES}


def _paths(data: Any, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if start:
        yield start
    if isinstance(data, dict | list | tuple):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _paths(value, (*start, key))


def _replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = list(data) if isinstance(data, tuple) else copy.copy(data)
    changed[path[0]] = _replaced(data[path[0]], path[1:], value)
    return changed


_odd = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda parts: st.one_of(st.lists(parts, max_size=3),
                            st.dictionaries(st.text(max_size=8), parts, max_size=3)),
    max_leaves=5,
)  # fmt: skip


@st.composite
def damaged_rulebooks(draw: st.DrawFn) -> dict[str, Any]:
    """A rulebook with one or two things in it replaced; formulas use the names it has."""
    book = BOOKS[draw(st.sampled_from(sorted(BOOKS)))]
    names = [*(f["name"] for f in book["field"]), *(i["id"] for i in book["indicator"])]
    quoted = [f"cls('{i['id']}')" for i in book["indicator"]]
    paths = list(_paths(book))
    spoken = [p for p in paths if p[-1] in {"formula", "when", "unit", "positive", "id", "name"}]
    data: dict[str, Any] = book
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.one_of(st.sampled_from(spoken), st.sampled_from(paths)))
        value = draw(st.one_of(_formulas(names + quoted), st.sampled_from(names), _odd))
        with contextlib.suppress(LookupError, TypeError):  # the first change took the place away
            data = _replaced(data, path, value)
    return data


def check_rulebook(data: dict[str, Any]) -> None:
    """Validate a damaged rulebook."""
    with few_frames(), contextlib.suppress(ValidationError):
        Rulebook.model_validate(data)


@st.composite
def damaged_files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A rulebook file with a formula exchanged, a piece cut out or bytes put in."""
    name = draw(st.sampled_from(sorted(SOURCES)))
    text = SOURCES[name]
    at = draw(st.integers(0, len(text)))
    piece = draw(st.one_of(formulas, st.sampled_from(["[" * 3000, "a." * 3000, "{a=" * 2000])))
    cut = draw(st.sampled_from([0, 1, 5, 50, 400]))
    if draw(st.booleans()):
        found = [k for k in range(len(text)) if text.startswith(('formula = "', 'when = "'), k)]
        at = text.index('"', draw(st.sampled_from(found))) + 1
        cut = text.index('"', at) - at
        names = [f["name"] for f in BOOKS[name]["field"]]
        piece = draw(_formulas(names)).replace("\\", "").replace('"', "'").replace("\n", " ")
    damage = draw(st.one_of(st.just(b""), st.binary(max_size=4)))
    return name, (text[:at] + piece + text[at + cut :]).encode("utf-8", "replace") + damage


def check_file(given_file: tuple[str, bytes]) -> None:
    """Load a damaged file: a rulebook or a RulebookProblem."""
    name, content = given_file
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(RulebookProblem):
        path = Path(folder) / f"{name}.toml"
        path.write_bytes(content)
        with few_frames():
            load_rulebook(path)


CHECKS = ((formulas, check_formula), (damaged_rulebooks(), check_rulebook),
          (damaged_files(), check_file))  # fmt: skip


def main(seconds: float) -> int:
    """Draw until the time is over; a failure is shown by hypothesis and ends the run."""
    end = time.monotonic() + seconds
    drawn = 0
    options = settings(max_examples=500, derandomize=False, deadline=None, database=None,
                       suppress_health_check=list(HealthCheck))  # fmt: skip
    while time.monotonic() < end:
        for strategy, check in CHECKS:
            options(given(strategy)(check))()
            drawn += 500
    print(f"{drawn} formulas, rulebooks and files: no crash")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 600))

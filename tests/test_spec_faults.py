"""Faults of a specification are said in words, in the user's language, each with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from debtwatch.early_warning.spec import load_spec
from debtwatch.errors import ModelProblem

SOUND = """
id = "x"
title = { zh = "例", en = "x" }
country = "XX"
[data]
lag_days = 90
[target]
kind = "entry"
horizon = 1
ratio = "r"
line = 1.0
[trees]
rate = 0.03
[[feature]]
id = "r"
of = "r"
label = { zh = "例", en = "r" }
"""
JARGON = ("Input should", "Extra inputs", "Field required", "String should", "Tuple", "Value error",
          "codec", "pydantic", "recursion")  # fmt: skip


def fault(tmp_path: Path, content: bytes) -> ModelProblem:
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(ModelProblem) as caught:
        load_spec(path)
    assert not any(word in str(caught.value) for word in JARGON)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "x"', "", "id: is missing"),
        ('id = "x"', 'id = "A b"', "id: must be of small letters"),
        ("country", "countri", "countri: there is no such key; the keys are country"),
        ('"XX"', '"Brazil"', "country: must be the two capital letters"),
        ("lag_days", "lagdays", "data.lagdays: there is no such key; the keys are lag_days"),
        ("lag_days = 90", 'period = "unit"', "data: unit, period and known_from must be different"),
        ("lag_days = 90", 'unit = ""', "data.unit: must not be empty"),
        ("horizon = 1", 'horizon = "one"', "target.horizon: must be a whole number"),
        ("horizon = 1", "horizon = 0", "target.horizon: must be ≥ 1"),
        ("line = 1.0", "line = inf", "target.line: must be a finite number"),
        ("line = 1.0", "", "target: a ratio needs a line"),
        ("line = 1.0", 'line = 1.0\nworse = "C"', "target.worse: must be a list in brackets"),
        ('"entry"', '"entri"', "target.kind: must be one of entry, status, event"),
        ("rate = 0.03", "rate = nan", "trees.rate: must be ≤ 1"),
        ("rate = 0.03", "l2 = inf", "trees.l2: must be a finite number"),
        ("rate = 0.03", "leaves = []", "trees.leaves: must have an entry"),
        ('id = "x"', 'id = "x"\nmembers = []', "members: must have an entry"),
        ('id = "x"', 'id = "x"\nmembers = ["forest"]', "members.1: must be one of logit, trees"),
        ('id = "x"', 'id = "x"\nmembers = ["logit", "logit"]', "member logit is given twice"),
        ('of = "r"', 'of = "r"\nmeasure = "change"', "feature.1: periods belongs to the measures"),
        ('{ zh = "例", en = "x" }', '"x"', "title: must be a table of names and values"),
    ],
)  # fmt: skip
def test_every_fault_is_said_in_words(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert SOUND.count(old) == 1
    problem = fault(tmp_path, SOUND.replace(old, new).encode())
    text = str(problem)
    assert said in text


def test_a_list_of_one_thing_too_many(tmp_path: Path) -> None:
    feature = SOUND[SOUND.index("[[feature]]") :]
    more = "".join(feature.replace('id = "r"', f'id = "r{k}"') for k in range(200))
    assert "feature: has 201 entries; at most 60" in str(fault(tmp_path, (SOUND + more).encode()))


def test_faults_are_said_in_the_language_asked(tmp_path: Path) -> None:
    formulas = "[columns]\nz = 'r +'\n"
    problem = fault(tmp_path, (SOUND + formulas).encode())
    asked: list[str] = []

    def translate(text: str) -> str:
        asked.append(text)
        return text

    problem.text(translate)
    assert "columns.{name}: {reason}" in asked
    assert any(text.startswith("The formula") for text in asked)
    assert str(problem).endswith("too early.")  # one full stop


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id = '中'".encode("gb18030"), "is not in UTF-8"),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"x", "is not TOML"),
    ],
)
def test_files_that_are_no_specification(content: bytes, said: str, tmp_path: Path) -> None:
    assert said in str(fault(tmp_path, content))


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(SOUND, encoding="utf-8-sig")
    given: dict[str, Any] = load_spec(path).model_dump()
    assert given["id"] == "x"

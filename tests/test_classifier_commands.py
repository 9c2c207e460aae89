"""Classifier commands in the hands of careless users: what was noticed is told, nothing is lost."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.reporting.classifier import Request, backtest_classifier, train_classifier
from debtwatch.reporting.score_table import score_table

SPEC = """
id = "x"
title = { zh = "例", en = "x" }
country = "XX"
synthetic = true
members = ["logit"]
[target]
kind = "entry"
horizon = 1
ratio = "r"
line = 1.0
[trees]
rounds = 5
leaves = [3]
[origins]
most = 1
[[feature]]
id = "r"
of = "r"
sign = "+"
label = { zh = "比率", en = "ratio" }
"""


@pytest.fixture(scope="module")
def request_of(tmp_path_factory: pytest.TempPathFactory) -> Request:
    folder = tmp_path_factory.mktemp("given")
    rng = np.random.default_rng(3)
    rows = [(f"u{u}", y, round(float(rng.normal(0.85, 0.15)), 3))
            for u in range(40) for y in range(2015, 2021)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["unit", "period", "r"]).astype({"r": object})
    frame.loc[5, "r"] = "n/k"
    frame.to_csv(folder / "a.csv", index=False)
    (folder / "spec.toml").write_text(SPEC, encoding="utf-8")
    return Request(folder / "spec.toml", (folder / "a.csv",), None, dt.date(2026, 1, 1),
                   draws=50, lang="en")  # fmt: skip


NOTED = "Column r: 1 cells are not numbers and count as missing, the first “n/k”."


def test_what_was_noticed_in_the_tables_is_told(request_of: Request, tmp_path: Path) -> None:
    page = backtest_classifier(request_of, tmp_path / "page")
    assert NOTED in page["findings"]["limits"]
    assert NOTED in (tmp_path / "page" / "index.html").read_text("utf-8")
    _, card = train_classifier(request_of, tmp_path / "model")
    assert NOTED in card["findings"]["limits"]
    told = score_table(tmp_path / "model", request_of.tables, tmp_path / "s.csv", lang="en")
    assert NOTED in told.splitlines()


def test_a_target_that_cannot_be_read_says_why(request_of: Request, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("unit;period;r\n" + "".join(f"u{u};{y};0,85{u}\n" for u in range(10, 30)
                                                for y in range(2015, 2021)))  # fmt: skip
    request = Request(request_of.spec, (path,), None, request_of.as_of, lang="en")
    with pytest.raises(
        DataProblem, match=r"None of 120 rows is at risk: .* not numbers .*“0,8510”"
    ):
        backtest_classifier(request, None)


def test_a_seed_that_the_library_does_not_take(request_of: Request) -> None:
    request = Request(request_of.spec, request_of.tables, None, request_of.as_of, seed=2**32)
    with pytest.raises(ModelProblem, match="from 0 to 4294967295"):
        backtest_classifier(request, None)


def test_a_foreign_folder_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    request = Request(tmp_path / "none.toml", (), None, dt.date(2026, 1, 1))
    with pytest.raises(ModelProblem, match="holds no model"):
        train_classifier(request, tmp_path)


def test_scores_that_cannot_be_written(
    request_of: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_classifier(request_of, tmp_path / "model")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(ModelProblem, match=r"s\.csv: No space left on device\."):
            score_table(tmp_path / "model", request_of.tables, tmp_path / "s.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["model"]

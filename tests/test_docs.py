"""Documentation that cannot go stale: generated pages, commands of the README."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from functools import cache

import pytest

from debtwatch.panel.period import quarter
from debtwatch.screening.checks import run_checks
from debtwatch.screening.pipeline import read_pipeline
from debtwatch.screening.settings import screening_settings
from docs.generate import DOCS, NEEDED, PAGES
from tests.conftest import ROOT, run
from tests.proposal_cases import case


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name):
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run `make docs`"


@cache
def usage_of(*command):
    return run(*command, "--help", env={"COLUMNS": "300"}).stdout


PAGES_WITH_COMMANDS = [ROOT / "README.md", DOCS / "screening.md", DOCS / "classifier.md"]


@pytest.mark.parametrize("path", PAGES_WITH_COMMANDS, ids=lambda p: p.name)
def test_every_command_and_option_exists(path):
    text = path.read_text("utf-8")
    commands = re.findall(r"^debtwatch ([a-z-]+)(.*)$", text, re.MULTILINE)
    assert len(commands) >= 5
    for command, rest in commands:
        nested = [rest.split()[0]] if command in {"backtest", "register", "rulebooks"} else []
        usage = usage_of(command, *nested)
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in usage, (command, option)


def test_the_python_example_of_the_readme_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert code.count("\n") <= 12
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the example under test
    assert (tmp_path / "2024Q4" / "index.html").is_file()
    for more in re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1:]:
        exec(compile(more, "README.md", "exec"), {})  # noqa: S102 - the example under test


def test_the_guide_works_as_a_new_user_follows_it(tmp_path):
    """The rulebook of the guide loads, its worked examples pass, it can be shown."""
    from debtwatch.language import language
    from debtwatch.rules.assess import run_case
    from debtwatch.rules.describe import describe
    from debtwatch.rules.rulebook import load_rulebook

    text = (DOCS / "write-a-rulebook.md").read_text("utf-8")
    path = tmp_path / "my-province-warning.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1], "utf-8")
    book = load_rulebook(path)
    assert all(run_case(book, case).faults == () for case in book.case)
    assert "本省县级债务提醒" in describe(book, language("zh"))


# -- screening.md ----------------------------------------------------------------------------------

SCREENING = (DOCS / "screening.md").read_text("utf-8")
PROPOSAL, GOVERNMENTS = re.findall(r"```toml\n(.*?)```", SCREENING, re.DOTALL)
LAST = quarter(2025, 4)


def rows_of_checks():
    """Rows of the table of checks: id, question, failure, class, line; ids carried down."""
    table = SCREENING.split("| check | question")[1].split("\n\n")[0].splitlines()[2:]
    rows, last = [], ""
    for line in table:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        last = cells[0] or last
        rows.append((last, *cells[1:]))
    return rows


def test_the_table_of_checks_holds_every_check_in_its_order():
    listed = list(dict.fromkeys(row[0] for row in rows_of_checks()))
    land, money = (lambda i: i[0] in "LGPK"), (lambda i: i[0] in "FE")
    order = sorted(listed, key=lambda i: 0 if land(i) else 1 if money(i) else 2)
    assert order == [check.id for check in run_checks(case())]
    assert f"{len(order)} checks" in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("check", "place", "edges"),
    [
        ("B1", 0, lambda s: (s.probability.reject, s.probability.defer, s.probability.conditional)),
        ("B1", 1, lambda s: (s.probability.added_reject, s.probability.added_defer,
                             s.probability.added_conditional)),
        ("S2", 0, lambda s: (s.liquidity.defer, s.liquidity.conditional)),
    ],
)  # fmt: skip
def test_shares_of_the_table_are_those_of_the_settings(check, place, edges):
    row = [r for r in rows_of_checks() if r[0] == check][place]
    shown = [int(x) / 100 for x in re.findall(r"\d+", row[2])]
    assert shown == pytest.approx(list(edges(screening_settings())))
    assert row[3].split("; ") == ["H", "D", "C"][-len(shown) :]


@pytest.mark.parametrize(
    ("check", "edges"),
    [
        ("P1", lambda s: (s.need.ceiling,)),
        ("P2", lambda s: (s.need.excess, s.need.ceiling)),
        ("P3", lambda s: (s.need.excess,)),
        ("F9", lambda s: (s.cost.growth,)),
        ("F10", lambda s: (s.cost.outlier,)),
    ],
)
def test_numbers_of_the_table_are_those_of_the_settings(check, edges):
    row = next(r for r in rows_of_checks() if r[0] == check)
    shown = [float(x) for x in re.findall(r"\d\.\d+", row[2])]
    assert shown == list(edges(screening_settings()))


def test_the_classes_of_the_table_are_known():
    for row in rows_of_checks():
        assert set(row[3].split("; ")) <= {"H", "D", "C", "I"}, row
        assert any(word in row[4] for word in ("law", "practice", "ours", "parameters")), row


def test_the_python_example_of_the_method_gives_what_it_says(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", SCREENING, re.DOTALL)
    exec(compile(code, "screening.md", "exec"), {})  # noqa: S102 - the example under test
    ratios, top_ups = capsys.readouterr().out.splitlines()
    assert [round(float(x), 3) for x in ratios.split()] == [1.023, 0.916, 1.016]
    assert round(float(top_ups)) == 8_788


def test_the_proposal_of_the_method_has_no_fault(tmp_path):
    path = tmp_path / "sewage.toml"
    path.write_text(PROPOSAL, "utf-8")
    read = read_pipeline(path, last_quarter=LAST)
    assert read.problems == ()
    assert read.projects[0].illustrative == "illustrative"


@pytest.mark.parametrize("key", NEEDED)
def test_a_key_that_is_called_required_is_required(tmp_path, key):
    name = key.rpartition(".")[2]
    head, bond = PROPOSAL.rsplit("[[project.financing]]", 1)
    if key.startswith("financing."):
        text = head + "[[project.financing]]" + re.sub(rf"(?m)^{name} = .*\n", "", bond, count=1)
    else:
        text = re.sub(rf"(?m)^{name} = .*\n", "", PROPOSAL, count=1)
    assert text != PROPOSAL
    path = tmp_path / "sewage.toml"
    path.write_text(text, "utf-8")
    places = [problem.cell for problem in read_pipeline(path, last_quarter=LAST).problems]
    assert any(place.endswith(name) for place in places), places


def test_the_commands_of_the_method_run_one_after_the_other(tmp_path):
    (tmp_path / "sewage.toml").write_text(PROPOSAL, "utf-8")
    (tmp_path / "governments.toml").write_text(GOVERNMENTS, "utf-8")
    census = re.search(r"```csv\n(.*?)```", SCREENING, re.DOTALL)[1]
    (tmp_path / "census.csv").write_text(census, "utf-8")
    block = re.search(r"```\n(debtwatch demo-counties.*?)```", SCREENING, re.DOTALL)[1]
    said = {}
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        if words[0] == "import":  # as a shell spells out the names
            words[1:2] = sorted(str(p) for p in tmp_path.glob(words[1]))
        if words[0] == "screen" and "--store" in words:
            words += ["--paths", "200"]
        done = run(*words, cwd=tmp_path)
        # 3: the synthetic counties hold doubtful figures on purpose.
        assert done.returncode in ({3} if words[0] == "import" else {0}), (line, done.stderr)
        said[" ".join(words[:2])] = done.stdout
    answer = json.loads(run("register", "list", "--store", tmp_path / "province.duckdb",
                            "--json").stdout)  # fmt: skip
    assert [d["code"] for d in answer["decisions"]] == ["2026-910003-00014"]
    assert [(e["number"], e["status"], e["by"]) for e in answer["events"]] == [(1, "met", "Li Min")]
    assert answer["events"][0]["on"] <= dt.date.today().isoformat()
    memo = json.loads((tmp_path / "memo" / "screening.json").read_text("utf-8"))
    assert memo["meta"]["paths"] == 200
    assert "910003" in said["rank --store"]


def test_every_key_of_a_classifiers_specification_is_documented(tmp_path):
    from debtwatch.early_warning.spec import (
        Data,
        Feature,
        Logit,
        Origins,
        Signals,
        Spec,
        Target,
        Trees,
        load_spec,
    )

    text = (DOCS / "classifier.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z0-9_.]+)`", text))
    named |= {name.split(".")[-1] for name in named}
    parts = (Data, Feature, Logit, Origins, Signals, Spec, Target, Trees)
    keys = {f.alias or name for part in parts for name, f in part.model_fields.items()}
    inner = {"data", "feature", "logit", "trees", "origins", "signals", "target", "sha256"}
    assert not keys - inner - named
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1]
    path = tmp_path / "spec.toml"
    path.write_text(example, "utf-8")
    assert load_spec(path).target.horizon == 4


def test_the_specifications_that_ship_are_listed_and_load():
    from debtwatch.early_warning.spec import load_spec
    from debtwatch.resources import models

    text = (DOCS / "classifier.md").read_text("utf-8")
    paths = sorted((models() / "early_warning" / "specs").glob("*.toml"))
    assert len(paths) >= 9
    for path in paths:
        assert load_spec(path).id == path.stem
        stem = re.sub(r"-(3y|h8)$", "", path.stem)
        assert stem in text, path.stem

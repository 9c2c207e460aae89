"""The shape of the program: import order, lean start-up, names, no traces of a workplace."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT

STAGES = ["panel", "rules", "sustainability", "early_warning", "screening", "reporting"]
LEAVES = {"errors", "language", "provenance", "resources"}
ENDS = {"cli", "demo", "synthetic", "__init__"}
SOURCES = sorted((ROOT / "debtwatch").rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_stage_imports_only_stages_above_it(path):
    parts = path.relative_to(ROOT / "debtwatch").with_suffix("").parts
    own = parts[0]
    for module in imported(path):
        if not module.startswith("debtwatch."):
            continue
        other = module.split(".")[1]
        if own in LEAVES:
            assert other in LEAVES, f"{own} is a leaf but imports {module}"
        elif own in STAGES and other in STAGES:
            assert STAGES.index(other) <= STAGES.index(own), f"{own} imports {module}"
        elif own in STAGES:
            assert other in LEAVES, f"stage {own} imports {module}"


def test_only_render_uses_jinja():
    users = [p.name for p in SOURCES if any(m.split(".")[0] == "jinja2" for m in imported(p))]
    assert users == ["render.py"]


def test_help_loads_no_heavy_module():
    code = (
        "import sys, debtwatch.cli\n"
        "heavy = {'pandas','numpy','statsmodels','duckdb','altair','jinja2','pydantic','scipy',"
        "'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_drawer_for_everything():
    banned = re.compile(r"^(utils?|helpers?|common|manager|services?|base|misc)$")
    assert not [p for p in SOURCES if banned.match(p.stem)]


def test_time_and_chance_enter_only_at_the_command_line():
    for path in SOURCES:
        if path.name == "cli.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\.(now|today|utcnow)\(\)", text), path
        assert not re.search(r"np\.random\.(seed|rand|normal)\b", text), path

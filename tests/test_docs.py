"""Documentation that cannot go stale: generated pages, commands of the README."""

from __future__ import annotations

import re

import pytest

from docs.generate import DOCS, PAGES
from tests.conftest import ROOT, run


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name):
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run `make docs`"


def test_every_command_and_option_of_the_readme_exists():
    text = (ROOT / "README.md").read_text("utf-8")
    commands = re.findall(r"^debtwatch ([a-z-]+)(.*)$", text, re.MULTILINE)
    assert len(commands) >= 5
    for command, rest in commands:
        usage = run(command, "--help", env={"COLUMNS": "300"}).stdout
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in usage, (command, option)


def test_the_python_example_of_the_readme_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text("utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert code.count("\n") <= 12
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - the example under test
    assert (tmp_path / "2024Q4" / "index.html").is_file()

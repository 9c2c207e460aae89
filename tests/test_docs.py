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
        nested = [rest.split()[0]] if command in {"backtest", "rulebooks"} else []
        usage = run(command, *nested, "--help", env={"COLUMNS": "300"}).stdout
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

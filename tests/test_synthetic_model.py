"""The classifier of invented counties that is shipped for demonstration."""

from __future__ import annotations

import tomllib
from importlib import metadata

import pytest

from debtwatch.early_warning.applied import apply_model, refusal
from debtwatch.early_warning.model_file import load_model
from debtwatch.errors import ModelProblem
from debtwatch.panel.panel import build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.provenance import sha256_of_file
from debtwatch.rules.rulebook import load_rulebooks
from tests.attention_cases import AS_OF as COUNTY_DAY
from tests.attention_cases import REPORT_QUARTER, counties
from tests.conftest import AS_OF, EXAMPLE, ROOT

MODELS = ROOT / "models" / "early_warning"
FOLDER = MODELS / "cn-counties-synthetic"


def card():
    return tomllib.loads((FOLDER / "card.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def shipped():
    """The classifier; with another minor version of scikit-learn it must be refused in words."""
    theirs, ours = card()["versions"]["scikit-learn"], metadata.version("scikit-learn")
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        with pytest.raises(ModelProblem, match="Install scikit-learn"):
            load_model(FOLDER)
        pytest.skip(f"trained with scikit-learn {theirs}, {ours} is installed")
    return load_model(FOLDER)


def test_it_is_small_and_every_page_says_that_it_is_invented():
    files = {path.name: path for path in FOLDER.iterdir()}
    assert sum(path.stat().st_size for path in files.values()) < 1_000_000
    assert card()["synthetic"] is True
    for name in ("card.md", "card.html"):
        assert "合成数据" in files[name].read_text("utf-8")
    for name, digest in card()["files"].items():
        assert sha256_of_file(files[name]) == digest


def test_it_is_the_model_of_the_specification(shipped):
    specification = MODELS / "specs" / "cn-counties-entry.toml"
    assert shipped.spec.sha256 == sha256_of_file(specification)
    assert shipped.synthetic
    # Enough to learn from: ten events for each figure, and provinces that can be clusters.
    assert shipped.events >= 10 * len(shipped.spec.feature)
    assert shipped.groups >= 15


def test_it_speaks_of_invented_counties(shipped):
    books = load_rulebooks()
    with open_store(counties()) as store:
        panel = build_panel(store.known_on(COUNTY_DAY))
        applied = apply_model(shipped, store, panel, quarter=REPORT_QUARTER, books=books)
    assert applied.refused is None
    spoken = {unit: said for unit, said in applied.said.items() if not said.silent}
    assert len(spoken) > 40
    assert all(0 < said.low <= said.probability <= said.high < 1 for said in spoken.values())
    signalled = [said for said in spoken.values() if said.signal != "none"]
    assert signalled
    assert all(said.reasons for said in signalled)


def test_it_is_refused_on_real_accounts(shipped, tmp_path):
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
        panel = build_panel(store.known_on(AS_OF))
        applied = apply_model(shipped, store, panel, quarter=REPORT_QUARTER - 4, books=())
    assert not panel.known.synthetic
    assert applied.said == {}
    assert applied.refused == refusal(shipped, panel)
    assert "invented data" in applied.refused.template

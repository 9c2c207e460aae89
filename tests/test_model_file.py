"""Model folders: exact when read again, whole or not at all, refused when anything was changed."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import tomllib
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from debtwatch.early_warning import model_file
from debtwatch.early_warning.calibration import Platt
from debtwatch.early_warning.ladder import fit_models
from debtwatch.early_warning.model_file import (
    files_table,
    load_model,
    model_files,
    save_model,
)
from debtwatch.early_warning.model_json import read_record, restore
from debtwatch.early_warning.tree_file import ALLOWED, read_trees, tree_bytes
from debtwatch.errors import ModelProblem
from debtwatch.provenance import sha256_of_bytes
from tests import trained_case


@pytest.fixture(scope="module")
def trained():
    return trained_case.trained()


@pytest.fixture
def folder(trained, tmp_path):
    save_model(trained, tmp_path / "model")
    return tmp_path / "model"


def refused(folder) -> str:
    with pytest.raises(ModelProblem) as caught:
        load_model(folder)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def sign(folder) -> None:
    """Record the files as they now are: what someone who changes both would do."""
    sums = {p.name: sha256_of_bytes(p.read_bytes()) for p in folder.iterdir() if p.name != CARD}
    (folder / CARD).write_text(files_table(sums))


CARD, MODEL, TREES = "card.toml", "model.json", "trees.skops"


# -- there and back -------------------------------------------------------------------------------


def test_everything_comes_back_to_the_last_bit(trained, folder):
    again = load_model(folder)
    rows = trained_case.sample(seed=9)
    for name, odds in trained.log_odds(rows).items():
        np.testing.assert_array_equal(again.log_odds(rows)[name], odds)
    for name in (
        "spec", "frequency", "production", "members", "base_rate", "intercept_shift", "bins",
        "score_bins", "conformal", "train_first", "train_last", "rows", "events", "groups",
        "rules", "sources", "versions", "seed", "calibration", "synthetic",
    ):  # fmt: skip
        assert getattr(again, name) == getattr(trained, name), name
    pd.testing.assert_frame_equal(again.medians, trained.medians, check_exact=True)
    assert again.envelope.to_dict() == trained.envelope.to_dict()
    assert again.logit.to_dict() == trained.logit.to_dict()
    assert again.trees.to_dict() == trained.trees.to_dict()


def test_production_probability_is_the_average_of_the_ladder(trained):
    rows = trained_case.sample()
    p = 1 / (1 + np.exp(-trained.log_odds(rows)["average"]))
    np.testing.assert_allclose(p, trained_case.fitted_probability(), rtol=1e-12)


def test_average_of_all_four_members(trained, tmp_path):
    four = replace(trained, members=("logit", "trees", "projection", "distance"), calibration={})
    odds = four.log_odds(trained_case.sample())
    by_hand = (odds["logit"] + odds["trees"] + odds["projection"] + odds["distance"]) / 4
    np.testing.assert_allclose(odds["average"], by_hand, rtol=1e-14)
    assert all(np.isfinite(o).all() for o in odds.values())
    save_model(four, tmp_path / "m")
    again = load_model(tmp_path / "m").log_odds(trained_case.sample())
    np.testing.assert_array_equal(again["average"], odds["average"])


def test_all_members_as_the_ladder_fits_them():
    rows, given_spec = (
        trained_case.sample(),
        trained_case.spec(members=["logit", "trees", "projection", "distance"]),
    )
    models = fit_models(rows, given_spec, seed=3)
    model = replace(
        trained_case.trained(), spec=given_spec, members=given_spec.members,
        logit=models["logit"].estimator, trees=models["trees"].estimator,
        projection=models["projection"].estimator, distance=models["distance"].estimator,
        calibration={name: fitted.calibration for name, fitted in models.items()},
    )  # fmt: skip
    for name in (*given_spec.members, "average"):
        np.testing.assert_allclose(
            model.log_odds(rows)[name], models[name].log_odds(rows), rtol=1e-12
        )


def test_shift_moves_every_model_by_the_same_log_odds(trained):
    rows = trained_case.sample()
    moved = replace(trained, intercept_shift=0.4).log_odds(rows)
    for name, odds in trained.log_odds(rows).items():
        np.testing.assert_allclose(moved[name] - odds, 0.4, atol=1e-12)


def test_calibration_is_applied_to_log_odds_and_written(trained, tmp_path):
    rows = trained_case.sample()
    plain = replace(trained, calibration={})
    bent = replace(trained, calibration={"logit": Platt(-0.5, 2.0)})
    np.testing.assert_allclose(
        bent.log_odds(rows)["logit"], -0.5 + 2 * plain.log_odds(rows)["logit"], rtol=1e-12
    )
    save_model(bent, tmp_path / "m")
    assert load_model(tmp_path / "m").calibration == {"logit": Platt(-0.5, 2.0)}


def test_a_projection_that_the_sample_brings(trained):
    given_one = replace(trained, projection=None, members=("projection",), calibration={})
    rows = trained_case.sample()
    with pytest.raises(ModelProblem, match="projection"):
        given_one.log_odds(rows)
    p = np.linspace(0, 1, len(rows))
    p[0], p[-1] = np.nan, 1.0
    odds = given_one.log_odds(replace(rows, projection=p))["average"]
    # Missing is the event rate; certainty is held at one in a million.
    rate = trained.base_rate
    np.testing.assert_allclose(odds[0], np.log(rate / (1 - rate)))
    np.testing.assert_allclose(odds[-1], np.log((1 - 1e-6) / 1e-6))
    np.testing.assert_allclose(odds[300], np.log(p[300] / (1 - p[300])))


def test_without_trees_there_is_no_file_of_trees(trained, tmp_path):
    alone = replace(
        trained, trees=None, projection=None, distance=None, conformal=None,
        production="logit", members=("logit",),
    )  # fmt: skip
    assert list(save_model(alone, tmp_path / "m")) == [MODEL]
    again = load_model(tmp_path / "m")
    assert again.trees is again.conformal is again.projection is None
    odds = again.log_odds(trained_case.sample())
    assert set(odds) == {"logit", "average"}


def test_equal_classifiers_give_equal_bytes(trained):
    assert model_files(trained) == model_files(trained)
    # Trees that were read again live at other addresses.
    trees = trained.trees
    again = read_trees(tree_bytes(trees.model_), features=len(trees.columns_))
    assert tree_bytes(again) == tree_bytes(trees.model_)


@settings(max_examples=25)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_exact(value):
    base = trained_case.trained()
    medians = base.medians.copy()
    medians.iloc[1, 3] = value
    files = model_files(replace(base, medians=medians, intercept_shift=0.0))
    assert read_record(files[MODEL]).medians.rows[1][3] == value


def test_json_is_readable_and_holds_the_coefficients(trained, folder):
    record = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    assert record["spec"]["title"]["zh"] == "虚构"
    first = record["logit"]["effects"][0]
    assert first["pieces"][0]["coefficient"] == trained.logit.effects_[0].pieces[0].coefficient
    assert record["training"]["events"] == trained.events
    assert "\\u" not in (folder / MODEL).read_text(encoding="utf-8")


def test_card_records_the_sums(folder):
    files = tomllib.loads((folder / CARD).read_text())["files"]
    assert files == {n: sha256_of_bytes((folder / n).read_bytes()) for n in (MODEL, TREES)}


def test_nothing_is_pickled():
    for module in ("model_file", "model_json", "tree_file", "trained", "plain_values"):
        text = (Path(model_file.__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        assert not re.search(r"\b(import|from) (pickle|joblib|dill|cloudpickle)\b", text)
        assert "get_untrusted_types" not in text


# -- writing: whole or not at all -----------------------------------------------------------------


def test_further_files_come_with_the_model(trained, tmp_path):
    def others(sums):
        return {CARD: "owner = 'x'\n" + files_table(sums), "card.md": "# 卡片\n"}

    save_model(trained, tmp_path / "a" / "b", others=others)
    assert (tmp_path / "a" / "b" / "card.md").read_text(encoding="utf-8") == "# 卡片\n"
    load_model(tmp_path / "a" / "b")


def test_a_model_that_could_not_be_read_again_is_not_written(trained, folder):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    faults = [
        (replace(trained, versions={}), None),
        (replace(trained, distance=None, members=("distance",)), KeyError),
        (replace(trained, events=10**9), None),
    ]
    for model, kind in faults:
        with pytest.raises(kind or ModelProblem):
            save_model(model, folder)
    with pytest.raises(ModelProblem, match="does not record"):
        save_model(trained, folder, others=lambda sums: {CARD: "owner = 'x'\n"})
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_calibrations_of_further_models_are_not_kept(trained, tmp_path):
    more = {**trained.calibration, "signal": Platt(1.0, 2.0)}
    save_model(replace(trained, calibration=more), tmp_path / "m")
    assert load_model(tmp_path / "m").calibration == trained.calibration


def test_a_failure_leaves_the_earlier_model(trained, folder, monkeypatch):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def fail(sums):
        raise RuntimeError("no card")

    with pytest.raises(RuntimeError):
        save_model(replace(trained, seed=4), folder, others=fail)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_file, "_replace", full)
    with pytest.raises(ModelProblem, match="No space left"):
        save_model(replace(trained, seed=4), folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


@pytest.mark.parametrize("stuck", [False, True])
def test_the_earlier_model_survives_when_the_new_one_cannot_be_put_in_place(
    trained, folder, monkeypatch, stuck
):
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    rename = Path.rename

    def locked(self, target):
        # With stuck, the way back is closed too: the earlier model then waits in its side folder.
        if Path(target) == folder and (stuck or not self.parent.name.startswith(".model-old")):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", locked)
    with pytest.raises(ModelProblem, match="Permission denied"):
        save_model(replace(trained, seed=4), folder)
    kept = next(p.parent for p in folder.parent.rglob(CARD))
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == before
    assert (kept == folder) is not stuck


def test_an_earlier_model_is_replaced_whole(trained, folder):
    (folder / ".DS_Store").write_text("x")
    save_model(replace(trained, trees=None, production="logit", members=("logit",)), folder)
    assert sorted(p.name for p in folder.iterdir()) == [CARD, MODEL]
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_file_of_the_user_in_a_model_folder_is_not_lost(trained, folder):
    (folder / "notes.txt").write_text("mine")
    before = (folder / MODEL).read_bytes()
    with pytest.raises(ModelProblem, match=r"notes\.txt, which is no part of a model"):
        save_model(trained, folder)
    assert ((folder / "notes.txt").read_text(), (folder / MODEL).read_bytes()) == ("mine", before)


def test_a_folder_of_something_else_is_left_alone(trained, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(ModelProblem, match="holds no model"):
            save_model(trained, place)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_an_empty_folder_may_be_filled(trained, tmp_path):
    (tmp_path / "m").mkdir()
    save_model(trained, tmp_path / "m")
    load_model(tmp_path / "m")


# -- reading: refused when changed ----------------------------------------------------------------


@pytest.mark.parametrize("name", [MODEL, TREES])
@pytest.mark.parametrize("change", ["flip", "cut", "longer", "empty"])
def test_a_changed_file_is_refused_by_its_sum(folder, name, change, monkeypatch):
    def never(*_, **__):
        raise AssertionError("looked into before the sum was compared")

    monkeypatch.setattr(model_file, "read_record" if name == MODEL else "read_trees", never)
    content = bytearray((folder / name).read_bytes())
    if change == "flip":
        content[len(content) // 2] ^= 1
    (folder / name).write_bytes(
        {"flip": content, "cut": content[:-7], "longer": content + b"\n", "empty": b""}[change]
    )
    text = refused(folder)
    assert name in text
    assert "changed or damaged" in text
    assert "train the model again" in text


@pytest.mark.parametrize("name", [CARD, MODEL, TREES])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    text = refused(folder)
    assert name in text
    assert "debtwatch train" in text


def test_no_folder_at_all(tmp_path):
    assert "no trained model" in refused(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt", reason="directories read differently there")
def test_a_folder_in_place_of_a_file(folder):
    (folder / MODEL).unlink()
    (folder / MODEL).mkdir()
    assert "missing" in refused(folder)


@pytest.mark.parametrize("name", [CARD, MODEL, TREES])
def test_an_oversized_file_is_not_read_whole(folder, name, monkeypatch):
    monkeypatch.setitem(model_file.LIMITS, name, 10)
    assert "more than 10 bytes" in refused(folder)


@pytest.mark.parametrize(
    "card",
    [
        "", "[files]\n", "files = 3\n", "[files]\n'model.json' = 'abc'\n", "[files", "\x00",
        "[files]\n'model.json' = 3\n", "files = " + "[" * 3000,
    ],
)  # fmt: skip
def test_a_card_without_sums_is_refused(folder, card):
    (folder / CARD).write_text(card)
    assert CARD in refused(folder)


def test_a_card_that_is_not_text_is_refused(folder):
    (folder / CARD).write_bytes(b"\xff\xfe\x00")
    assert CARD in refused(folder)


def test_trees_that_the_card_does_not_record_are_refused(folder):
    (folder / CARD).write_text(files_table({MODEL: sha256_of_bytes((folder / MODEL).read_bytes())}))
    assert "changed or damaged" in refused(folder)


def change(folder, path, value):
    """Set an entry of the JSON, and sign it."""
    record = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    part = record
    for step in path[:-1]:
        part = part[step]
    if value is DROP:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    (folder / MODEL).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    sign(folder)


DROP = object()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], "debtwatch classifier 2"), (["base_rate"], 1.5), (["base_rate"], "0.1"),
        (["base_rate"], DROP), (["extra"], 1), (["production"], "forest"), (["members"], []),
        (["members"], ["logit", "forest"]), (["frequency"], "month"), (["seed"], 1),
        (["calibration", "logit"], {"intercept": 0.0, "slope": -1.0}),
        (["calibration", "forest"], {"intercept": 0.0, "slope": 1.0}),
        (["logit"], {}), (["logit", "effects", 0, "pieces"], []), (["logit", "base"], None),
        (["logit", "effects", 0, "column"], 99), (["logit", "effects", 0, "median"], "x"),
        (["logit", "names", 0], "income"), (["spec", "feature"], []), (["spec", "country"], 3),
        (["trees", "columns"], [0, 0, 1, 2, 3]), (["trees", "columns"], [0, 1, 2, 3, 99]),
        (["trees", "columns"], [0, 1]), (["trees", "columns"], []), (["trees", "features"], 3),
        (["trees", "base"], None), (["trees", "columns"], "01234"), (["trees"], None),
        (["trees", "settings"], {"evil": 1}), (["trees", "columns"], [0.5, 1, 2, 3, 4]),
        (["projection", "low"], [0.0]), (["projection", "scale", 0], 0.0),
        (["projection", "width"], [1.0]), (["projection", "width"], 0.0),
        (["projection", "upward"], 1.0),
        (["projection", "line"], True), (["projection", "line"], DROP),
        (["projection", "residuals"], []), (["projection", "move"], [0.0] * 5),
        (["distance", "feature"], "income"), (["distance", "high"], -1e9),
        (["distance", "sign"], "0"), (["bins", "income"], {}), (["bins", "debt"], {}),
        (["bins", "debt", "shares", 0], 7.0), (["score_bins", "rows"], 0),
        (["envelope", "names", 0], "income"), (["envelope", "lower"], []),
        (["conformal", "q0"], 2.0), (["medians", "groups", 0], "G1"),
        (["medians", "groups"], ["G1"]), (["medians", "groups", 1], "G2"),
        (["medians", "rows"], []), (["medians", "rows", 0], [1.0]),
        (["training", "events"], -1), (["training", "events"], 10**9),
        (["training", "first"], 2021), (["training", "rules"], "debt"),
        (["check", "logit"], []), (["check"], {}), (["check", "logit", 0], "x"),
    ],
)  # fmt: skip
def test_a_signed_but_wrong_entry_is_refused_with_its_place(folder, path, value):
    change(folder, path, value)
    text = refused(folder)
    assert any(said in text for said in (MODEL, TREES, "other probabilities"))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"[]", b"\xff", b"{", b'{"format": "debtwatch classifier 1"}',
        b"[" * 100_000, b'{"a": 1, "a": 2}', b'{"base_rate": NaN}', b'{"base_rate": Infinity}',
        pickle.dumps({"a": 1}),
    ],
)  # fmt: skip
def test_json_that_is_none_is_refused(folder, content):
    (folder / MODEL).write_bytes(content)
    sign(folder)
    assert MODEL in refused(folder)


def test_an_entry_given_twice_is_refused(folder):
    text = (folder / MODEL).read_text(encoding="utf-8")
    (folder / MODEL).write_text(
        text.replace('{\n "format"', '{\n "seed": 1,\n "seed": 2,\n "format"')
    )
    sign(folder)
    assert "given twice" in refused(folder)


def test_a_changed_coefficient_is_found_by_the_known_rows(folder):
    record = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    piece = record["logit"]["effects"][0]["pieces"][0]
    change(folder, ["logit", "effects", 0, "pieces", 0, "coefficient"], piece["coefficient"] + 1e-6)
    assert "other probabilities" in refused(folder)


def test_trees_of_another_minor_version_are_refused_unopened(folder, monkeypatch):
    monkeypatch.setattr(model_file, "read_trees", lambda *_, **__: pytest.fail("opened"))
    change(folder, ["training", "versions"], {"scikit-learn": "1.8.0"})
    text = refused(folder)
    assert "1.8.0" in text
    assert "Install scikit-learn" in text
    change(folder, ["training", "versions"], {})
    assert "scikit-learn –" in refused(folder)


def test_trees_of_another_patch_are_read(folder, monkeypatch):
    monkeypatch.setattr(model_file.metadata, "version", lambda _: "1.9.99")
    load_model(folder)


def test_a_logit_alone_does_not_mind_the_version(trained, tmp_path):
    alone = replace(
        trained,
        trees=None,
        production="logit",
        members=("logit",),
        versions={"scikit-learn": "0.1"},
    )
    save_model(alone, tmp_path / "m")
    load_model(tmp_path / "m")


# -- trees ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def boosted():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (x[:, 0] > 0.5).astype(float)
    return HistGradientBoostingClassifier(
        max_iter=5, max_leaf_nodes=4, early_stopping=False, random_state=1
    ).fit(x, y)


def unpacked(content):
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return {i.filename: source.read(i) for i in source.infolist()}


def packed(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, part in parts.items():
            target.writestr(name, part)
    return out.getvalue()


def test_trees_need_only_the_allowed_types(boosted):
    content = tree_bytes(boosted)
    untrusted = skops.io.get_untrusted_types(data=content)
    assert untrusted == ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
    assert b"RandomGeneratorNode" not in unpacked(content)["schema.json"]
    assert len(ALLOWED) < 20
    # The model that was written keeps its generator.
    assert boosted._feature_subsample_rng is not None


def test_parts_are_named_by_order_and_without_a_date(boosted):
    with zipfile.ZipFile(io.BytesIO(tree_bytes(boosted))) as source:
        assert all(re.fullmatch(r"\d{5}\.npy|schema\.json", i.filename) for i in source.infolist())
        assert {i.date_time for i in source.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    "other",
    [LogisticRegression(), {"a": np.random.default_rng(1)}, np.random.RandomState(1), [1, "a"]],
    ids=["estimator", "generator", "old generator", "list"],
)  # fmt: skip
def test_another_object_is_refused_before_it_is_built(other, monkeypatch):
    content = skops.io.dumps(other)
    if not isinstance(other, list):  # a list is of allowed types, and harmless
        monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("built"))
    with pytest.raises(ValueError, match=r"never does|no gradient boosting"):
        read_trees(content, features=1)


def test_a_type_put_into_the_description_is_refused(boosted, monkeypatch):
    monkeypatch.setattr(skops.io, "loads", lambda *_, **__: pytest.fail("built"))
    parts = unpacked(tree_bytes(boosted))
    schema = json.loads(parts["schema.json"])
    evil = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode",
            "content": {"module_path": "os", "function": "system"}}  # fmt: skip
    for place in ("a", "tol"):
        schema["content"]["content"][place] = evil
        bad = packed({**parts, "schema.json": json.dumps(schema).encode()})
        with pytest.raises(ValueError, match=r"os\.system"):
            read_trees(bad, features=3)


def test_a_trusted_class_under_another_loader_is_refused(boosted):
    parts = unpacked(tree_bytes(boosted))
    text = parts["schema.json"].decode().replace('"ObjectNode"', '"TypeNode"', 1)
    with pytest.raises(ValueError, match="never does"):
        read_trees(packed({**parts, "schema.json": text.encode()}), features=3)


def nodes_with(boosted, **changes):
    """Bytes of trees whose first table was changed."""
    parts = unpacked(tree_bytes(boosted))
    for name, part in parts.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(part))
            if array.dtype.names:
                for field, (row, value) in changes.items():
                    array[field][row] = value
                out = io.BytesIO()
                np.save(out, array)
                return packed({**parts, name: out.getvalue()})
    raise AssertionError("no table of nodes")


@pytest.mark.parametrize(
    "changes",
    [
        {"left": (0, 10**6)}, {"right": (0, 2**32 - 1)}, {"left": (0, 0)}, {"right": (0, 0)},
        {"feature_idx": (0, 3)}, {"feature_idx": (0, -1)}, {"feature_idx": (0, 2**40)},
        {"is_categorical": (0, 1)}, {"num_threshold": (0, np.nan)}, {"value": (-1, np.inf)},
        {"is_leaf": (0, 2)}, {"is_leaf": (-1, 0)},
    ],
)  # fmt: skip
def test_trees_that_lead_out_of_their_table_are_refused(boosted, changes):
    with pytest.raises(ValueError, match="own table"):
        read_trees(nodes_with(boosted, **changes), features=3)


def test_unchanged_tables_pass_the_same_way(boosted):
    read_trees(
        nodes_with(boosted, left=(0, int(boosted._predictors[0][0].nodes["left"][0]))), features=3
    )


def test_trees_of_another_number_of_features_are_refused(boosted):
    with pytest.raises(ValueError, match="3 features, not 2"):
        read_trees(tree_bytes(boosted), features=2)


def test_trees_of_three_classes_are_refused():
    x = np.arange(90.0).reshape(-1, 1)
    three = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(x, x[:, 0] // 30)
    with pytest.raises(ValueError, match=r"two classes|never does"):
        read_trees(tree_bytes(three), features=1)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04.", pickle.dumps([1]), b"{}" * 50])
def test_bytes_that_are_no_skops_file_are_refused(content):
    with pytest.raises(ValueError, match="not a skops file"):
        read_trees(content, features=1)


def test_a_zip_bomb_is_not_unpacked(boosted, monkeypatch):
    parts = unpacked(tree_bytes(boosted))
    monkeypatch.setattr("debtwatch.early_warning.tree_file.LARGEST_UNPACKED", 10**6)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, part in {**parts, "zeros.npy": bytes(2 * 10**6)}.items():
            target.writestr(name, part)
    assert len(out.getvalue()) < 10**6
    with pytest.raises(ValueError, match="more than a model needs"):
        read_trees(out.getvalue(), features=3)


@cache
def stored_trees() -> bytes:
    """Trees stored, not deflated: a damaged byte then reaches the description and the arrays."""
    x = np.random.default_rng(0).normal(size=(100, 3))
    model = HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=3, random_state=1)
    return packed(unpacked(tree_bytes(model.fit(x, x[:, 0] > 0))))


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.integers(0, 255))
def test_any_damaged_byte_gives_the_same_trees_or_a_refusal(place, value):
    content = bytearray(stored_trees())
    content[place % len(content)] = value
    try:
        read_trees(bytes(content), features=3)
    except ValueError:
        return


def test_restoring_needs_the_trees(trained):
    record = read_record(model_files(trained)[MODEL])
    with pytest.raises(ValueError, match="columns without trees"):
        restore(record, None)

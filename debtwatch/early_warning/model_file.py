"""Folders of trained classifiers: written whole or not at all, and opened only unchanged.

A folder holds ``model.json`` (everything but the boosted trees, readable), ``trees.skops`` (the
trees; only where there are some) and ``card.toml``, whose table ``[files]`` records the SHA-256 of
both. Each file is read once; its sum is compared before anything looks into it. That shows damage
and careless changes. It does not show who wrote the folder: take models from your own training
runs, never from strangers.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from debtwatch.early_warning.model_json import ModelRecord, model_json, read_record, restore
from debtwatch.early_warning.sample import Sample
from debtwatch.early_warning.trained import Trained
from debtwatch.early_warning.tree_file import LARGEST, read_trees, tree_bytes
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.provenance import sha256_of_bytes

MODEL: Final = "model.json"
TREES: Final = "trees.skops"
CARD: Final = "card.toml"
#: Most bytes of each file.
LIMITS: Final = {MODEL: 32 * 2**20, TREES: LARGEST, CARD: 2**20}
#: Log-odds may differ by so much from those that training left: the last digits of a sum.
SAME: Final = 1e-9
LIBRARY: Final = "scikit-learn"
#: What desktops leave in a folder that was looked at.
_TRACES: Final = (".DS_Store", "Thumbs.db", "desktop.ini")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def model_files(trained: Trained) -> dict[str, bytes]:
    """Give the content of each model file by its name, without writing anything.

    Parameters
    ----------
    trained : Trained

    Returns
    -------
    dict of str to bytes
        ``model.json``, and ``trees.skops`` where there are trees; equal for equal classifiers.
    """
    check = {name: odds.tolist() for name, odds in trained.log_odds(known_rows(trained)).items()}
    files = {MODEL: model_json(trained, check)}
    if trained.trees is not None and trained.trees.model_ is not None:
        files[TREES] = tree_bytes(trained.trees.model_)
    return files


def known_rows(trained: Trained) -> Sample:
    """Make rows that any model can be tried on: the medians of each group.

    Where a projection or a ratio is needed, it is 0.5.
    """
    rows = len(trained.medians)
    groups = trained.medians.index.to_numpy(object)
    half = np.full(rows, 0.5)
    nothing = np.full(rows, np.nan)
    return Sample(
        unit=groups, group=groups, period=np.full(rows, trained.train_last, np.int64),
        x=trained.medians.reset_index(drop=True), y=nothing, at_risk=np.ones(rows, bool),
        event_period=nothing, rule=np.full(rows, "", object), projection=half,
        frequency=trained.frequency, now=half, extreme=nothing,
    )  # fmt: skip


def save_model(
    trained: Trained,
    folder: Path,
    *,
    others: Callable[[dict[str, str]], Mapping[str, str]] | None = None,
) -> dict[str, str]:
    """Write a model folder, whole or not at all; it is read again before it is put in place.

    Parameters
    ----------
    trained : Trained
    folder : Path
        A new folder, an empty one, or an earlier model folder without other files, which is
        replaced.
    others : callable, optional
        Gives further text files by name from the SHA-256 of each model file; ``card.toml`` must be
        among them and record those in its table ``[files]`` (:func:`files_table`). Without it the
        card holds nothing else.

    Returns
    -------
    dict of str to str
        SHA-256 of each model file by its name.

    Raises
    ------
    ModelProblem
        When the folder holds something else, or cannot be written, or when what was written could
        not be read again (a card without the sums, versions without scikit-learn).
    """
    files = model_files(trained)
    sums = {name: sha256_of_bytes(content) for name, content in files.items()}
    texts = {CARD: files_table(sums)} if others is None else dict(others(sums))
    files |= {name: text.encode() for name, text in texts.items()}
    folder = folder.resolve()
    refuse_foreign_model(folder, ours=files)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, content in files.items():
                (partial / name).write_bytes(content)
            load_model(partial)  # a model that cannot be read again must not replace one that can
            partial.chmod(0o755)
            _replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ModelProblem(
            N_("The model cannot be written to {folder}: {reason}."),
            folder=folder, reason=error.strerror or str(error),
        ) from error  # fmt: skip
    return sums


def files_table(sums: Mapping[str, str]) -> str:
    """Write the table ``[files]`` of a card.

    Examples
    --------
    >>> print(files_table({"model.json": "ab12"}), end="")
    [files]
    "model.json" = "ab12"
    """
    return "[files]\n" + "".join(f'"{name}" = "{sums[name]}"\n' for name in sorted(sums))


def refuse_foreign_model(folder: Path, *, ours: Collection[str] = ()) -> None:
    """Refuse to replace what is not a model folder, or one with files of somebody else.

    Parameters
    ----------
    folder : Path
    ours : collection of str
        Names of the files that a model folder holds beside the model and ``card.toml``.

    Raises
    ------
    ModelProblem
        Naming the first such file.
    """
    known = {MODEL, TREES, CARD, *_TRACES, *ours}
    try:
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
        fine = not found or (folder / CARD).is_file()
    except OSError:  # a file, or a folder that cannot be looked into
        found, fine = [], False
    if not fine:
        raise ModelProblem(
            N_("{folder} exists and holds no model; give a new folder."), folder=folder
        )
    if foreign := [name for name in found if name not in known]:
        raise ModelProblem(
            N_("{folder} holds {file}, which is no part of a model and would be lost; move it, or "
               "give a new folder."),
            folder=folder, file=foreign[0],
        )  # fmt: skip


def _replace(partial: Path, folder: Path) -> None:
    """Put the finished folder in place; the earlier one goes only once it is there."""
    if not folder.exists():
        partial.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(old / folder.name)
    try:
        partial.rename(folder)
    except OSError:
        (old / folder.name).rename(folder)
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def load_model(folder: Path) -> Trained:
    """Read a model folder, after a look at whether it is the one that training left.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Trained
        Equal to the one that was written, to the last digit.

    Raises
    ------
    ModelProblem
        When a file is missing, too large, not the one that the card records, or not valid; when
        the trees are of another minor version of scikit-learn; when the model gives other
        log-odds here than where it was trained.
    """
    sums = _recorded(folder)
    record = _record(folder / MODEL, _unchanged(folder / MODEL, sums))
    trained = _restored(folder, record, _boosted(folder, record, sums))
    _check_same(folder, trained, record)
    return trained


def _recorded(folder: Path) -> dict[str, str]:
    """SHA-256 of each file as the card records it."""
    path = folder / CARD
    try:
        files = tomllib.loads(_content(path).decode("utf-8")).get("files")
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(files, dict) or MODEL not in files:
        raise _damaged(path, f"[files] does not record {MODEL}")
    for name, given in files.items():
        if not isinstance(given, str) or not _SHA256.fullmatch(given):
            raise _damaged(path, f"[files] records no SHA-256 of {name}")
    return files


def _content(path: Path) -> bytes:
    """Read a file once, up to its limit."""
    limit = LIMITS[path.name]
    try:
        if not path.is_file():
            raise FileNotFoundError
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except FileNotFoundError as error:
        raise ModelProblem(
            N_(
                "There is no trained model in {folder}: {name} is missing. Give a folder that"
                " `debtwatch train` wrote, or train the model again."
            ),
            folder=path.parent, name=path.name,
        ) from error  # fmt: skip
    except OSError as error:
        raise _damaged(path, error.strerror or str(error)) from error
    if len(content) > limit:
        raise _damaged(path, f"it has more than {limit} bytes")
    return content


def _unchanged(path: Path, sums: Mapping[str, str]) -> bytes:
    content = _content(path)
    found = sha256_of_bytes(content)
    if found != sums.get(path.name):
        raise ModelProblem(
            N_(
                "The model file {path} is not the one that its card records (SHA-256 {found}"
                " instead of {recorded}): it was changed or damaged after training. Do not use"
                " it; restore the folder from a copy, or train the model again."
            ),
            path=path, found=found[:12], recorded=(sums.get(path.name) or "–")[:12],
        )  # fmt: skip
    return content


def _damaged(path: Path, reason: str) -> ModelProblem:
    return ModelProblem(
        N_(
            "The model file {path} cannot be used: {reason}. Restore the folder from a copy, or"
            " train the model again."
        ),
        path=path, reason=reason,
    )  # fmt: skip


def _record(path: Path, content: bytes) -> ModelRecord:
    try:
        return read_record(content)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _boosted(
    folder: Path, record: ModelRecord, sums: Mapping[str, str]
) -> HistGradientBoostingClassifier | None:
    """Read the trees, where the model has some that found columns to use."""
    if record.trees is None or not record.trees.columns:
        return None
    path = folder / TREES
    content = _unchanged(path, sums)
    theirs = record.training.versions.get(LIBRARY, "–")
    ours = metadata.version(LIBRARY)
    if _minor(theirs) != _minor(ours):
        raise ModelProblem(
            N_(
                "The trees in {path} were fitted with scikit-learn {theirs}, and {ours} is"
                " installed: they could give other probabilities. Install scikit-learn {theirs},"
                " or train the model again."
            ),
            path=path, theirs=theirs, ours=ours,
        )  # fmt: skip
    try:
        return read_trees(content, features=len(record.trees.columns))
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])


def _restored(
    folder: Path, record: ModelRecord, boosted: HistGradientBoostingClassifier | None
) -> Trained:
    try:
        return restore(record, boosted)
    except ValueError as error:
        raise _damaged(folder / MODEL, str(error)) from error


def _check_same(folder: Path, trained: Trained, record: ModelRecord) -> None:
    """Find the recorded log-odds again: JSON, trees and libraries fit each other."""
    try:
        found = pd.DataFrame(trained.log_odds(known_rows(trained)))
        recorded = pd.DataFrame({k: list(v) for k, v in record.check.items()})
        same = set(found) == set(recorded) and len(found) == len(recorded)
    except ValueError as error:
        raise _damaged(folder / MODEL, str(error)) from error
    if not same or not np.allclose(found[list(recorded)], recorded, rtol=SAME, atol=SAME):
        raise ModelProblem(
            N_(
                "The model in {folder} gives other probabilities here than where it was trained."
                " Train it again with the packages that are installed."
            ),
            folder=folder,
        )

"""Score the governments of a plain table by a trained classifier, into a csv file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from debtwatch.early_warning.applied import stale_rows
from debtwatch.early_warning.explain import sentence
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.model_file import load_model
from debtwatch.early_warning.period_names import parse_origin, period_text
from debtwatch.early_warning.score import SIGNALS, SILENCE, Scores, score
from debtwatch.early_warning.table import read_observations
from debtwatch.early_warning.trained import Trained
from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.language import N_, Language, language
from debtwatch.reporting.classifier import say_note
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.rules.table_file import check_out, neutral


def score_table(
    model: Path, tables: Sequence[Path], out: Path, *, period: str | None = None, lang: str = "zh"
) -> str:
    """Score the governments of a table and write what the classifier says of each.

    Parameters
    ----------
    model : Path
        Folder of a trained classifier.
    tables : sequence of Path
        In the form that its specification describes; earlier periods are needed for changes.
    out : Path
        A csv file.
    period : str, optional
        Period of the scores; the latest of the table by default.
    lang : {"zh", "en"}

    Returns
    -------
    str
        What was written, in a sentence, and a line for each thing noticed in the tables.

    Raises
    ------
    DataProblem
        When the table cannot be used or the period is not in it.
    ModelProblem
        When the model cannot be used, or the file cannot be written.
    """
    if out.suffix.lower() != ".csv":
        raise ModelProblem(N_("{path} is not a csv file; name one for --out."), path=out)
    check_out(out)
    trained, words = load_model(model), language(lang)
    observations = read_observations(tables, trained.spec, learning=False)
    known = observations.frame["period"].to_numpy(np.int64)
    origin = int(known.max()) if period is None else parse_origin(period, observations.frequency)
    if origin not in known:
        raise DataProblem(
            N_("The table holds no row of {period}; its periods run from {first} to {last}."),
            period=period_text(origin, observations.frequency),
            first=period_text(int(known.min()), observations.frequency),
            last=period_text(int(known.max()), observations.frequency),
        )  # fmt: skip
    sample = build_sample(observations, trained.spec, books=load_rulebooks(), origins=[origin])
    scores = score(trained, sample, stale=stale_rows(observations, sample, trained, origin))
    text = _table(trained, scores, words).to_csv(index=False, lineterminator="\n")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8-sig", newline="")
        part.replace(out)
    except OSError as error:
        raise ModelProblem(
            N_("The scores cannot be written to {path}: {reason}."),
            path=out, reason=error.strerror or str(error),
        ) from error  # fmt: skip
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    notes = [say_note(note, words.text) for note in observations.notes]
    said = words.text(
        N_("{period}: {rows} governments, {signals} with a signal, {silent} without a statement. "
           "A score raises attention only; it never lowers a rule's level.")
    ).format(
        period=period_text(origin, observations.frequency),
        rows=len(scores),
        signals=int(np.isin(scores.signal, ["alert", "watch"]).sum()),
        silent=int((scores.abstained != "").sum()),
    )  # fmt: skip
    return "\n".join([said, *notes])


def _table(trained: Trained, scores: Scores, words: Language) -> pd.DataFrame:
    """One row for each government, the highest probability first; silence is an empty cell."""
    silent = scores.abstained != ""
    reasons = [
        "; ".join(sentence(r, trained.spec.feature_named(r.feature), words) for r in row)
        for row in scores.reasons
    ]
    frame = pd.DataFrame(
        {
            "unit": [neutral(str(u)) for u in scores.unit],
            "group": [neutral(str(g)) for g in scores.group],
            "period": [period_text(int(p), trained.frequency) for p in scores.period],
            "probability": np.where(silent, np.nan, scores.probability),
            "lower": np.where(silent, np.nan, scores.lower),
            "upper": np.where(silent, np.nan, scores.upper),
            "signal": [words.text(SIGNALS[s]) for s in scores.signal],
            "rank": pd.array([int(r) or None for r in scores.rank], dtype="Int64"),
            "listed": scores.listed.astype(int),
            "silent": [words.text(SILENCE[a]) if a else "" for a in scores.abstained],
            "reasons": [neutral(r) for r in reasons],
            "synthetic": int(trained.synthetic),
        }
    )
    order = np.argsort(np.where(silent, 2.0, 1 - scores.probability), kind="stable")
    return frame.iloc[order]

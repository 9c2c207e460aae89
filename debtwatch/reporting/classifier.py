"""Train and judge classifiers from files to folders: one function behind each command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from debtwatch.early_warning.experiment import Experiment, run_experiment
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.metrics import DRAWS
from debtwatch.early_warning.sample import Note, Observations, Sample
from debtwatch.early_warning.spec import Spec, load_spec
from debtwatch.early_warning.store_rows import observations_of_store
from debtwatch.early_warning.table import read_observations
from debtwatch.early_warning.time_travel import leaks
from debtwatch.early_warning.trained import Trained
from debtwatch.early_warning.training import train
from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.language import N_, Language, language
from debtwatch.panel.store import open_store
from debtwatch.provenance import package_versions
from debtwatch.reporting.classifier_card import refuse_foreign_card, write_model_folder
from debtwatch.reporting.classifier_page import classifier_context
from debtwatch.reporting.render import refuse_foreign_classifier, write_classifier_backtest
from debtwatch.rules.rulebook import Rulebook, load_rulebooks

Progress = Callable[[int, int], None]
#: What scikit-learn takes for a seed.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Request:
    """What a classifier is to be made of.

    Attributes
    ----------
    spec : Path
    tables : tuple of Path
        Plain tables, joined on government and period; or
    store : Path or None
        a store.
    as_of : date
        Nothing that a store learned after this day is used.
    seed, draws : int
        Of all chance, and draws of clusters for the intervals.
    references : bool
        Whether a forest and trees of usual size are fitted for comparison.
    lang : {"zh", "en"}
    """

    spec: Path
    tables: tuple[Path, ...]
    store: Path | None
    as_of: dt.date
    seed: int = 20260930
    draws: int = DRAWS
    references: bool = False
    lang: str = "zh"


@dataclass(frozen=True)
class Prepared:
    """A specification with its rows.

    Attributes
    ----------
    spec : Spec
    sample : Sample
    sources : dict of str to str
    leaked : tuple of str
    books : tuple of Rulebook
    """

    spec: Spec
    sample: Sample
    sources: dict[str, str]
    leaked: tuple[str, ...]
    books: tuple[Rulebook, ...]

    @property
    def used(self) -> dict[str, str]:
        """SHA-256 of each rulebook that judged an outcome."""
        rules = set(self.sample.rule.tolist())
        return {b.reference: b.sha256 for b in self.books if b.reference in rules}


def prepare(request: Request, progress: Progress | None = None) -> Prepared:
    """Read the figures of a request and build its rows.

    Parameters
    ----------
    request : Request
    progress : callable, optional
        Told origins read and origins in all, of a store.

    Returns
    -------
    Prepared

    Raises
    ------
    DataProblem
        When the data cannot be used.
    ModelProblem
        When neither tables nor a store are given, or both; when the specification is not valid or
        the seed too large; or when a feature sees what was published later.
    """
    if bool(request.tables) == (request.store is not None):
        raise ModelProblem(
            N_("Give the figures by --table (once for each table) or by --store, one of the two.")
        )
    if not 0 <= request.seed <= LARGEST_SEED:
        raise ModelProblem(
            N_("The seed is {seed}; give a whole number from 0 to {largest}."),
            seed=request.seed, largest=LARGEST_SEED,
        )  # fmt: skip
    spec, books = load_spec(request.spec), load_rulebooks()
    observations, projection, spec = _figures(request, spec, books, progress)
    sample = build_sample(observations, spec, books=books, projection=projection)
    leaked = leaks(observations, spec, seed=request.seed)
    if leaked:
        raise ModelProblem(
            N_("These features change when only what was published later is changed: {features}. "
               "They see the future; take them out of the specification."),
            features=", ".join(leaked),
        )  # fmt: skip
    return Prepared(spec, sample, observations.sources, leaked, books)


def _figures(
    request: Request, spec: Spec, books: tuple[Rulebook, ...], progress: Progress | None
) -> tuple[Observations, pd.Series[Any] | None, Spec]:
    if request.store is None:
        return read_observations(request.tables, spec), None, spec
    with open_store(request.store) as store:
        # Invented accounts make an invented model, whatever the specification says.
        invented = store.known_on(request.as_of).synthetic or spec.synthetic
        # A store keeps vintages with their days; its keys are its own.
        data = spec.data.model_copy(update={"known_from": "known_from"})
        spec = spec.model_copy(update={"synthetic": invented, "data": data})
        observations, projection = observations_of_store(
            store, spec, as_of=request.as_of, books=books, seed=request.seed, progress=progress
        )
    return observations, projection, spec


def judge(prepared: Prepared, request: Request, progress: Progress | None = None) -> Experiment:
    """Judge the models of a request at rolling origins; see :func:`run_experiment`.

    Raises
    ------
    DataProblem
        As there, with what was noticed when the tables were read: often the cause.
    """
    try:
        return run_experiment(
            prepared.sample, prepared.spec, seed=request.seed, draws=request.draws,
            references=request.references, leaked=prepared.leaked, progress=progress,
        )  # fmt: skip
    except DataProblem as error:
        notes, problem = prepared.sample.notes, error
        if not notes:
            raise
        raise DataProblem(
            N_("{problem} Noticed in the data: {notes}"), problem=problem.text,
            notes=lambda words: " ".join(say_note(note, words) for note in notes),
        ) from error  # fmt: skip


def say_note(note: Note, translate: Callable[[str], str]) -> str:
    """Say a note in the user's language."""
    return translate(note.template).format(**note.values)


def _with_notes(page: dict[str, Any], sample: Sample, words: Language) -> dict[str, Any]:
    """Put what was noticed in the data before the limits that hold for every model."""
    said = [say_note(note, words.text) for note in sample.notes]
    limits = [*said, *page["findings"]["limits"]]
    return {**page, "findings": {**page["findings"], "limits": limits}}


def backtest_classifier(
    request: Request,
    out: Path | None,
    *,
    reading: Progress | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Judge a classifier on the past and write the page.

    Parameters
    ----------
    request : Request
    out : Path or None
        Folder for the page, ``metrics.json``, ``predictions.csv`` and ``manifest.json``.
    reading, progress : callable, optional
        Told origins of a store read, and origins judged.

    Returns
    -------
    dict
        Content of ``metrics.json``.

    Raises
    ------
    DataProblem, ModelProblem
        As :func:`prepare` and :func:`run_experiment`, or when the folder holds something else.
    """
    if out is not None:
        refuse_foreign_classifier(out)
    prepared = prepare(request, reading)
    experiment = judge(prepared, request, progress)
    words = language(request.lang)
    page = classifier_context(
        experiment, words=words, sources=prepared.sources, versions=package_versions()
    )
    page = _with_notes(page, prepared.sample, words)
    if out is not None:
        write_classifier_backtest(
            page, experiment.predictions, out, lang=request.lang, rulebooks=prepared.used
        )
    return page


def train_classifier(
    request: Request,
    out: Path,
    *,
    reading: Progress | None = None,
    progress: Progress | None = None,
) -> tuple[Trained, dict[str, Any]]:
    """Judge a classifier on the past, fit it on every known row, and write the model with its card.

    Parameters
    ----------
    request : Request
    out : Path
        New folder, or one that holds an earlier model.
    reading, progress : callable, optional

    Returns
    -------
    trained : Trained
    page : dict
        What the card says.

    Raises
    ------
    DataProblem, ModelProblem
        As :func:`backtest_classifier`.
    """
    refuse_foreign_card(out)
    prepared = prepare(request, reading)
    experiment = judge(prepared, request, progress)
    words, versions = language(request.lang), package_versions()
    trained = train(
        prepared.sample, prepared.spec, experiment, sources=prepared.sources, versions=versions,
        seed=request.seed,
    )  # fmt: skip
    page = classifier_context(
        experiment, words=words, sources=prepared.sources, versions=versions, trained=trained
    )
    page = _with_notes(page, prepared.sample, words)
    write_model_folder(page, trained, out, lang=request.lang)
    return trained, page

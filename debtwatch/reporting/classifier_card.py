"""The folder of a trained classifier: model files, and the card that says what they are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from debtwatch.early_warning.model_file import (
    CARD,
    files_table,
    refuse_foreign_model,
    save_model,
)
from debtwatch.early_warning.trained import Trained
from debtwatch.reporting.classifier_charts import lead_chart, reliability_chart
from debtwatch.reporting.classifier_files import card_toml
from debtwatch.reporting.render import render_card, render_card_markdown

#: Files of the folder beside the model and card.toml.
_PAGES = ("card.md", "card.html", "calibration.svg", "lead_time.svg")
#: Shown where a chart has nothing to show, so that no link of the card is broken.
_EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


def refuse_foreign_card(out: Path) -> None:
    """Refuse a folder that a model cannot replace, before any work is done.

    Raises
    ------
    ModelProblem
        When the folder holds something else.
    """
    refuse_foreign_model(out.resolve(), ours=_PAGES)


def write_model_folder(
    context: dict[str, Any], trained: Trained, out: Path, *, lang: str
) -> dict[str, str]:
    """Write a trained classifier with its card, all or nothing.

    The folder holds the model files, ``card.toml`` (figures for programs, and the SHA-256 of the
    model files), ``card.md`` and ``card.html`` (the card for people), ``calibration.svg`` and
    ``lead_time.svg``.

    Parameters
    ----------
    context : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`, with ``trained``.
    trained : Trained
    out : Path
        New folder, or one that holds an earlier model.
    lang : {"zh", "en"}

    Returns
    -------
    dict of str to str
        SHA-256 of each model file by its name.

    Raises
    ------
    ModelProblem
        When the folder holds something else, or cannot be written.
    """

    def texts(sums: dict[str, str]) -> dict[str, str]:
        return {
            CARD: f"{card_toml(context)}\n{files_table(sums)}",
            "card.md": render_card_markdown(context, lang, sums),
            "card.html": render_card(context, lang, sums),
            "calibration.svg": reliability_chart(context, lang) or _EMPTY,
            "lead_time.svg": lead_chart(context, lang) or _EMPTY,
        }

    return save_model(trained, out, others=texts)

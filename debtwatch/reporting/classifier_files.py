"""Machine-readable files of a classifier: predictions as CSV, the card as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from debtwatch.early_warning.period_names import period_text
from debtwatch.early_warning.sample import Frequency
from debtwatch.rules.table_file import neutral

FORMAT = "debtwatch model card 1"
#: Figures of a model with an interval, and without.
_INTERVALS = ("auc", "pr_auc", "brier", "skill_train", "precision_k")
_PLAIN = ("auc_by_origin", "skill_test", "log_loss", "recall_k", "lift_k", "mean_p")


def predictions_csv(predictions: pd.DataFrame, frequency: Frequency) -> str:
    """Write predictions as CSV that a spreadsheet cannot take for formulas.

    Parameters
    ----------
    predictions : DataFrame
        Of an experiment: keys, then a probability for each model.
    frequency : {"year", "quarter"}

    Returns
    -------
    str
        One line for each row; periods as text, probabilities with all their digits.

    Examples
    --------
    >>> table = pd.DataFrame({"unit": ["=1"], "origin": [2020], "y": [1.0], "logit": [0.25]})
    >>> print(predictions_csv(table, "year"), end="")
    unit,origin,y,logit
    '=1,2020,1,0.25
    """
    table = predictions.copy()
    for name in ("origin", "period", "event_period"):
        if name in table:
            table[name] = [
                "" if pd.isna(value) else period_text(int(value), frequency)
                for value in table[name]
            ]
    for name in ("unit", "group"):
        if name in table:
            table[name] = [neutral(str(value)) for value in table[name]]
    if "y" in table:
        table["y"] = table["y"].astype("Int64")
    return str(table.to_csv(index=False, lineterminator="\n"))


def card_toml(page: dict[str, Any]) -> str:
    """Write the figures of a model card as TOML.

    Parameters
    ----------
    page : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`, with the trained model.

    Returns
    -------
    str
        Every table but ``[files]``, which records the model files.
    """
    training = page["training"]
    keys = ("id", "title", "country", "owner", "synthetic", "language", "frequency", "production",
            "seed", "draws", "version", "spec_sha256", "leaked")  # fmt: skip
    table = {
        "format": FORMAT,
        **{key: page[key] for key in keys},
        "target": page["target"],
        "counts": page["counts"],
        "training": {k: training[k] for k in ("first", "last", "rows", "events", "groups",
                                              "base_rate", "members", "intercept_shift")},
        "test": page["test"],
        "drift": {k: page["drift"][k] for k in ("level", "reasons", "update_due", "update_shift")},
        "promotion": {
            "promoted": page["promotion"]["promoted"],
            **{c["name"]: c["met"] for c in page["promotion"]["conditions"]},
        },
        "sources": page["sources"],
        "versions": page["versions"],
        "model": [_model(m) for m in page["models"]],
        "difference": [
            {k: d[k] for k in ("against", "metric", "value", "lower", "upper", "share_better",
                               "verdict")}
            for d in page["differences"]
        ],
    }  # fmt: skip
    return toml_text(table)


def _model(model: dict[str, Any]) -> dict[str, Any]:
    found = {key: model[key] for key in ("id", "label", "kind", "used", "rows", "events")}
    for name in _INTERVALS:
        interval = model[name]
        found |= {
            name: interval["mean"],
            f"{name}_lower": interval["lower"],
            f"{name}_upper": interval["upper"],
        }
    found |= {name: model[name] for name in _PLAIN}
    calibration = model["calibration"]
    return found | {f"calibration_{k}": calibration[k] for k in ("intercept", "slope")}


def toml_text(table: Mapping[str, Any]) -> str:
    """Write plain values as TOML; what is None is left out.

    Parameters
    ----------
    table : mapping
        Of texts, numbers, lists of them, mappings and lists of mappings.

    Examples
    --------
    >>> print(toml_text({"a": 1.5, "b": None, "c": {"d": "x"}, "e": [{"f": True}]}), end="")
    a = 1.5
    <BLANKLINE>
    [c]
    d = "x"
    <BLANKLINE>
    [[e]]
    f = true
    """
    return "".join(_lines(table, ())).lstrip("\n")


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    nested = {k: v for k, v in table.items() if _is_table(v)}
    lines = [
        f"{_key(name)} = {_value(value)}\n"
        for name, value in table.items() if name not in nested and value is not None
    ]  # fmt: skip
    for name, value in nested.items():
        place = ".".join(_key(part) for part in (*path, name))
        if isinstance(value, Mapping):
            lines += [f"\n[{place}]\n", *_lines(value, (*path, name))]
        else:
            for each in value:
                lines += [f"\n[[{place}]]\n", *_lines(each, (*path, name))]
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)
    )


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _value(name)


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(v) for v in value)}]"
    if isinstance(value, bool | int | str):
        # A TOML text knows the escapes of a JSON one, and no DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(float(value))
    raise TypeError(f"{type(value).__name__} has no place in a card")

"""Frozen dataclasses as plain values for JSON, and back again with every field checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from debtwatch.errors import ModelProblem
from debtwatch.language import N_

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Value = TypeVar("Value", bound="DataclassInstance")


def to_plain(value: DataclassInstance) -> dict[str, Any]:
    """Give a dataclass as a dict of lists and numbers; NaN, which JSON lacks, becomes None.

    Parameters
    ----------
    value : dataclass
        Of numbers, texts and tuples of them.

    Returns
    -------
    dict

    Examples
    --------
    >>> from debtwatch.early_warning.abstention import Envelope
    >>> to_plain(Envelope(("debt",), (float("nan"),), (2.0,), (True,)))
    {'names': ['debt'], 'lower': [None], 'upper': [2.0], 'judged': [True]}
    """
    return {name: _plain(part) for name, part in asdict(value).items()}


def _plain(part: Any) -> Any:
    if isinstance(part, list | tuple):
        return [_plain(each) for each in part]
    return None if isinstance(part, float) and math.isnan(part) else part


def from_plain(kind: type[Value], table: Mapping[str, Any]) -> Value:
    """Build a dataclass from plain values.

    Parameters
    ----------
    kind : type
        The dataclass; its own checks apply too.
    table : mapping
        As :func:`to_plain` gives it, or as read from JSON.

    Returns
    -------
    dataclass
        Equal to the one written, each float to the last bit.

    Raises
    ------
    ModelProblem
        When a field is missing, unknown, of another type or refused by the dataclass.

    Examples
    --------
    >>> from debtwatch.early_warning.drift import Bins
    >>> from_plain(Bins, {"edges": [1.0], "shares": [0.5, 0.5, 0.0], "rows": 10, "usual": 0.0})
    Bins(edges=(1.0,), shares=(0.5, 0.5, 0.0), rows=10, usual=0.0)
    """
    wanted = {field.name for field in fields(kind)}
    try:
        wrong = sorted(wanted ^ set(table))
        if wrong:
            raise ValueError(", ".join(wrong))
        text = json.dumps({name: _filled(part) for name, part in table.items()})
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        reason = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])} {each['msg']}".strip()
            for each in error.errors()
        )
    except (TypeError, ValueError) as error:
        reason = str(error)
    raise ModelProblem(
        N_("The model's record of {kind} is not valid: {reason}. Train the model anew."),
        kind=kind.__name__, reason=reason,
    )  # fmt: skip


def _filled(part: Any) -> Any:
    if isinstance(part, list | tuple):
        return [_filled(each) for each in part]
    return math.nan if part is None else part

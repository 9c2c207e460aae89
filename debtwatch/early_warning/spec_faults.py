"""Faults of a specification in words: what stands where, and what belongs there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from debtwatch.early_warning.sample import Note
from debtwatch.errors import DebtwatchError
from debtwatch.language import N_

Translate = Callable[[str], str]
_ORDER = {
    "greater_than": ">",
    "greater_than_equal": "≥",
    "less_than": "<",
    "less_than_equal": "≤",
}
_WHOLE = N_("must be a whole number")
_TEXT = N_("must be text in quotation marks")
#: What belongs in a place, by the kind of fault.
_KINDS = {
    "missing": N_("is missing"),
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": _WHOLE,
    "float_type": N_("must be a number"),
    "float_parsing": N_("must be a number"),
    "finite_number": N_("must be a finite number"),
    "bool_type": N_("must be true or false"),
    "bool_parsing": N_("must be true or false"),
    "string_type": _TEXT,
    "tuple_type": N_("must be a list in brackets"),
    "dict_type": N_("must be a table of names and values"),
    "model_type": N_("must be a table of names and values"),
    "model_attributes_type": N_("must be a table of names and values"),
    "too_short": N_("must have an entry"),
    "string_too_short": N_("must not be empty"),
    # What the pattern of a key asks for.
    "id": N_("must be of small letters, digits, _ and -, at most 80, and begin with a letter or "
             "digit"),
    "country": N_("must be the two capital letters of the country, such as CN or BR"),
}  # fmt: skip


class SpecFault(ValueError):
    """What does not fit within a specification.

    Parameters
    ----------
    *faults : Note

    Examples
    --------
    >>> str(SpecFault(Note("{name} is given twice", {"name": "debt"})))
    'debt is given twice'
    """

    def __init__(self, *faults: Note) -> None:
        self.faults = faults
        super().__init__("; ".join(_said(fault, str) for fault in faults))


def faults_in_words(error: ValidationError, model: type[BaseModel]) -> Callable[[Translate], str]:
    """Give every fault with its place, to be said in the user's language.

    Parameters
    ----------
    error : ValidationError
    model : type of BaseModel
        Of the whole file, for the names it knows.

    Returns
    -------
    callable
        From a translator of texts to the sentence.
    """
    found = error.errors()
    # A list with one entry that is wrong also counts as having none.
    details = [
        d for d in found
        if d["type"] != "too_short"
        or not any(o is not d and o["loc"][: len(d["loc"])] == d["loc"] for o in found)
    ]  # fmt: skip
    return lambda words: "; ".join(_fault(dict(d), model, words) for d in details)


def _said(fault: Note, words: Translate) -> str:
    values = {k: v(words) if callable(v) else v for k, v in fault.values.items()}
    return words(fault.template).format(**values)


def _fault(details: Mapping[str, Any], model: type[BaseModel], words: Translate) -> str:
    place = ".".join(str(p + 1) if isinstance(p, int) else str(p) for p in details["loc"])
    said = _what(details, model, words)
    return f"{place}: {said}" if place else said


def _what(details: Mapping[str, Any], model: type[BaseModel], words: Translate) -> str:
    kind, given = str(details["type"]), details.get("ctx", {})
    if isinstance(given.get("error"), SpecFault):
        return "; ".join(_said(fault, words) for fault in given["error"].faults)
    if kind == "extra_forbidden":
        return _unknown(details["loc"], model, words)
    if kind in _ORDER:
        limit = next(given[k] for k in ("gt", "ge", "lt", "le") if k in given)
        return words(N_("must be {sign} {limit}")).format(sign=_ORDER[kind], limit=f"{limit:.12g}")
    if kind == "too_long":
        text = words(N_("has {count} entries; at most {most} are possible"))
        return text.format(count=given["actual_length"], most=given["max_length"])
    if kind == "literal_error":
        choices = words(N_(", ")).join(re.findall(r"'([^']*)'", given["expected"]))
        return words(N_("must be one of {choices}")).format(choices=choices)
    if kind == "string_pattern_mismatch":
        kind = str(details["loc"][-1])
    return words(_KINDS.get(kind, N_("is not valid")))


def _unknown(place: Sequence[str | int], model: type[BaseModel], words: Translate) -> str:
    """Say that a key is not known, and which ones look like it."""
    known = _keys(place[:-1], model)
    near = difflib.get_close_matches(str(place[-1]), known, n=2)
    text = words(N_("there is no such key; the keys are {keys}"))
    return text.format(keys=", ".join(near or known))


def _keys(place: Sequence[str | int], model: type[BaseModel]) -> list[str]:
    """Keys of the table at a place."""
    for part in place:
        field = next(
            (f for n, f in model.model_fields.items() if part in {n, f.alias}), None
        )  # fmt: skip
        if field is not None:
            within = [field.annotation, *get_args(field.annotation)]
            tables = [t for t in within if isinstance(t, type) and issubclass(t, BaseModel)]
            model = tables[0] if tables else model
    return [str(f.alias or n) for n, f in model.model_fields.items() if n != "sha256"]


def reason_of(error: DebtwatchError) -> Callable[[Translate], str]:
    """Give the text of an error within another, without its full stop."""
    return lambda words: error.text(words).rstrip(".。")

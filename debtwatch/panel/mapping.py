"""The mapping file: how to read a table whose headings debtwatch does not know.

A TOML file beside the data::

    money_unit = "万元"
    flows = "to_date"            # or "quarter"
    sheets = ["表1"]
    ignore = ["序号"]
    [headings]
    "本级财力收入" = "gpb_revenue"
    [codes]
    "云溪县" = "530001"
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import KEY_HEADINGS, is_field, money_scale, normalise


class Mapping(BaseModel):
    """How to read one source's tables.

    Attributes
    ----------
    money_unit : str or None
        Unit of money where the table names none, such as 万元.
    flows : {"to_date", "quarter"} or None
        Whether quarterly flows run from January or cover their quarter.
    sheets : tuple of str
        Sheets to read; all when empty.
    ignore : tuple of str
        Headings to pass over in silence.
    headings : dict
        Heading in the file to field or key column.
    codes : dict
        Name of a government to its code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    money_unit: str | None = None
    flows: Literal["to_date", "quarter"] | None = None
    sheets: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    headings: dict[str, str] = {}
    codes: dict[str, str] = {}

    @field_validator("money_unit")
    @classmethod
    def _known_unit(cls, unit: str | None) -> str | None:
        if unit is not None and money_scale(unit) is None:
            raise ValueError(f"{unit} is not a money unit; use 元, 万元 or 亿元")
        return unit

    @field_validator("headings")
    @classmethod
    def _known_targets(cls, headings: dict[str, str]) -> dict[str, str]:
        unknown = [t for t in headings.values() if not is_field(t) and t not in KEY_HEADINGS]
        if unknown:
            raise ValueError(f"no field is named {', '.join(unknown)}; see docs/data-dictionary.md")
        return {normalise(heading): target for heading, target in headings.items()}

    @field_validator("ignore")
    @classmethod
    def _plain(cls, headings: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normalise(heading) for heading in headings)


def load_mapping(path: Path) -> Mapping:
    """Load a mapping file.

    Raises
    ------
    DataProblem
        When the file is missing, not TOML, or names an unknown field; all errors at once.
    """
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise DataProblem(
            N_("The mapping file {path} cannot be opened: {reason}."),
            path=path,
            reason=error.strerror,
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataProblem(
            N_("The mapping file {path} is not valid TOML: {reason}."), path=path, reason=error
        ) from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise DataProblem(
            N_("The mapping file {path} has faults: {faults}."), path=path, faults=faults
        ) from error

"""Problems found in data: what is wrong, where, and how to mend it.

A problem has one of three severities. ``refuse``: the file cannot be read or its keys clash; it is
left out whole. ``flag``: the value is kept in the store and, where the rule can name the doubtful
cell, left out of indicators until corrected or confirmed. ``note``: worth knowing, nothing to do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from debtwatch.language import N_
from debtwatch.panel.period import quarter_text

SEVERITIES = ("refuse", "flag", "note")


@dataclass(frozen=True)
class Rule:
    """One check: its severity, what it says and how to mend what it finds."""

    severity: str
    what: str
    mend: str
    excludes: bool = False


@dataclass(frozen=True)
class Problem:
    """One problem in one place.

    Attributes
    ----------
    rule : str
        Key of :data:`RULES`.
    file, sheet, cell : str
        Where it stands; empty when it does not stand in one place.
    unit, field : str
        Government and field concerned, empty when not one.
    quarter : int or None
        Ordinal of the quarter concerned.
    value : float, str or None
        The value as read (money in yuan).
    details : mapping
        Values of the placeholders in the rule's texts.
    """

    rule: str
    file: str = ""
    sheet: str = ""
    cell: str = ""
    unit: str = ""
    field: str = ""
    quarter: int | None = None
    value: float | str | None = None
    details: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @property
    def severity(self) -> str:
        """Severity of its rule."""
        return RULES[self.rule].severity

    @property
    def excludes(self) -> bool:
        """Whether the value is left out of indicators until corrected or confirmed."""
        return RULES[self.rule].excludes

    @property
    def period(self) -> str:
        """Text of the quarter, empty when none."""
        return "" if self.quarter is None else quarter_text(self.quarter)

    def what(self, translate: Callable[[str], str] = str) -> str:
        """Say what is wrong."""
        details = dict(self.details)
        if self.rule in {"project-invalid", "proposals-unreadable"}:  # one of our own messages
            text, values = translate(str(details["text"])), details.pop("values", None)
            details["text"] = text.format(**values) if isinstance(values, dict) else text
        return translate(RULES[self.rule].what).format(**details)

    def mend(self, translate: Callable[[str], str] = str) -> str:
        """Say how to mend it."""
        return translate(RULES[self.rule].mend).format(**self.details)


def column_letters(column: int) -> str:
    """Spreadsheet letters of a column counted from 0.

    Examples
    --------
    >>> column_letters(0), column_letters(27)
    ('A', 'AB')
    """
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_name(row: int, column: int) -> str:
    """Spreadsheet name of a cell from row and column counted from 0.

    Examples
    --------
    >>> cell_name(4, 2)
    'C5'
    """
    return f"{column_letters(column)}{row + 1}"


def exit_code(problems: Iterable[Problem]) -> int:
    """Exit code of a command: 2 when a file was refused, 3 with flags, 0 otherwise."""
    severities = {problem.severity for problem in problems}
    return 2 if "refuse" in severities else 3 if "flag" in severities else 0


def sort_key(problem: Problem) -> tuple[int, str, str, int, str, str]:
    """Order of presentation: severity, then place."""
    return (
        SEVERITIES.index(problem.severity),
        problem.file,
        problem.unit,
        problem.quarter or 0,
        problem.field,
        problem.rule,
    )


def _refuse(what: str, mend: str) -> Rule:
    return Rule("refuse", what, mend)


def _flag(what: str, mend: str) -> Rule:
    return Rule("flag", what, mend)


def _doubt(what: str, mend: str) -> Rule:
    return Rule("flag", what, mend, excludes=True)


def _note(what: str, mend: str) -> Rule:
    return Rule("note", what, mend)


_COMPARE = N_("Compare with the published table; correct the cell, or confirm it on import.")

RULES: dict[str, Rule] = {
    # reading
    "file-missing": _refuse(
        N_("There is no file at this path."), N_("Check the spelling and the folder.")
    ),
    "file-empty": _refuse(N_("The file is empty."), N_("Save the table again and check its size.")),
    "file-format": _refuse(
        N_("Files ending in “{suffix}” are not read."),
        N_("Save the table as .xlsx, .csv or .parquet."),
    ),
    "file-protected": _refuse(
        N_("The workbook is protected by a password."),
        N_("Open it, remove the password, save and try again."),
    ),
    "file-unreadable": _refuse(
        N_("The file cannot be read: {reason}"),
        N_("Open it in a spreadsheet program and save it again as .xlsx or UTF-8 .csv."),
    ),
    "sheet-missing": _refuse(
        N_("There is no sheet named “{sheet}”; the file has: {sheets}."),
        N_("Correct the sheet name in the mapping file."),
    ),
    "no-table": _refuse(
        N_("No row of known headings was found in any sheet."),
        N_("Start from `debtwatch check --template form.xlsx`, or name your headings in a mapping "
           "file."),
    ),
    "no-values": _refuse(
        N_("A heading row was found, but no figure under it."),
        N_("Check that the figures stand below the headings on the same sheet."),
    ),
    "key-clash": _refuse(
        N_("The same figure is given twice with different values: {first} and {second} (the other "
           "is in {other})."),
        N_("Keep one row for each government and period, or put the correction in a file of its "
           "own."),
    ),
    "heading-clash": _refuse(
        N_("Two columns are both read as “{field}”: “{first}” and “{second}”."),
        N_("Rename one of them, or name it under [headings] or ignore in a mapping file."),
    ),
    "heading-unknown": _flag(
        N_("The heading “{heading}” is not known, so its column was not read.{suggestion}"),
        N_("Rename it, or name it under [headings] or ignore in a mapping file."),
    ),
    "number-unreadable": _flag(
        N_("“{text}” is not a number, so the cell was not read."),
        N_("Enter a plain number and put its unit in the heading."),
    ),
    "period-unreadable": _flag(
        N_("“{text}” is not a quarter or a year, so the row was not read."),
        N_("Write 2025Q4, 2025年1-12月 or 2025."),
    ),
    "unit-missing": _flag(
        N_("The row has figures but no government code, so it was not read."),
        N_("Fill in the code of the government, or delete the row."),
    ),
    "row-duplicated": _flag(
        N_("The row repeats an earlier one with the same figures; they were read once."),
        N_("Delete the repeated row."),
    ),
    "code-unknown": _note(
        N_("“{text}” is not a known {kind}; it was left empty."),
        N_("Use one of: {known}."),
    ),
    "unit-by-name": _note(
        N_("No code column was found: governments are identified by their names."),
        N_("Add a column 地区编码 with the codes of the publisher."),
    ),
    "scale-assumed": _note(
        N_("No money unit is named; the figures were read as 万元 (10,000 yuan)."),
        N_("Write the unit in the heading, such as （亿元）, or in a cell 单位：万元."),
    ),
    "to-date-assumed": _note(
        N_("Quarterly flows were read as cumulative from January, the habit of fiscal reports."),
        N_("If each figure covers its quarter alone, write 当季 in the heading."),
    ),
    "published-early": _flag(
        N_("The publication date {known_from} lies before the end of the period."),
        N_("Correct the publication date; until then the figure is used from the period's end."),
    ),
    "superseded": _note(
        N_("{count} stored figures of the same publication date were replaced by this file."),
        N_("Give the day of the correction with --known-from, so that earlier reports stay as "
           "they were."),
    ),
    "bonds-do-not-sum": _flag(
        N_("The bonds listed sum to {listed} yuan, the reported balance is {balance} yuan."),
        N_("Complete the bond list; until then an even ladder is assumed."),
    ),
    # plausibility
    "negative-value": _doubt(
        N_("The value is negative, which this quantity cannot be."), _COMPARE
    ),
    "magnitude": _doubt(
        N_("The value is {factor} times its neighbours, like a mix-up of yuan, 万元 and 亿元."),
        N_("Check the unit of the cell; correct it, or confirm it on import."),
    ),
    "spike": _doubt(
        N_("The value is {factor} times its neighbours, which agree with each other."), _COMPARE
    ),
    "zero-for-missing": _doubt(
        N_("The value is 0 where its neighbours or its counterpart are not; it reads like “not "
           "reported”."),
        N_("Leave the cell empty if nothing was reported, or confirm the zero on import."),
    ),
    "revenue-above-expenditure": _doubt(
        N_("Own revenue of the year exceeds expenditure and other years; it may include "
           "transfers."),
        _COMPARE,
    ),
    "year-repeated": _doubt(
        N_("The figure repeats that of the year before."), _COMPARE
    ),
    "limit-exceeded": _doubt(
        N_("The balance is {factor} times its legal limit, which the Budget Law does not allow; "
           "one of the two figures is likely from another table or date."),
        N_("Compare both with the published table of limits and balances; confirm the limit on "
           "import if the excess is real."),
    ),
    "interest-implausible": _doubt(
        N_("Interest is {rate} of the average balance; between 0.5 % and 12 % can be right."),
        _COMPARE,
    ),
    "interest-unusual": _note(
        N_("Interest is {rate} of the average balance; 1.5 % to 6 % is usual."),
        N_("Nothing to do if the balance moved strongly within the year."),
    ),
    "revenue-per-resident": _doubt(
        N_("Own revenue is {amount} yuan for each resident; 500 to 50,000 can be right."),
        N_("Check the units of revenue and population."),
    ),
    "parts-do-not-sum": _flag(
        N_("{parts} sum to {sum}, the total is {total} (yuan)."),
        N_("Correct the parts or the total; the total is used."),
    ),
    "balance-does-not-roll": _note(
        N_("Opening balance + bonds issued - principal repaid differs from the balance by {gap} "
           "of it."),
        N_("Swap bonds, on-lending between levels or late bookings explain small gaps."),
    ),
    "quarter-negative": _flag(
        N_("The cumulative figure falls from the quarter before, so the quarter comes out "
           "negative."), _COMPARE
    ),
    "jump": _note(
        N_("The value changed by {change} in a year and stayed there."),
        N_("Check for a change of scope, a revision or a boundary change."),
    ),
    # projects
    "project-invalid": _flag(
        N_("Project {code}: {text}"), N_("Correct the proposal; the other projects are screened.")
    ),
    "proposals-unreadable": _flag(
        N_("{text}"),
        N_("Mend the file; the proposals of the other files are screened."),
    ),
    "project-unit-unknown": _flag(
        N_("Project {code} names government “{unit}”, which is not in the store."),
        N_("Correct the code, or import that government's figures."),
    ),
}  # fmt: skip

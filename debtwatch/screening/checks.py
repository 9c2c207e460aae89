"""The check list of a proposal, in the order of rules C2."""

from __future__ import annotations

from debtwatch.screening.case import Case
from debtwatch.screening.check import Check
from debtwatch.screening.debt_checks import DEBT_CHECKS
from debtwatch.screening.financing_checks import FINANCING_CHECKS
from debtwatch.screening.land_checks import LAND_CHECKS

ALL_CHECKS = (*LAND_CHECKS, *FINANCING_CHECKS, *DEBT_CHECKS)


def run_checks(case: Case) -> tuple[Check, ...]:
    """Run every check on a case.

    Parameters
    ----------
    case : Case
    """
    return tuple(check(case) for check in ALL_CHECKS)

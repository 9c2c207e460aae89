"""A government's money without and with a project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.capacity import rule_inputs
from debtwatch.screening.debt_service import ProjectFlows, last_four, project_flows
from debtwatch.screening.impact import add_flows
from debtwatch.screening.position import Position
from debtwatch.screening.project import Project

Array = NDArray[np.float64]
_ONE_UNIT = np.zeros(1, dtype=np.intp)


@dataclass(frozen=True)
class Pair:
    """Rule inputs of a government without and with a project, shape (quarters,) each.

    Attributes
    ----------
    without, with_ : mapping from name to ndarray
        Central outlook.
    flows : ProjectFlows
        What the project adds.
    top_ups : ndarray, shape (quarters,)
        Money the budget adds to pay the project's debt, over four quarters.
    """

    without: Mapping[str, Array]
    with_: Mapping[str, Array]
    flows: ProjectFlows
    top_ups: Array

    def added(self, name: str) -> Array:
        """Return what the project adds to a name."""
        before = self.without.get(name)
        return np.zeros(0) if before is None else self.with_[name] - before


def pair_of(position: Position, project: Project, top_ups: Sequence[float] = ()) -> Pair:
    """Add a project's money to a government's central outlook.

    Parameters
    ----------
    position : Position
    project : Project
    top_ups : sequence of float
        By project year, yuan.
    """
    flows = project_flows(project, position.first_quarter, position.quarters)
    with_ = rule_inputs(add_flows(position.figures, _ONE_UNIT, [flows]), position.basis)
    return Pair(
        {name: values[0] for name, values in position.inputs.items()},
        {n: np.broadcast_to(v, (1, position.quarters))[0] for n, v in with_.items()},
        flows,
        _by_quarter(project, top_ups, position),
    )


def _by_quarter(project: Project, yearly: Sequence[float], position: Position) -> Array:
    """Yearly money of project years as four-quarter sums of the quarters ahead."""
    flow = np.zeros(position.quarters)
    shift = project.start_quarter - position.first_quarter
    for year, amount in enumerate(yearly):
        for quarter in range(shift + 4 * year, shift + 4 * year + 4):
            if 0 <= quarter < len(flow):
                flow[quarter] += amount / 4
    return last_four(flow)

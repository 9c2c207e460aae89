"""Why a ratio moved: an exact split of the change of debt over capacity.

With debt D, capacity R and ratio l = D / R between two dates::

    l1 - l0 = sum_k (D_k1 - D_k0) / R1  -  l0 * sum_j (R_j1 - R_j0) / R1

The first sum splits borrowing by ledger (swaps apart), the second the change of capacity by source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """Contributions to the change of a ratio, arrays of shape (units,).

    Attributes
    ----------
    change : ndarray
        Ratio now less ratio before.
    borrowing : dict from source to ndarray
        Contribution of each change of debt.
    capacity : dict from source to ndarray
        Contribution of each change of capacity; a fall of capacity raises the ratio.
    """

    change: Array
    borrowing: dict[str, Array]
    capacity: dict[str, Array]

    def parts(self) -> dict[str, Array]:
        """All contributions, borrowing first."""
        return {**self.borrowing, **self.capacity}


def decompose_ratio(
    debt_before: Mapping[str, Array],
    debt_now: Mapping[str, Array],
    capacity_before: Mapping[str, Array],
    capacity_now: Mapping[str, Array],
    swapped: Array | None = None,
) -> Decomposition:
    """Split the change of a debt ratio between two dates.

    Parameters
    ----------
    debt_before, debt_now : mapping from ledger to ndarray
        Parts of debt, yuan.
    capacity_before, capacity_now : mapping from source to ndarray
        Signed parts of capacity over four quarters, yuan; the same keys.
    swapped : ndarray, optional
        Swap bonds issued between the dates; taken out of the special ledger and shown apart.

    Returns
    -------
    Decomposition
        Parts sum to the change, to rounding.

    Examples
    --------
    >>> one = decompose_ratio({"general": np.array([120.0])}, {"general": np.array([125.2])},
    ...     {"own": np.array([40.0]), "land": np.array([60.0])},
    ...     {"own": np.array([41.0]), "land": np.array([57.0])})
    >>> round(float(one.change[0]), 9), round(float(sum(one.parts().values())[0]), 9)
    (0.07755102, 0.07755102)
    """
    before, now = sum(capacity_before.values()), np.asarray(sum(capacity_now.values()))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_before = sum(debt_before.values()) / before
        borrowing = {k: (debt_now[k] - debt_before[k]) / now for k in debt_now}
        if swapped is not None:
            moved = np.nan_to_num(swapped, nan=0.0) / now
            borrowing["special"] = borrowing["special"] - moved
            borrowing["swap"] = moved
        capacity = {
            k: -ratio_before * (capacity_now[k] - capacity_before[k]) / now for k in capacity_now
        }
        change = sum(debt_now.values()) / now - ratio_before
    return Decomposition(np.asarray(change), borrowing, capacity)

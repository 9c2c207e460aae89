"""Where a ratio stood at the origin and how far it went within the window."""

from __future__ import annotations

import numpy as np
import pandas as pd

from debtwatch.early_warning.sample import Array, Observations
from debtwatch.early_warning.spec import Spec, Target


def is_upward(target: Target) -> bool:
    """Whether the ratio enters the class by rising."""
    return target.operator in {">=", ">"}


def ratio_windows(
    observations: Observations, spec: Spec, rows: pd.DataFrame
) -> tuple[Array, Array] | None:
    """Give the ratio as known at each origin and its worst figure in the window that follows.

    Parameters
    ----------
    observations : Observations
    spec : Spec
    rows : DataFrame
        Columns ``unit``, ``period`` (origin) and ``vintage`` (position in ``observations.frame`` of
        the row known at the origin, -1 without one).

    Returns
    -------
    tuple of ndarray, shape (rows,), or None
        The ratio at the origin; and for entry the worst of ``t+1 .. t+h`` in the latest vintage,
        for status the one at ``t+h``, NaN where any of them is unknown. None where the target is no
        ratio.

    Examples
    --------
    >>> spec = Spec.model_validate({
    ...     "id": "x", "title": {"zh": "例", "en": "x"}, "country": "XX",
    ...     "target": {"kind": "entry", "horizon": 2, "ratio": "r", "line": 1.0},
    ...     "feature": [{"id": "r", "of": "r", "label": {"zh": "例", "en": "r"}}]})
    >>> frame = pd.DataFrame({"unit": ["a"] * 4, "period": [1, 2, 3, 4], "r": [0.8, 0.9, 0.7, 1.1]})
    >>> rows = pd.DataFrame({"unit": ["a"] * 3, "period": [1, 2, 3], "vintage": [0, 1, 2]})
    >>> ratio_windows(Observations(frame, "year", (), {}), spec, rows)
    (array([0.8, 0.9, 0.7]), array([0.9, 1.1, nan]))
    """
    target = spec.target
    if target.ratio is None:
        return None
    frame = observations.frame
    figures = frame[target.ratio].to_numpy(np.float64)
    vintage = rows["vintage"].to_numpy(np.int64)
    now = np.where(vintage >= 0, figures[vintage], np.nan)
    latest = ~frame.duplicated(["unit", "period"], keep="last").to_numpy()
    keys = pd.MultiIndex.from_frame(frame.loc[latest, ["unit", "period"]])
    later = pd.Series(figures[latest], index=keys)
    entry = target.kind == "entry"
    steps = range(1, target.horizon + 1) if entry else (target.horizon,)
    window = np.stack(
        [
            later.reindex(
                pd.MultiIndex.from_arrays([rows["unit"], rows["period"] + k])
            ).to_numpy(np.float64)
            for k in steps
        ]
    )  # fmt: skip
    return now, np.asarray(window.max(axis=0) if is_upward(target) else window.min(axis=0))

"""Signals of single features: the threshold beyond which one warns, and its noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from debtwatch.early_warning.binary_classifier import as_signs, usable_columns
from debtwatch.early_warning.sample import Array, Mask


@dataclass(frozen=True)
class FeatureSignal:
    """A feature beyond a threshold, and how useful that signal was in training.

    Attributes
    ----------
    column : int
    sign : int
        1 when the signal is ``x >= threshold``, -1 when it is ``-x >= threshold``.
    threshold : float
    usefulness : float
        Sarlin's relative usefulness at mu = 1 - event rate, which is TPR - FPR.
    noise : float
        Noise to signal, FPR / TPR; half a false alarm where there was none.
    """

    column: int
    sign: int
    threshold: float
    usefulness: float
    noise: float

    def given(self, x: Array) -> Mask:
        """Rows with the signal; a missing figure gives none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sign * x[:, self.column] >= self.threshold)


def find_signals(x: Array, y: Array, signs: Any = None) -> tuple[FeatureSignal, ...]:
    r"""Find the most useful threshold of each feature in training.

    With the weight of a miss :math:`\mu = 1 - P_1` Sarlin's relative usefulness is
    :math:`U_r = 1 - T_1 - T_2`, the rate of hits less that of false alarms.

    Parameters
    ----------
    x : ndarray, shape (rows, features)
    y : ndarray, shape (rows,)
        Both classes.
    signs : sequence of {"+", "-", "0"}, optional
        An open feature takes the direction in which it told events apart in training.

    Returns
    -------
    tuple of FeatureSignal
        In order of features; only those of some use.

    Notes
    -----
    Source: Sarlin (2013), Economics Letters 119, 1-7; Kaminsky, Lizondo and Reinhart (1998), IMF
    Staff Papers 45, 1-48.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])[:, None]
    >>> find_signals(x, np.array([0, 0, 1, 0, 1, 0.0]))
    (FeatureSignal(column=0, sign=1, threshold=3.0, usefulness=0.75, noise=0.25),)
    """
    found = []
    expected = as_signs(signs, x.shape[1]).tolist()
    for column in np.flatnonzero(usable_columns(x)).tolist():
        figures = x[:, column]
        known = ~np.isnan(figures)
        sign = expected[column] or _direction(figures[known], y[known])
        oriented = sign * figures
        # Missing gives no signal: below every threshold.
        lowest = float(oriented[known].min())
        oriented = np.where(known, oriented, np.nextafter(lowest, -np.inf))
        false_alarms, hits, thresholds = roc_curve(y, oriented)
        use = np.where(thresholds >= lowest, hits - false_alarms, 0.0)
        best = int(np.argmax(use))
        if use[best] > 0:
            least = 0.5 / float((y == 0).sum())
            noise = max(float(false_alarms[best]), least) / float(hits[best])
            found.append(
                FeatureSignal(column, sign, float(thresholds[best]), float(use[best]), noise)
            )
    return tuple(found)


def _direction(figures: Array, y: Array) -> int:
    if len(np.unique(y)) < 2:
        return 1
    return 1 if roc_auc_score(y, figures) >= 0.5 else -1

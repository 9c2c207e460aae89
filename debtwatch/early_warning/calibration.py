"""Platt's calibration of log-odds that were made out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from debtwatch.early_warning.sample import Array

#: With fewer events (or fewer rows without one) two further numbers would add more noise than they
#: take away.
LEAST_EVENTS = 50

#: 95 % point of the chi-squared law with two degrees of freedom.
LEAST_GAIN = 5.991464547107979


@dataclass(frozen=True)
class Platt:
    r"""Calibration :math:`\operatorname{logit} p = a + b\,s` of log-odds s.

    Attributes
    ----------
    intercept : float
        a.
    slope : float
        b, above 0.

    Examples
    --------
    >>> Platt(-0.5, 2.0)(np.array([0.0, 1.0])).tolist()
    [-0.5, 1.5]
    """

    intercept: float = 0.0
    slope: float = 1.0

    def __call__(self, log_odds: Array) -> Array:
        """Calibrated log-odds."""
        return np.asarray(self.intercept + self.slope * log_odds)

    def inverse(self, calibrated: Array) -> Array:
        """Log-odds that calibration made into these."""
        return np.asarray((calibrated - self.intercept) / self.slope)

    @property
    def changes_nothing(self) -> bool:
        """Whether log-odds are taken as they are."""
        return self == AS_GIVEN


#: The calibration that changes nothing.
AS_GIVEN = Platt()


def fit_platt(log_odds: Array, y: Array) -> Platt:
    r"""Fit a logit of outcomes on log-odds from rows that the model had not seen.

    Parameters
    ----------
    log_odds : ndarray, shape (rows,)
        Out of fold.
    y : ndarray, shape (rows,)
        1 and 0.

    Returns
    -------
    Platt
        a = 0 and b = 1 with fewer than 50 events or 50 rows without one, where the fitted slope is
        not above 0 (the order of governments would be turned round), and where twice the gain in
        log-likelihood is below 5.99: chance alone gains as much in one sample of twenty, and a
        correction that may be noise is not made.

    Notes
    -----
    Source: Platt (1999), Advances in Large Margin Classifiers, 61-74.

    Examples
    --------
    Half of the rows at 0 and nine tenths of those at 1 are events:
    a = ln(1) = 0 and a + b = ln(9).

    >>> s = np.repeat([0.0, 1.0], 100)
    >>> y = np.r_[np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [10, 90])]
    >>> platt = fit_platt(s, y)
    >>> abs(round(platt.intercept, 3)), round(platt.slope, 3), round(float(np.log(9)), 3)
    (0.0, 2.197, 2.197)
    """
    if min(y.sum(), len(y) - y.sum()) < LEAST_EVENTS or np.ptp(log_odds) == 0:
        return AS_GIVEN
    solved = LogisticRegression(C=np.inf, max_iter=2000, tol=1e-10).fit(log_odds[:, None], y)
    fitted = Platt(float(solved.intercept_[0]), float(solved.coef_[0, 0]))
    gain = _log_likelihood(fitted(log_odds), y) - _log_likelihood(log_odds, y)
    return fitted if fitted.slope > 0 and 2 * gain >= LEAST_GAIN else AS_GIVEN


def _log_likelihood(log_odds: Array, y: Array) -> float:
    """Sum of ``y s - ln(1 + exp s)``."""
    return float((y * log_odds - np.logaddexp(0.0, log_odds)).sum())

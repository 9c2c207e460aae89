"""Rules of thumb that a classifier must beat: one number or a few, each with a probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from debtwatch.early_warning.binary_classifier import BinaryClassifier, as_signs
from debtwatch.early_warning.feature_signals import FeatureSignal, find_signals
from debtwatch.early_warning.firth import rate_intercept
from debtwatch.early_warning.sample import Array
from debtwatch.early_warning.trained import SMALLEST

#: Smallest slope of a score's logit: keeps the order that the score gives.
LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Squash:
    """Draw far figures together and keep their order.

    Between ``low`` and ``high`` a figure is measured in ``high - low``; beyond them the excess e
    counts as e/(1+e), less than one such unit however far.

    Examples
    --------
    >>> Squash(0.0, 10.0)(np.array([5.0, 20.0, 1e16, -10.0])).round(9).tolist()
    [0.5, 1.5, 2.0, -0.5]
    """

    low: float
    high: float

    @classmethod
    def of(cls, figures: Array) -> Squash:
        """Limits at the 1st and 99th percentile of the known figures."""
        known = figures[~np.isnan(figures)]
        if len(known) == 0:
            return cls(0.0, 1.0)
        low, high = (float(q) for q in np.quantile(known, [0.01, 0.99], method="nearest"))
        return cls(low, high) if high > low else cls(low, low + max(abs(low), 1.0))

    def __call__(self, figures: Array) -> Array:
        """Figures in units of the range, NaN where missing."""
        span = self.high - self.low
        inner = np.clip(figures, self.low, self.high)
        excess = (figures - inner) / span
        return np.asarray((inner - self.low) / span + excess / (1 + np.abs(excess)))


class ScoreLogit(BinaryClassifier):
    """A score of some features, made a probability by a logit with this one number.

    The probabilities keep the order of the score; their mean in training is the event rate. Rows
    without a score get the event rate of such rows in training (drawn towards that of all).

    Attributes
    ----------
    intercept_, slope_ : float
        Of the log-odds in the score as :class:`Squash` measures it.
    missing_ : float
        Log-odds of rows without a score.
    """

    intercept_: float
    slope_: float
    missing_: float
    squash_: Squash
    n_features_in_: int

    def _learn(self, x: Array, y: Array) -> None:
        """Learn what the score needs; most need nothing."""

    def _score(self, x: Array) -> Array:
        """Score, larger for more risk, NaN where it cannot be told."""
        raise NotImplementedError

    def _fit(self, x: Array, y: Array) -> None:
        self._learn(x, y)
        score = self._score(x)
        known = ~np.isnan(score)
        self.squash_ = Squash.of(score)
        self.missing_ = _odds(_drawn_rate(y[~known], float(y.mean())))
        self.intercept_, self.slope_ = _odds(_drawn_rate(y[known], float(y.mean()))), LEAST_SLOPE
        z, outcome = self.squash_(score[known]), y[known]
        if len(np.unique(outcome)) == 2:
            # Nearly without a penalty, which only keeps separated samples finite.
            solved = LogisticRegression(C=100.0, max_iter=2000).fit(z[:, None], outcome)
            self.slope_ = max(float(solved.coef_[0, 0]), LEAST_SLOPE)
            self.intercept_ = rate_intercept(self.slope_ * z, outcome)

    def _log_odds(self, x: Array) -> Array:
        score = self._score(x)
        known = self.intercept_ + self.slope_ * self.squash_(score)
        return np.asarray(np.where(np.isnan(score), self.missing_, known))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # one number of many is not meant to do well
        return tags


class DistanceLogit(ScoreLogit):
    """Distance to the line alone.

    Parameters
    ----------
    column : int
        Of the distance, or of the level.
    sign : {"+", "-"}
        Whether more of it raises the risk.
    """

    def __init__(self, column: int = 0, *, sign: str = "+") -> None:
        self.column = column
        self.sign = sign

    def _score(self, x: Array) -> Array:
        return np.asarray(as_signs([self.sign], 1)[0] * x[:, self.column])


class LevelAndTrend(ScoreLogit):
    """Level and change, each in standard deviations of its squashed figures, added.

    A missing change counts as the average one.

    Parameters
    ----------
    columns : (int, int)
        Of the level (or distance) and of the change.
    signs : ({"+", "-"}, {"+", "-"})
    """

    parts_: tuple[tuple[Squash, float, float], ...]

    def __init__(
        self, columns: Sequence[int] = (0, 0), *, signs: Sequence[str] = ("+", "+")
    ) -> None:
        self.columns = columns
        self.signs = signs

    def _learn(self, x: Array, y: Array) -> None:
        parts = []
        for column in self.columns:
            squash = Squash.of(x[:, column])
            z = squash(x[:, column])
            known = z[~np.isnan(z)]
            spread = float(known.std()) if len(known) else 0.0
            parts.append((squash, float(known.mean()) if len(known) else 0.0, spread or 1.0))
        self.parts_ = tuple(parts)

    def _score(self, x: Array) -> Array:
        level, change = (
            sign * (squash(x[:, column]) - mean) / spread
            for column, sign, (squash, mean, spread) in zip(
                self.columns, as_signs(self.signs, 2).tolist(), self.parts_, strict=True
            )
        )
        return np.asarray(level + np.nan_to_num(change))


class Extrapolation(ScoreLogit):
    r"""Level carried on: :math:`x_t + h\,\max(\Delta_k x_t / k, 0)` in the direction of risk.

    A missing change counts as none.

    Parameters
    ----------
    columns : (int, int)
        Of the level (or distance) and of its change.
    signs : ({"+", "-"}, {"+", "-"})
    periods : int
        k, over which the change is taken.
    horizon : int
        h.

    Examples
    --------
    >>> rule = Extrapolation((0, 1), signs=("-", "+"), periods=2, horizon=4)
    >>> rule._score(np.array([[0.5, 0.1], [0.5, -0.1], [0.5, np.nan]])).round(6).tolist()
    [-0.3, -0.5, -0.5]
    """

    def __init__(
        self,
        columns: Sequence[int] = (0, 0),
        *,
        signs: Sequence[str] = ("+", "+"),
        periods: int = 1,
        horizon: int = 1,
    ) -> None:
        self.columns = columns
        self.signs = signs
        self.periods = periods
        self.horizon = horizon

    def _score(self, x: Array) -> Array:
        level_sign, change_sign = as_signs(self.signs, 2).tolist()
        level = level_sign * x[:, self.columns[0]]
        change = np.nan_to_num(change_sign * x[:, self.columns[1]]) / self.periods
        return np.asarray(level + self.horizon * np.maximum(change, 0.0))


class BestSignal(ScoreLogit):
    """The single feature whose best threshold was the most useful in training.

    Parameters
    ----------
    signs : sequence of {"+", "-", "0"}, optional

    Attributes
    ----------
    signal_ : FeatureSignal or None
        None when no feature was of use; all rows then score alike.
    """

    signal_: FeatureSignal | None

    def __init__(self, signs: Any = None) -> None:
        self.signs = signs

    def _learn(self, x: Array, y: Array) -> None:
        found = find_signals(x, y, self.signs)
        self.signal_ = max(found, key=lambda s: s.usefulness, default=None)

    def _score(self, x: Array) -> Array:
        if self.signal_ is None:
            return np.zeros(len(x))
        return np.asarray(self.signal_.sign * x[:, self.signal_.column])


class SignalComposite(ScoreLogit):
    r"""Kaminsky, Lizondo and Reinhart's composite of signals.

    :math:`I = \sum_j S_j/\omega_j \,/\, \sum_j 1/\omega_j` over the features whose noise to signal
    :math:`\omega_j` is below 1 in training.

    Parameters
    ----------
    signs : sequence of {"+", "-", "0"}, optional

    Attributes
    ----------
    signals_ : tuple of FeatureSignal

    Notes
    -----
    Source: Kaminsky (1999), IMF Working Paper 99/178.
    """

    signals_: tuple[FeatureSignal, ...]

    def __init__(self, signs: Any = None) -> None:
        self.signs = signs

    def _learn(self, x: Array, y: Array) -> None:
        self.signals_ = tuple(s for s in find_signals(x, y, self.signs) if s.noise < 1)

    def _score(self, x: Array) -> Array:
        if not self.signals_:
            return np.zeros(len(x))
        weights = np.array([1 / s.noise for s in self.signals_])
        given = np.column_stack([s.given(x) for s in self.signals_])
        return np.asarray(given @ weights / weights.sum())


class Persistence(BinaryClassifier):
    """Event rate of governments in the same place: the same class, or as near to the line.

    Each rate is drawn towards that of all rows by one row, so that no place has a rate of 0.

    Parameters
    ----------
    columns : tuple of int
        Of the features that tell the place.
    edges : tuple of float, optional
        Where one place ends and the next begins, for a single column; its training deciles by
        default. An empty tuple takes each combination of values as a place.

    Attributes
    ----------
    rates_ : dict of tuple to float
        Training event rate of each place.
    base_ : float
        That of all rows, also given to a place that training did not hold.
    """

    rates_: dict[tuple[float, ...], float]
    edges_: Array | None
    base_: float

    def __init__(
        self, columns: Sequence[int] = (0,), *, edges: Sequence[float] | None = None
    ) -> None:
        self.columns = columns
        self.edges = edges

    def _fit(self, x: Array, y: Array) -> None:
        self.base_ = float(y.mean())
        if self.edges is None:
            known = x[:, self.columns[0]]
            known = known[~np.isnan(known)]
            shares = np.linspace(0.1, 0.9, 9)
            self.edges_ = np.unique(np.quantile(known, shares)) if len(known) else np.zeros(0)
        else:
            self.edges_ = np.array(self.edges, dtype=float) if len(self.edges) else None
        places, position = np.unique(self._places(x), axis=0, return_inverse=True)
        rows = np.bincount(position)
        events = np.bincount(position, weights=y)
        rates = (events + self.base_) / (rows + 1)
        self.rates_ = {tuple(p): float(r) for p, r in zip(places.tolist(), rates, strict=True)}

    def _places(self, x: Array) -> Array:
        """Tell the place of each row, shape (rows, columns); missing is one of its own."""
        figures = x[:, list(self.columns)]
        if self.edges_ is not None:
            figures = np.where(
                np.isnan(figures), np.nan, np.searchsorted(self.edges_, figures, side="right")
            )
        return np.asarray(np.where(np.isnan(figures), np.inf, figures))

    def _log_odds(self, x: Array) -> Array:
        places, position = np.unique(self._places(x), axis=0, return_inverse=True)
        rates = np.array([self.rates_.get(tuple(p), self.base_) for p in places.tolist()])
        return np.asarray(_odds(rates)[position])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class GivenProbability(BinaryClassifier):
    """A probability made elsewhere, taken as it is.

    Parameters
    ----------
    column : int
        Of the probabilities; held between 1e-6 and 1 - 1e-6. A missing one is the event rate.
    """

    base_: float

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def _fit(self, x: Array, y: Array) -> None:
        self.base_ = float(y.mean())

    def _log_odds(self, x: Array) -> Array:
        given = x[:, self.column]
        return np.asarray(_odds(np.where(np.isnan(given), self.base_, given)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


def _drawn_rate(y: Array, base: float) -> float:
    return float((y.sum() + base) / (len(y) + 1))


def _odds(rate: Any) -> Any:
    held = np.clip(rate, SMALLEST, 1 - SMALLEST)
    return np.log(held / (1 - held))

"""What the classifiers of this stage share: two classes, missing figures allowed, log-odds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from debtwatch.early_warning.sample import Array, Mask

#: A column with fewer known figures says nothing that holds for others.
LEAST_KNOWN = 50
#: Figures are held within it, so that sums of their squares do not overflow.
LARGEST_FIGURE = 1e100
#: Threads of a fit, of BLAS and OpenMP. On a small or busy machine more of them wait for each
#: other: a logit of 13,000 rows took 0.07 s with one and 3 s with two.
THREADS = 1


class BinaryClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Scikit-learn classifier of two classes that gives log-odds.

    A subclass fits in ``_fit(x, y, groups)`` and gives log-odds in ``_log_odds(x)``, both with
    ``x`` as float64 that may hold NaN (never infinity) and ``y`` as 0 and 1.
    """

    classes_: Any

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit to rows and their outcomes.

        Parameters
        ----------
        X : array-like or DataFrame, shape (rows, features)
            NaN where missing.
        y : array-like, shape (rows,)
            Two classes; the second in sorted order is the event.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When ``X`` is infinite or not numeric, or ``y`` does not hold two classes.
        """
        x, events = self._checked_outcomes(X, y)
        with threadpool_limits(limits=THREADS):
            self._fit(x, events)
        return self

    def log_odds(self, X: ArrayLike) -> Array:
        """Log-odds of the event, shape (rows,)."""
        check_is_fitted(self)
        return self._log_odds(self._checked(X))

    def decision_function(self, X: ArrayLike) -> Array:
        """Log-odds of the event, by the name scikit-learn knows them."""
        return self.log_odds(X)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities of no event and of an event, shape (rows, 2)."""
        z = self.log_odds(X)
        # Both by expit: 1 - p would lose the small probabilities.
        return np.column_stack([expit(-z), expit(z)])

    def predict(self, X: ArrayLike) -> Any:
        """Class with the larger probability."""
        z = self.log_odds(X)
        return self.classes_[(z > 0).astype(int)]

    def _fit(self, x: Array, y: Array) -> None:
        raise NotImplementedError

    def _log_odds(self, x: Array) -> Array:
        raise NotImplementedError

    def _checked(self, X: ArrayLike) -> Array:
        x = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return np.asarray(np.clip(x, -LARGEST_FIGURE, LARGEST_FIGURE))

    def _checked_outcomes(self, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        x, labels = validate_data(
            self, X, y, dtype=np.float64, ensure_all_finite="allow-nan"
        )  # fmt: skip
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is {kind}."
            )
        self.classes_ = np.unique(labels)
        if len(self.classes_) != 2:
            raise ValueError(
                f"y holds one class only, {self.classes_[0]!r} in {len(labels)} rows:"
                " a classifier needs rows of both classes."
            )
        x = np.clip(x, -LARGEST_FIGURE, LARGEST_FIGURE)
        return x, np.asarray(labels == self.classes_[1], dtype=float)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def usable_columns(x: Array) -> Mask:
    """Find columns with enough known figures, of which two differ.

    Enough are :data:`LEAST_KNOWN`, or half of the rows where there are fewer than 100.

    Parameters
    ----------
    x : ndarray, shape (rows, features)

    Returns
    -------
    ndarray of bool, shape (features,)

    Examples
    --------
    >>> usable_columns(np.array([[1.0, 2.0, np.nan], [1.0, 3.0, np.nan], [1.0, 4.0, 5.0]]))
    array([False,  True, False])
    """
    known = np.isfinite(x)
    least = min(LEAST_KNOWN, max(2, len(x) // 2))
    low = np.where(known, x, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, x, -np.inf).max(axis=0, initial=-np.inf)
    return np.asarray((known.sum(axis=0) >= least) & (low < high))


def as_signs(signs: Any, features: int) -> np.ndarray[Any, np.dtype[np.int8]]:
    """Read expected signs as 1, -1 and 0; none given leaves all open.

    Parameters
    ----------
    signs : sequence of {"+", "-", "0"} or None
    features : int

    Returns
    -------
    ndarray of int, shape (features,)

    Raises
    ------
    ValueError
        When there is not one for each feature, or another word.

    Examples
    --------
    >>> as_signs(["+", "0", "-"], 3).tolist()
    [1, 0, -1]
    """
    if signs is None:
        return np.zeros(features, dtype=np.int8)
    if len(signs) != features:
        raise ValueError(f"signs names {len(signs)} features, X has {features}")
    meaning = {"+": 1, "-": -1, "0": 0}
    unknown = sorted({str(s) for s in signs} - set(meaning))
    if unknown:
        raise ValueError(f'a sign is "+", "-" or "0", not {unknown[0]!r}')
    return np.array([meaning[s] for s in signs], dtype=np.int8)

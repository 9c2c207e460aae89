"""Challenger: gradient boosting of very small trees that keep the features' signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from debtwatch.early_warning.binary_classifier import (
    THREADS,
    BinaryClassifier,
    as_signs,
    usable_columns,
)
from debtwatch.early_warning.sample import Array
from debtwatch.early_warning.splits import province_folds


class SmallTrees(BinaryClassifier):
    """Monotone gradient boosting with small trees.

    :class:`sklearn.ensemble.HistGradientBoostingClassifier` without early stopping (which would
    split rows at random), with the sign of each feature as a monotone constraint; missing figures
    go their own way in each tree. Columns with fewer than 50 known figures are left out.

    Parameters
    ----------
    signs : sequence of {"+", "-", "0"}, optional
        None leaves all open.
    leaves : tuple of int
        Sizes tried; the one with the least log-loss out of fold by group is taken. Without groups,
        or where a fold would hold one class only, the first.
    rounds : int
    rate : float
    least_rows : int
        Rows a leaf needs; at most a twentieth of the training rows, but 5 at least.
    l2 : float
    random_state : int

    Attributes
    ----------
    leaves_ : int
        Size taken.
    losses_ : dict of int to float
        Log-loss out of fold of each size; empty when there was no choice to make.
    out_of_fold_ : ndarray or None, shape (rows,)
        Log-odds of each training row from the trees that did not see its group.
    columns_ : ndarray of int
        Columns used.
    left_out_ : tuple of str
    model_ : HistGradientBoostingClassifier or None
        None when every column was left out; log-odds are then those of the event rate.
    base_ : float
        Log-odds of the training event rate.

    Examples
    --------
    >>> x = np.linspace(0, 1, 400)[:, None]
    >>> y = (x[:, 0] > 0.7).astype(float)
    >>> trees = SmallTrees(("+",), leaves=(3,), rounds=20).fit(x, y)
    >>> bool((np.diff(trees.log_odds(x)) >= 0).all())
    True
    """

    leaves_: int
    losses_: dict[int, float]
    out_of_fold_: Array | None
    columns_: NDArray[np.intp]
    left_out_: tuple[str, ...]
    model_: Any
    base_: float
    n_features_in_: int

    def __init__(
        self,
        signs: Any = None,
        *,
        leaves: Sequence[int] = (3, 4, 6),
        rounds: int = 200,
        rate: float = 0.03,
        least_rows: int = 100,
        l2: float = 5.0,
        random_state: int = 0,
    ) -> None:
        self.signs = signs
        self.leaves = leaves
        self.rounds = rounds
        self.rate = rate
        self.least_rows = least_rows
        self.l2 = l2
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit to rows and their outcomes.

        Parameters
        ----------
        X : array-like or DataFrame, shape (rows, features)
            NaN where missing.
        y : array-like, shape (rows,)
        groups : array-like of str, shape (rows,), optional
            Provinces; none is cut by a fold. With them :attr:`out_of_fold_` is there.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            When ``X`` is infinite or not numeric, or ``y`` does not hold two classes.
        """
        x, events = self._checked_outcomes(X, y)
        folds = [] if groups is None else province_folds(np.asarray(groups, dtype=object), events)
        self._fit(x, events)
        self._choose(x, events, folds)
        self.model_ = self._grow(x, events, self.leaves_)
        return self

    def to_dict(self) -> dict[str, Any]:
        """Write what stands beside the trees: settings, names and columns, fit for JSON."""
        names = getattr(self, "feature_names_in_", None)
        return {
            "settings": {
                **{k: v for k, v in self.get_params().items() if k not in ("signs", "leaves")},
                "leaves": [int(k) for k in self.leaves],
            },
            "signs": None if self.signs is None else list(self.signs),
            "names": None if names is None else list(names),
            "features": self.n_features_in_,
            "classes": self.classes_.tolist(),
            "columns": self.columns_.tolist(),
            "left_out": list(self.left_out_),
            "chosen": self.leaves_,
            "losses": {str(k): v for k, v in self.losses_.items()},
            "base": self.base_,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], model: Any) -> Self:
        """Restore from :meth:`to_dict` and the boosted trees, which are stored on their own."""
        self = cls(record["signs"], **record["settings"])
        self.n_features_in_ = int(record["features"])
        if record["names"] is not None:
            self.feature_names_in_ = np.array(record["names"], dtype=object)
        self.classes_ = np.array(record["classes"])
        self.columns_ = np.array(record["columns"], dtype=np.intp)
        self.left_out_ = tuple(record["left_out"])
        self.leaves_ = int(record["chosen"])
        self.losses_ = {int(k): float(v) for k, v in record["losses"].items()}
        self.base_ = float(record["base"])
        self.out_of_fold_ = None
        self.model_ = model
        return self

    def _fit(self, x: Array, y: Array) -> None:
        usable = usable_columns(x)
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(x.shape[1])])
        self.columns_ = np.flatnonzero(usable)
        self.left_out_ = tuple(n for n, u in zip(names, usable, strict=True) if not u)
        self.base_ = float(np.log(y.mean() / (1 - y.mean())))

    def _choose(self, x: Array, y: Array, folds: Any) -> None:
        self.losses_, self.out_of_fold_ = {}, None
        self.leaves_ = int(self.leaves[0])
        for size in self.leaves if folds else ():
            z = np.empty(len(y))
            for train, test in folds:
                grown = self._grow(x[train], y[train], size)
                z[test] = self._odds_of(grown, x[test])
            self.losses_[int(size)] = float(log_loss(y, expit(z)))
            if self.losses_[int(size)] <= min(self.losses_.values()):
                self.leaves_, self.out_of_fold_ = int(size), z

    def _grow(self, x: Array, y: Array, leaves: int) -> Any:
        if len(self.columns_) == 0:
            return None
        figures = x[:, self.columns_]
        # The boosting stops on a column without any figure, as a fold may hold; 0 splits nothing.
        figures = np.where(np.isnan(figures).all(axis=0), 0.0, figures)
        model = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            learning_rate=self.rate,
            max_leaf_nodes=leaves,
            min_samples_leaf=min(self.least_rows, max(5, len(y) // 20)),
            l2_regularization=self.l2,
            monotonic_cst=as_signs(self.signs, x.shape[1])[self.columns_],
            early_stopping=False,
            random_state=self.random_state,
        )
        with threadpool_limits(limits=THREADS):
            return model.fit(figures, y)

    def _log_odds(self, x: Array) -> Array:
        return self._odds_of(self.model_, x)

    def _odds_of(self, model: Any, x: Array) -> Array:
        if model is None:
            return np.full(len(x), self.base_)
        with threadpool_limits(limits=THREADS):
            return np.asarray(model.decision_function(x[:, self.columns_]))

"""Champion: a penalised logit whose every number can be read, written as JSON and explained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from debtwatch.early_warning.binary_classifier import BinaryClassifier, as_signs, usable_columns
from debtwatch.early_warning.firth import firth_logit, rate_intercept, signed_logit
from debtwatch.early_warning.sample import Array
from debtwatch.errors import ModelProblem
from debtwatch.language import N_

#: Fewer events for each feature than this, and the estimates need Firth's penalty.
EVENTS_PER_FEATURE = 10


@dataclass(frozen=True)
class Piece:
    """One standardised column of the logit, ``(value - mean) / scale``, and its coefficient."""

    mean: float
    scale: float
    coefficient: float


@dataclass(frozen=True)
class Effect:
    """What one feature adds to the log-odds.

    The figure is held between ``edges[0]`` and ``edges[-1]``, its 1st and 99th percentile in
    training; ``missing`` figures are set to the ``median``. Each stretch between neighbouring
    edges is a piece whose value is how far the figure has come on it, so that the effect is
    piecewise linear; with two edges it is a straight line.

    Attributes
    ----------
    column : int
        Position in ``X``.
    name : str
    median : float
    edges : tuple of float
        Ascending.
    pieces : tuple of Piece
        One for each stretch.
    missing : Piece or None
        Of the indicator, where figures were missing in training.
    """

    column: int
    name: str
    median: float
    edges: tuple[float, ...]
    pieces: tuple[Piece, ...]
    missing: Piece | None

    def contribution(self, figures: Array) -> Array:
        """Log-odds added to those of the training mean, shape (rows,)."""
        coefficients = np.array([p.coefficient for p in self._all()])
        return np.asarray(self.standardised(figures) @ coefficients)

    def standardised(self, figures: Array) -> Array:
        """Columns of the design, shape (rows, pieces and indicator)."""
        raw = design(figures, self.median, self.edges, indicator=self.missing is not None)
        mean = np.array([p.mean for p in self._all()])
        scale = np.array([p.scale for p in self._all()])
        standardised: Array = (raw - mean) / scale
        return standardised

    def _all(self) -> tuple[Piece, ...]:
        return self.pieces if self.missing is None else (*self.pieces, self.missing)


def design(figures: Array, median: float, edges: tuple[float, ...], *, indicator: bool) -> Array:
    """Spread a feature over its stretches, with an indicator of missing figures if asked.

    Parameters
    ----------
    figures : ndarray, shape (rows,)
    median : float
        Put in for missing figures.
    edges : tuple of float
        Ascending; figures are held between the first and the last.
    indicator : bool

    Returns
    -------
    ndarray, shape (rows, stretches and indicator)

    Examples
    --------
    >>> design(np.array([0.0, 2.5, np.nan]), 1.0, (1.0, 2.0, 4.0), indicator=True)
    array([[0. , 0. , 0. ],
           [1. , 0.5, 0. ],
           [0. , 0. , 1. ]])
    """
    absent = np.isnan(figures)
    filled = np.where(absent, median, figures)
    low, high = np.array(edges[:-1]), np.array(edges[1:])
    stretches = np.clip(filled[:, None], low, high) - low
    return np.column_stack([stretches, absent]) if indicator else stretches


class HazardLogit(BinaryClassifier):
    r"""Penalised logit on standardised features: discrete-time hazard of entering a worse class.

    Figures are winsorised at training percentiles, missing ones set to the training median with an
    indicator (for features with missing figures in training), spread over stretches between
    training quantiles when ``knots`` is not 0, and standardised. The coefficients minimise
    :math:`c\sum_i \log(1+e^{-\tilde y_i\eta_i}) + \tfrac12\|\beta\|^2`. With fewer than 10 events
    for each feature Firth's penalty is added and the intercept set to the observed event rate
    (:mod:`debtwatch.early_warning.firth`). With signs they are minimised over the coefficients
    that have them: one that would go against its sign is 0.

    Parameters
    ----------
    signs : sequence of {"+", "-", "0"}, optional
        Whether more of a feature raises the risk, lowers it, or is left open. None leaves all open.
    c : float
        Inverse strength of the penalty.
    knots : int
        Inner knots of each feature, at training quantiles.
    winsor : float
        Share winsorised at each end.
    firth : {"auto", True, False}

    Attributes
    ----------
    base_ : float
        Log-odds at the training mean of all terms.
    effects_ : tuple of Effect
        One for each feature used, in order.
    left_out_ : tuple of str
        Features with fewer than 50 known figures in training (half of the rows when there are
        fewer than 100), or with no two that differ within the winsor limits.
    firth_ : bool
        Whether Firth's penalty was used.

    Notes
    -----
    Events per variable: Peduzzi et al. (1996), Journal of Clinical Epidemiology 49, 1373-1379.

    Examples
    --------
    >>> x = np.column_stack([np.linspace(0, 1, 200), np.tile([0.0, 1.0], 100)])
    >>> y = (x[:, 0] > 0.8).astype(float)
    >>> logit = HazardLogit().fit(x, y)
    >>> total = logit.base_ + logit.contributions(x).sum(axis=1)
    >>> bool(np.abs(total - logit.log_odds(x)).max() < 1e-12)
    True
    >>> again = HazardLogit.from_dict(logit.to_dict())
    >>> bool((again.predict_proba(x) == logit.predict_proba(x)).all())
    True
    """

    base_: float
    effects_: tuple[Effect, ...]
    left_out_: tuple[str, ...]
    firth_: bool
    n_features_in_: int

    def __init__(
        self,
        signs: Any = None,
        *,
        c: float = 0.1,
        knots: int = 0,
        winsor: float = 0.01,
        firth: Literal["auto"] | bool = "auto",
    ) -> None:
        self.signs = signs
        self.c = c
        self.knots = knots
        self.winsor = winsor
        self.firth = firth

    def contributions(self, X: ArrayLike) -> Array:
        """Split the log-odds exactly over the features.

        Parameters
        ----------
        X : array-like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, features)
            Log-odds that each feature adds to :attr:`base_`; its stretches and its indicator are
            taken together, features left out add 0. ``base_`` and the sum of a row make its
            log-odds.
        """
        check_is_fitted(self)
        return self._contributions(self._checked(X))

    def to_dict(self) -> dict[str, Any]:
        """Write everything the fitted logit needs as numbers and text, exactly.

        Returns
        -------
        dict
            Fit for JSON; floats keep all their digits there.
        """
        check_is_fitted(self)
        return {
            "settings": {k: v for k, v in self.get_params().items() if k != "signs"},
            "signs": None if self.signs is None else list(self.signs),
            "names": list(_names(self)),
            "named": hasattr(self, "feature_names_in_"),
            "classes": self.classes_.tolist(),
            "base": self.base_,
            "firth": self.firth_,
            "left_out": list(self.left_out_),
            "effects": [_plain(e) for e in self.effects_],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Restore a fitted logit from :meth:`to_dict`.

        Raises
        ------
        ModelProblem
            When a part is missing, of the wrong length or not a finite number.
        """
        try:
            return cls._restored(record)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ModelProblem(
                N_(
                    "The logit in the model file is not complete or not valid ({reason}): restore"
                    " the file from a copy, or train the model again."
                ),
                reason=f"{type(error).__name__}: {error}",
            ) from error

    @classmethod
    def _restored(cls, record: Mapping[str, Any]) -> Self:
        settings = dict(record["settings"])
        self = cls(record["signs"], **settings)
        names = [str(n) for n in record["names"]]
        self.n_features_in_ = len(names)
        if record["named"]:
            self.feature_names_in_ = np.array(names, dtype=object)
        self.classes_ = np.array(record["classes"])
        if len(self.classes_) != 2:
            raise ValueError("classes must be two")
        self.base_ = _finite(record["base"])
        self.firth_ = bool(record["firth"])
        self.left_out_ = tuple(str(n) for n in record["left_out"])
        self.effects_ = tuple(_effect(e, names) for e in record["effects"])
        return self

    def _fit(self, x: Array, y: Array) -> None:
        signs = as_signs(self.signs, x.shape[1])
        names = _names(self)
        outlines = [
            _outline(x[:, j], column=j, name=names[j], knots=self.knots, winsor=self.winsor)
            for j in np.flatnonzero(usable_columns(x)).tolist()
        ]
        effects = [e for e in outlines if e is not None]
        used = {e.column for e in effects}
        self.left_out_ = tuple(n for j, n in enumerate(names) if j not in used)
        self.firth_ = self._needs_firth(y, len(effects))
        z = np.column_stack(
            [np.empty((len(y), 0)), *(e.standardised(x[:, e.column]) for e in effects)]
        )
        expected = np.concatenate([np.zeros(0, np.int8), *(_signs(e, signs) for e in effects)])
        self.base_, coefficients = self._solve(z, y, expected)
        self.effects_ = _with(effects, coefficients)

    def _needs_firth(self, y: Array, features: int) -> bool:
        if self.firth != "auto":
            return bool(self.firth)
        events = min(y.sum(), len(y) - y.sum())
        return bool(events < EVENTS_PER_FEATURE * features)

    def _solve(self, z: Array, y: Array, expected: NDArray[np.int8]) -> tuple[float, Array]:
        if z.shape[1] == 0:
            return float(np.log(y.mean() / (1 - y.mean()))), np.zeros(0)
        ridge = 1 / self.c
        if expected.any():
            base, coefficients = signed_logit(z, y, ridge=ridge, signs=expected, firth=self.firth_)
        elif self.firth_:
            base, coefficients = firth_logit(z, y, ridge=ridge)
        else:
            solved = LogisticRegression(C=self.c, max_iter=2000, tol=1e-8).fit(z, y)
            base, coefficients = float(solved.intercept_[0]), solved.coef_[0]
        return (rate_intercept(z @ coefficients, y) if self.firth_ else base), coefficients

    def _contributions(self, x: Array) -> Array:
        added = np.zeros(x.shape)
        for effect in self.effects_:
            added[:, effect.column] = effect.contribution(x[:, effect.column])
        return added

    def _log_odds(self, x: Array) -> Array:
        return np.asarray(self.base_ + self._contributions(x).sum(axis=1))


def _names(logit: HazardLogit) -> tuple[str, ...]:
    names = getattr(logit, "feature_names_in_", None)
    return tuple(f"x{j}" for j in range(logit.n_features_in_)) if names is None else tuple(names)


def _outline(figures: Array, *, column: int, name: str, knots: int, winsor: float) -> Effect | None:
    """Effect without coefficients; None when all figures are alike within the winsor limits."""
    known = figures[~np.isnan(figures)]
    shares = np.linspace(winsor, 1 - winsor, knots + 2)
    # A quantile between two huge figures would overflow by interpolation; take one that occurs.
    edges = np.unique(np.quantile(known, shares, method="nearest"))
    if len(edges) < 2:
        # A rare word (is = 1 in under 1 % of rows) is a feature all the same.
        edges = np.array([known.min(), known.max()]) if len(np.unique(known)) == 2 else edges
    if len(edges) < 2:
        return None
    bounds = tuple(float(e) for e in edges)
    median = float(np.median(known))
    raw = design(figures, median, bounds, indicator=bool(np.isnan(figures).any()))
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    # A stretch no figure enters has no spread and adds nothing.
    pieces = [
        Piece(float(m), float(s) if s > 0 else 1.0, 0.0) for m, s in zip(mean, scale, strict=True)
    ]
    stretches = len(bounds) - 1
    missing = pieces[-1] if len(pieces) > stretches else None
    return Effect(column, name, median, bounds, tuple(pieces[:stretches]), missing)


def _signs(effect: Effect, signs: NDArray[np.int8]) -> NDArray[np.int8]:
    indicator = [0] if effect.missing is not None else []
    return np.array([signs[effect.column]] * len(effect.pieces) + indicator, dtype=np.int8)


def _with(effects: list[Effect], coefficients: Array) -> tuple[Effect, ...]:
    """Give the effects their coefficients."""
    rest = iter(coefficients.tolist())
    done = []
    for e in effects:
        pieces = tuple(Piece(p.mean, p.scale, next(rest)) for p in e.pieces)
        flag = e.missing and Piece(e.missing.mean, e.missing.scale, next(rest))
        done.append(Effect(e.column, e.name, e.median, e.edges, pieces, flag))
    return tuple(done)


def _plain(effect: Effect) -> dict[str, Any]:
    record = asdict(effect)
    record["edges"] = list(effect.edges)
    record["pieces"] = [asdict(p) for p in effect.pieces]
    return record


def _finite(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _piece(record: Mapping[str, Any]) -> Piece:
    piece = Piece(*(_finite(record[k]) for k in ("mean", "scale", "coefficient")))
    if piece.scale <= 0:
        raise ValueError("a scale must be above 0")
    return piece


def _effect(record: Mapping[str, Any], names: list[str]) -> Effect:
    column = record["column"]
    if not isinstance(column, int) or not 0 <= column < len(names):
        raise ValueError(f"column {column!r} is not one of {len(names)}")
    edges = tuple(_finite(e) for e in record["edges"])
    pieces = tuple(_piece(p) for p in record["pieces"])
    if len(edges) != len(pieces) + 1 or list(edges) != sorted(set(edges)):
        raise ValueError(f"the edges of {names[column]} do not fit its pieces")
    if record["name"] != names[column]:
        raise ValueError(f"column {column} is {names[column]}, not {record['name']}")
    missing = None if record["missing"] is None else _piece(record["missing"])
    return Effect(column, names[column], _finite(record["median"]), edges, pieces, missing)

"""Logistic regression with few events: Firth's penalty, expected signs, and the intercept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from debtwatch.early_warning.sample import Array

#: Longest Newton step in log-odds per standard deviation; separated samples would else overshoot.
LONGEST_STEP = 5.0
#: Most repetitions for the hat diagonal where coefficients keep to signs.
REPETITIONS = 20


def firth_logit(
    z: Array, y: Array, *, ridge: float = 0.0, iterations: int = 200, tolerance: float = 1e-10
) -> tuple[float, Array]:
    r"""Fit a logit by Firth's penalised likelihood, optionally with a ridge as well.

    Maximises :math:`\ell(\beta) + \tfrac12\log|A| - \tfrac12\lambda\|\beta\|^2` with
    :math:`A = X'WX + \lambda I` (the intercept is not in the ridge), that is, solves

    .. math:: \sum_i (y_i - \pi_i + h_i(\tfrac12 - \pi_i))\,x_{ir} - \lambda\beta_r = 0,

    where :math:`h` is the diagonal of :math:`W^{1/2}XA^{-1}X'W^{1/2}`. Estimates stay finite
    where the classes are separated, and their bias is of smaller order.

    Parameters
    ----------
    z : ndarray, shape (rows, terms)
        Standardised.
    y : ndarray, shape (rows,)
        0 and 1.
    ridge : float
        :math:`\lambda`; 0 is Firth's own estimate.
    iterations, tolerance
        Of Newton's method with step halving.

    Returns
    -------
    intercept : float
    coefficients : ndarray, shape (terms,)

    Raises
    ------
    ValueError
        When the terms are collinear and there is no ridge.

    Notes
    -----
    Source: Firth (1993), Biometrika 80, 27-38; Heinze and Schemper (2002), Statistics in Medicine
    21, 2409-2419.

    Examples
    --------
    A saturated table is the maximum likelihood estimate with 1/2 added to each cell: odds
    2.5 : 3.5 at 0, and 5.5 : 0.5 at 1 although all of those rows are events.

    >>> z = np.array([[0.0]] * 5 + [[1.0]] * 5)
    >>> y = np.array([1, 1, 0, 0, 0, 1, 1, 1, 1, 1.0])
    >>> a, b = firth_logit(z, y)
    >>> bool(np.allclose([a, a + b[0]], np.log([2.5 / 3.5, 5.5 / 0.5])))
    True
    """
    x = np.column_stack([np.ones(len(y)), z])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 0.0
    beta = np.zeros(x.shape[1])
    if np.linalg.matrix_rank(x.T @ x + np.diag(penalty), hermitian=True) < x.shape[1]:
        raise ValueError("the terms are collinear: give a ridge or leave one out")
    value = _penalised(x, y, beta, penalty)
    for _ in range(iterations):
        p = expit(x @ beta)
        w = p * (1 - p)
        inverse = np.linalg.inv((x * w[:, None]).T @ x + np.diag(penalty))
        hat = w * ((x @ inverse) * x).sum(axis=1)
        score = x.T @ (y - p + hat * (0.5 - p)) - penalty * beta
        step = inverse @ score
        step *= min(1.0, LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        trial = _penalised(x, y, beta + step, penalty)
        while not trial >= value and np.abs(step).max() > tolerance:
            step = step / 2
            trial = _penalised(x, y, beta + step, penalty)
        beta, value = beta + step, trial
        if np.abs(step).max() <= tolerance:
            break
    return float(beta[0]), beta[1:]


def signed_logit(
    z: Array, y: Array, *, ridge: float, signs: NDArray[np.int8], firth: bool = False
) -> tuple[float, Array]:
    r"""Fit a logit with a ridge whose coefficients keep to expected signs.

    Minimises :math:`\sum_i (1+h_i)\log(1+e^{\eta_i}) - (y_i+h_i/2)\eta_i
    + \tfrac12\lambda\|\beta\|^2` under :math:`\beta_r \ge 0` or :math:`\beta_r \le 0`. With
    Firth's penalty h is the hat diagonal at the estimate, found by repetition; else 0.

    Parameters
    ----------
    z : ndarray, shape (rows, terms)
        Standardised.
    y : ndarray, shape (rows,)
        0 and 1.
    ridge : float
        :math:`\lambda`.
    signs : ndarray of int, shape (terms,)
        1, -1, or 0 for a coefficient left open.
    firth : bool

    Returns
    -------
    intercept : float
    coefficients : ndarray, shape (terms,)

    Examples
    --------
    The first term goes the wrong way and is held at 0; at 1 of the second, two of three rows are
    events, at -1 one: the coefficient solves 4 - 6 expit(b) = b.

    >>> z = np.array([[1.0, -1], [1, -1], [-1, -1], [-1, 1], [-1, 1], [1, 1]])
    >>> y = np.array([0.0, 0, 1, 1, 1, 0])
    >>> _, b = signed_logit(z, y, ridge=1.0, signs=np.array([1, 1], dtype=np.int8))
    >>> b.round(3).tolist()
    [0.0, 0.403]
    """
    x = np.column_stack([np.ones(len(y)), z])
    penalty = np.full(x.shape[1], ridge)
    penalty[0] = 0.0
    bounds = [(None, None), *(((0, None), (None, None), (None, 0))[1 - int(s)] for s in signs)]
    beta, hat = np.zeros(x.shape[1]), np.zeros(len(y))
    for _ in range(REPETITIONS if firth else 1):
        before = beta
        beta = _minimise(x, y, hat, penalty=penalty, bounds=bounds, start=beta)
        if not firth or np.abs(beta - before).max() < 1e-4:
            break
        # The log-determinant is taken over the coefficients that are not held at 0.
        free = beta != 0
        free[0] = True
        p = expit(x @ beta)
        w, part = p * (1 - p), x[:, free]
        inverse = np.linalg.inv((part * w[:, None]).T @ part + np.diag(penalty[free]))
        hat = w * ((part @ inverse) * part).sum(axis=1)
    return float(beta[0]), beta[1:]


def _minimise(
    x: Array, y: Array, hat: Array, *, penalty: Array, bounds: Any, start: Array
) -> Array:
    weight, target = 1 + hat, y + hat / 2

    def loss(beta: Array) -> tuple[float, Array]:
        eta = x @ beta
        value = float(weight @ np.logaddexp(0.0, eta) - target @ eta + 0.5 * penalty @ beta**2)
        return value, x.T @ (weight * expit(eta) - target) + penalty * beta

    options: Any = {"maxiter": 2000, "maxfun": 20000, "ftol": 1e-13, "gtol": 1e-7}
    objective: Any = loss
    found: Any = minimize(
        objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return np.asarray(found.x)


def rate_intercept(offset: Array, y: Array) -> float:
    r"""Find the intercept at which the mean probability is the observed event rate.

    Solves :math:`\sum_i \operatorname{expit}(a + o_i) = \sum_i y_i`. Firth's penalty draws
    probabilities towards one half; this puts their mean right again and leaves the rest.

    Parameters
    ----------
    offset : ndarray, shape (rows,)
        Log-odds without an intercept.
    y : ndarray, shape (rows,)
        0 and 1, both present.

    Returns
    -------
    float

    Notes
    -----
    Source: Puhr, Heinze, Nold, Lusa and Geroldinger (2017), Statistics in Medicine 36, 2302-2317
    (FLIC).

    Examples
    --------
    >>> round(rate_intercept(np.zeros(4), np.array([1.0, 0, 0, 0])), 6)  # ln(1/3)
    -1.098612
    """
    # The sum rises in a, and at these ends lies below and above the number of events.
    rate = float(y.mean())
    odds = float(np.log(rate / (1 - rate)))
    low, high = odds - float(offset.max()) - 1e-9, odds - float(offset.min()) + 1e-9
    for _ in range(200):
        middle = (low + high) / 2
        if expit(middle + offset).mean() < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _penalised(x: Array, y: Array, beta: Array, penalty: Array) -> float:
    eta = x @ beta
    p = expit(eta)
    information = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
    sign, logdet = np.linalg.slogdet(information)
    if sign <= 0:
        return -np.inf
    likelihood = float(y @ eta - np.logaddexp(0.0, eta).sum())
    return likelihood + 0.5 * float(logdet) - 0.5 * float(penalty @ beta**2)

"""Trees as bytes and back, with nothing in the bytes that could run.

The format is that of skops: a zip of plain arrays and a description of the objects around them.
Three things are added to it. The bytes are the same whenever the trees are the same (skops names
its parts by memory addresses). The description is compared with a constant list of types before
skops may build anything. The node tables are checked before they are used: scikit-learn follows
their numbers in compiled code without looking whether they lead out of the table.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final, cast

import numpy as np
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.exceptions import InconsistentVersionWarning

from debtwatch.early_warning.sample import Mask

#: What skops may build beyond the types that it trusts by itself.
TRUSTED: Final = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
_BOOSTING: Final = "sklearn.ensemble._hist_gradient_boosting"
#: Every (loader, module, class) that such a file holds: scikit-learn 1.9, skops 0.16.
ALLOWED: Final = frozenset({
    ("DictNode", "builtins", "dict"),
    ("ListNode", "builtins", "list"),
    ("TupleNode", "builtins", "tuple"),
    ("JsonNode", "builtins", "str"),
    ("TypeNode", "builtins", "str"),
    ("NdArrayNode", "numpy", "ndarray"),
    ("NdArrayNode", "numpy", "uint64"),
    ("NdArrayNode", "numpy", "int64"),
    ("NdArrayNode", "numpy", "float64"),
    ("LossNode", "sklearn._loss._loss", "CyHalfBinomialLoss"),
    ("ObjectNode", "sklearn._loss.link", "Interval"),
    ("ObjectNode", "sklearn._loss.link", "LogitLink"),
    ("ObjectNode", "sklearn._loss.loss", "HalfBinomialLoss"),
    ("ObjectNode", f"{_BOOSTING}.binning", "_BinMapper"),
    ("ObjectNode", f"{_BOOSTING}.gradient_boosting", "HistGradientBoostingClassifier"),
    ("ObjectNode", f"{_BOOSTING}.predictor", "TreePredictor"),
    ("ObjectNode", "sklearn.preprocessing._label", "LabelEncoder"),
})  # fmt: skip
#: Most bytes of the file, of what it unpacks to, and most parts in it.
LARGEST: Final = 64 * 2**20
LARGEST_UNPACKED: Final = 512 * 2**20
MOST_PARTS: Final = 50_000
_SCHEMA: Final = "schema.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def tree_bytes(model: HistGradientBoostingClassifier) -> bytes:
    """Write fitted trees as bytes.

    Parameters
    ----------
    model : HistGradientBoostingClassifier
        Fitted on two classes and numbers only.

    Returns
    -------
    bytes
        A skops file; equal for equal trees.

    Examples
    --------
    >>> x = np.arange(40.0).reshape(-1, 1)
    >>> model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, random_state=0)
    >>> model = model.fit(x, x[:, 0] > 20)
    >>> again = read_trees(tree_bytes(model), features=1)
    >>> bool((again.predict_proba(x) == model.predict_proba(x)).all())
    True
    """
    model = copy.copy(model)
    # The generator that drew features while fitting: of no use for scoring, and one type fewer.
    model._feature_subsample_rng = None
    return _repacked(skops.io.dumps(model))


def _repacked(content: bytes) -> bytes:
    """Name the parts in order of appearance, without a date."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = json.loads(source.read(_SCHEMA))
        numbers: dict[int, int] = {}
        names: dict[str, str] = {}
        for node in _nodes(schema):
            if isinstance(node.get("__id__"), int):
                node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
            if node.get("__loader__") == "NdArrayNode" and "file" in node:
                node["file"] = names.setdefault(node["file"], f"{len(names):05d}.npy")
        parts = {new: source.read(old) for old, new in names.items()}
    parts[_SCHEMA] = json.dumps(schema, indent=1).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, part in parts.items():
            target.writestr(zipfile.ZipInfo(name, _EPOCH), part, compress_type=zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _nodes(part: Any) -> Iterator[dict[str, Any]]:
    """Every described object of a file's description, in order."""
    waiting = [part]
    while waiting:
        now = waiting.pop()
        if isinstance(now, dict):
            if "__loader__" in now or "__class__" in now:
                yield now
            waiting.extend(reversed(now.values()))
        elif isinstance(now, list):
            waiting.extend(reversed(now))


def read_trees(content: bytes, *, features: int) -> HistGradientBoostingClassifier:
    """Read trees from bytes.

    Parameters
    ----------
    content : bytes
        Written by :func:`tree_bytes`.
    features : int
        Number of features the trees must take.

    Returns
    -------
    HistGradientBoostingClassifier
        Gives the probabilities of the one that was written, bit by bit.

    Raises
    ------
    ValueError
        When the bytes are too many, are not such a file, hold a type that is not in
        :data:`ALLOWED`, or hold trees that lead out of their own table. Nothing is built before
        the types are checked.
    """
    if len(content) > LARGEST:
        raise ValueError(f"it has {len(content)} bytes, more than {LARGEST}")
    schema = _description(content)
    _audit(schema)
    with warnings.catch_warnings():
        # Another patch release reads the same trees; another minor one is refused by the caller.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            model = skops.io.loads(content, trusted=list(TRUSTED))
        except Exception as error:
            raise ValueError(f"skops cannot read it ({type(error).__name__})") from error
    if type(model) is not HistGradientBoostingClassifier:
        raise ValueError("it holds no gradient boosting classifier")
    try:
        _check(model, features)
    except (AttributeError, TypeError, IndexError, KeyError) as error:
        raise ValueError("its trees are not complete") from error
    return model


def _description(content: bytes) -> Any:
    """Read what a file says that it holds, unless it would unpack to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            infos = source.infolist()
            small = sum(i.file_size for i in infos) <= LARGEST_UNPACKED and len(infos) <= MOST_PARTS
            schema = json.loads(source.read(_SCHEMA)) if small else None
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, RuntimeError, ValueError) as error:
        raise ValueError("it is not a skops file, or is cut off") from error
    if not small:
        raise ValueError("it unpacks to more than a model needs")
    return schema


def _audit(schema: Any) -> None:
    """Compare every type of the description with the constant list."""
    found = list(_nodes(schema))
    if not found or found[0] is not schema:
        raise ValueError("its description is empty")
    for node in found:
        kind = tuple(node.get(k) for k in ("__loader__", "__module__", "__class__"))
        if kind not in ALLOWED:
            raise ValueError(f"it holds {kind[1]}.{kind[2]}, which a model file never does")
        if node.get("type", "numpy") == "json":
            raise ValueError("it holds an array of objects, which a model file never does")


def _check(model: HistGradientBoostingClassifier, features: int) -> None:
    """Check the numbers that compiled code follows blindly."""
    if model.n_features_in_ != features or model._n_features != features:
        raise ValueError(f"its trees take {model.n_features_in_} features, not {features}")
    if model.n_trees_per_iteration_ != 1 or list(model.classes_) != [0, 1]:
        raise ValueError("its trees do not give one probability of two classes")
    base = model._baseline_prediction
    if not (isinstance(base, np.ndarray) and base.shape == (1, 1) and np.isfinite(base).all()):
        raise ValueError("its base is not one number")
    if model.is_categorical_ is not None or model._preprocessor is not None:
        raise ValueError("its trees take words, which a model file never does")
    for group in cast(list[list[Any]], model._predictors):
        if type(group) is not list or len(group) != 1 or type(group[0]) is not TreePredictor:
            raise ValueError("its trees are not predictors")
        _check_nodes(group[0].nodes, features)


def _check_nodes(nodes: Any, features: int) -> None:
    if not isinstance(nodes, np.ndarray) or nodes.ndim != 1 or not len(nodes):
        raise ValueError("a tree has no nodes")
    if nodes.dtype != PREDICTOR_RECORD_DTYPE:
        raise ValueError("a tree has nodes of another layout")
    leaf: Mask = nodes["is_leaf"] == 1
    inner = nodes[~leaf]
    own = np.flatnonzero(~leaf)
    left, right = inner["left"].astype(np.int64), inner["right"].astype(np.int64)
    fine = (
        np.isin(nodes["is_leaf"], (0, 1)).all()
        and not nodes["is_categorical"].any()
        and np.isfinite(nodes["value"]).all()
        # Thresholds may be infinite (a split of missing from known), never NaN.
        and not np.isnan(inner["num_threshold"]).any()
        and ((inner["feature_idx"] >= 0) & (inner["feature_idx"] < features)).all()
        # A child stands after its parent, so that every walk ends.
        and ((left > own) & (left < len(nodes)) & (right > own) & (right < len(nodes))).all()
    )
    if not fine:
        raise ValueError("a tree leads out of its own table")

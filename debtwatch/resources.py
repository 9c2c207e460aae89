"""Find ``models/``, ``reports/templates/`` and ``examples/`` in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(in_wheel: str, in_checkout: str) -> Path:
    packaged = _PACKAGE / in_wheel
    return packaged if packaged.is_dir() else _PACKAGE.parent / in_checkout


def models() -> Path:
    """Folder of rulebooks, scenarios and settings.

    Examples
    --------
    >>> (models() / "rulebooks").is_dir()
    True
    """
    return _folder("_models", "models")


def templates() -> Path:
    """Folder of page templates, style sheet and message catalogues."""
    return _folder("_templates", "reports/templates")


def examples() -> Path:
    """Folder of the example data sets that ship with debtwatch."""
    return _folder("_examples", "examples")

"""debtwatch: a debt-risk desk for local governments.

The public names; each is documented where it is defined.
"""

from __future__ import annotations

import importlib
from importlib import metadata
from typing import Any

try:
    __version__ = metadata.version("debtwatch")
except metadata.PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"

_PUBLIC = {
    "read_file": "debtwatch.panel.read",
    "open_store": "debtwatch.panel.store",
    "build_panel": "debtwatch.panel.panel",
    "load_rulebooks": "debtwatch.rules.rulebook",
    "assess": "debtwatch.rules.assess",
    "read_pipeline": "debtwatch.screening.pipeline",
    "run_study": "debtwatch.reporting.study",
    "quarterly_report": "debtwatch.reporting.quarterly",
}
__all__ = ["__version__"]
__all__ += list(_PUBLIC)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that ``--help`` stays fast."""
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(name)

"""Hashes and versions that make a report reproducible byte for byte."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

#: Packages whose version can move a figure or a byte of a report.
FIGURE_PACKAGES = (
    "debtwatch",
    "numba",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "jinja2",
    "babel",
    "altair",
    "vl-convert-python",
    "duckdb",
)


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal.

    Examples
    --------
    >>> sha256_of_bytes(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return sha256_of_bytes(path.read_bytes())


def sha256_of_folder(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, keyed by relative path with forward slashes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(folder).as_posix(): sha256_of_file(p) for p in files}


def package_versions() -> dict[str, str]:
    """Versions of the packages that can move a figure."""
    versions = {}
    for name in FIGURE_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed as a package"
    return versions

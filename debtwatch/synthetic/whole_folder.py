"""Write a folder whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from debtwatch.errors import ModelProblem
from debtwatch.language import N_


def check_new_folder(out: Path) -> None:
    """Refuse a folder that holds something.

    Raises
    ------
    ModelProblem
        When `out` exists and is a file or not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelProblem(
            N_("{path} exists and is not empty. Name a folder that does not exist yet."), path=out
        )


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write into; it takes the name `out` when all is written.

    Until then it stands beside `out`, so that no half set is left behind.

    Parameters
    ----------
    out : Path
        Folder to create; it may exist when it is empty.

    Yields
    ------
    Path

    Raises
    ------
    ModelProblem
        When it cannot be written.
    """
    target = out.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
            folder = Path(scratch) / "set"
            folder.mkdir()
            yield folder
            if target.exists():
                target.rmdir()
            folder.rename(target)
    except OSError as error:
        raise ModelProblem(
            N_("{path} cannot be written: {reason}. Choose another folder."),
            path=out,
            reason=error.strerror or error,
        ) from error

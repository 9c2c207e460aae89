"""The errors debtwatch raises on purpose: each says what, where and what to do next.

A message is a template in English plus its values, so that the command line can show it in the
user's language; ``str(error)`` gives the English text.
"""

from __future__ import annotations

from collections.abc import Callable


class DebtwatchError(Exception):
    """An error whose message is meant for the user.

    Parameters
    ----------
    template : str
        Message with ``{name}`` placeholders, the key of its translation.
    **values : object
        Values of the placeholders.

    Examples
    --------
    >>> str(DebtwatchError("{path} is empty.", path="a.csv"))
    'a.csv is empty.'
    """

    def __init__(self, template: str, **values: object) -> None:
        super().__init__(template)
        self.template = template
        self.values = values

    def text(self, translate: Callable[[str], str] | None = None) -> str:
        """Message with its values, translated when a translator is given."""
        to_words = translate or str
        template = to_words(self.template)
        # A value may be said in the user's language too: it is then a function of the translator.
        values = {k: v(to_words) if callable(v) else v for k, v in self.values.items()}
        return template.format(**values) if values else template

    def __str__(self) -> str:
        return self.text()


class DataProblem(DebtwatchError):
    """A file or a store that cannot be used as it is."""


class RulebookProblem(DebtwatchError):
    """A rulebook, or a formula in it, that is not valid."""


class ModelProblem(DebtwatchError):
    """A model, a setting or an output that cannot be used as asked."""

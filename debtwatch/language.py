"""Languages of everything a user reads: Chinese first, English beside it.

Texts are written in English in code and templates and looked up in
``reports/templates/locales/<locale>/LC_MESSAGES/debtwatch.po``. English needs no catalogue: the
key is the text. Names that belong to data (fields, rulebooks) carry both languages themselves.
"""

from __future__ import annotations

import gettext
import io
import os
from dataclasses import dataclass
from functools import cache

from debtwatch import resources

LOCALES = {"zh": "zh_Hans_CN", "en": "en"}


def N_(text: str) -> str:
    """Mark a text for translation and return it unchanged."""
    return text


@dataclass(frozen=True)
class Language:
    """One language of the user interface.

    Attributes
    ----------
    code : str
        ``zh`` or ``en``.
    translations : gettext.NullTranslations
        Catalogue; the null catalogue for English.
    """

    code: str
    translations: gettext.NullTranslations

    def text(self, message: str) -> str:
        """Translate one message."""
        return self.translations.gettext(message) if message else ""

    def pick(self, zh: str, en: str) -> str:
        """Choose between the two forms of a name that data carry."""
        return (zh or en) if self.code == "zh" else (en or zh)


@cache
def language(code: str) -> Language:
    """Load a language by its code.

    Parameters
    ----------
    code : str
        ``zh`` or ``en``.

    Raises
    ------
    KeyError
        For any other code.

    Examples
    --------
    >>> language("en").text("Debt balance")
    'Debt balance'
    """
    locale = LOCALES[code]
    path = resources.templates() / "locales" / locale / "LC_MESSAGES" / "debtwatch.po"
    if code == "en" or not path.exists():
        return Language(code, gettext.NullTranslations())
    # The catalogue is compiled in memory: no compiled file that could be stale is kept.
    from babel.messages.mofile import write_mo  # noqa: PLC0415 - keeps `--help` in English fast
    from babel.messages.pofile import read_po  # noqa: PLC0415

    compiled = io.BytesIO()
    with path.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=locale))
    compiled.seek(0)
    return Language(code, gettext.GNUTranslations(compiled))


def preferred_code() -> str:
    """Language of the terminal: ``DEBTWATCH_LANG``, else the system's, else Chinese."""
    asked = os.environ.get("DEBTWATCH_LANG", "").lower()
    for code in LOCALES:
        if asked.startswith(code):
            return code
    system = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "en" if system.lower().startswith("en") else "zh"

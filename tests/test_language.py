"""The Chinese catalogue and the names that data carry in two languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from debtwatch.panel.fields import FIELDS, STATUS_NAMES
from debtwatch.rules.rulebook import Rulebook, load_rulebooks

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "reports/templates/locales/zh_Hans_CN/LC_MESSAGES/debtwatch.po"
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "_": None}
CHINESE = re.compile(r"[一-鿿]")
LETTER = re.compile(r"[A-Za-z]")
BRACES = re.compile(r"\{[^{}]*\}")
PERCENT = re.compile(r"%\(\w+\)[a-z]|%[sd]\b")


@cache
def catalogue() -> Catalog:
    with CATALOGUE.open("rb") as stream:
        return read_po(stream)


@cache
def extracted() -> dict[str, frozenset[str]]:
    """Messages of the code and the templates, with the kinds of file that use them."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as stream:
        methods, options = parse_mapping_cfg(stream, "babel.cfg")
    found: dict[str, set[str]] = {}
    # Only the two folders that babel.cfg names are walked; its patterns start at the root.
    for folder in ("debtwatch", "reports"):
        for file, _, message, _, _ in extract_from_dir(
            ROOT / folder, _below(folder, methods), _below_options(folder, options), KEYWORDS
        ):
            assert isinstance(message, str), f"{file}: plural forms are not used"
            found.setdefault(message, set()).add(Path(file).suffix)
    return {message: frozenset(kinds) for message, kinds in found.items()}


def _below(folder: str, methods: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (pattern.removeprefix(f"{folder}/"), method)
        for pattern, method in methods
        if pattern.startswith(f"{folder}/")
    ]


def _below_options(folder: str, options: dict[str, Any]) -> dict[str, Any]:
    return {pattern.removeprefix(f"{folder}/"): given for pattern, given in options.items()}


def translated() -> dict[str, str]:
    return {str(m.id): str(m.string) for m in catalogue() if m.id}


def placeholders(text: str) -> list[str]:
    return sorted(BRACES.findall(text) + PERCENT.findall(text))


def plain(text: str) -> str:
    return PERCENT.sub("", BRACES.sub("", text))


# -- the catalogue --------------------------------------------------------------------------------


def test_catalogue_holds_exactly_the_messages_in_use():
    messages, known = set(extracted()), set(translated())
    assert len(messages) > 300
    assert {
        "not in the catalogue": sorted(messages - known),
        "no longer in use": sorted(known - messages),
    } == {"not in the catalogue": [], "no longer in use": []}
    assert not catalogue().obsolete


def test_no_translation_is_empty_or_fuzzy():
    assert [m.id for m in catalogue() if m.id and not str(m.string).strip()] == []
    assert [m.id for m in catalogue() if m.id and m.fuzzy] == []


def test_placeholders_agree():
    wrong = {
        message: text
        for message, text in translated().items()
        if placeholders(message) != placeholders(text)
    }
    assert wrong == {}


def test_texts_of_templates_take_their_values():
    # Jinja formats every text of a template with %, so that a lone % would break the page.
    in_templates = [m for m, kinds in extracted().items() if kinds & {".html", ".jinja"}]
    assert len(in_templates) > 50
    for message in in_templates:
        values = {name: "1" for name in re.findall(r"%\((\w+)\)", message)}
        for text in (message, translated()[message]):
            assert "%" not in text % values, text


def test_texts_of_code_take_their_values():
    for message in (m for m, kinds in extracted().items() if ".py" in kinds):
        names = [name.strip("{}") for name in BRACES.findall(message)]
        text = translated()[message].format(**dict.fromkeys(names, "1"))
        assert "{" not in text, text


def test_no_translation_is_left_in_english():
    left = {
        message: text
        for message, text in translated().items()
        if LETTER.search(plain(message)) and not CHINESE.search(text)
    }
    assert left == {}


# -- names that data carry ------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS, ids=lambda f: f.name)
def test_fields_are_named_in_both_languages(field):
    assert CHINESE.search(field.zh)
    assert LETTER.search(field.en)
    assert not CHINESE.search(field.en)
    assert CHINESE.search(field.table)


def test_statuses_are_named_in_both_languages():
    for zh, en in STATUS_NAMES.values():
        assert CHINESE.search(zh)
        assert LETTER.search(en)


@pytest.mark.parametrize("book", load_rulebooks(), ids=lambda b: b.id)
def test_rulebooks_speak_both_languages(book):
    texts = dict(_bilingual(book))
    needed = {"title", "authority", "legal_source.0"}
    needed |= {f"indicator.{k}.{x}" for k in range(len(book.indicator)) for x in ("label", "text")}
    needed |= {
        f"outcome.{k}.{x}" for k in range(len(book.outcome)) for x in ("label", "consequence")
    }
    assert needed <= set(texts)
    wrong = {
        place: text
        for place, text in texts.items()
        if not (CHINESE.search(text["zh"]) and LETTER.search(text["en"]))
        and not re.fullmatch(r"[A-E][+]?", text["zh"])  # grades are letters in every language
    }
    assert wrong == {}


def _bilingual(book: Rulebook) -> Iterator[tuple[str, dict[str, str]]]:
    """Every text of a rulebook that has two forms, with its place."""

    def walk(part: Any, place: str) -> Iterator[tuple[str, dict[str, str]]]:
        if isinstance(part, dict) and set(part) == {"zh", "en"}:
            yield place, part
        elif isinstance(part, dict):
            for name, inner in part.items():
                yield from walk(inner, f"{place}.{name}" if place else name)
        elif isinstance(part, list | tuple):
            for k, inner in enumerate(part):
                yield from walk(inner, f"{place}.{k}")

    return walk(book.model_dump(), "")

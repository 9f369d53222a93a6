"""Documents that promise to be complete are compared with what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from sentrikat.cli import application
from tests.conftest import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")

# British spelling of words that the field's formats spell the American way (ADR 0006).
BRITISH = re.compile(
    r"\b(organisations?|licences?|licenced|colou?rs?(?<!colors)(?<!color)|behaviours?|prioritis\w+|unauthoris\w+"
    r"|authoris\w+|recognis\w+|serialis\w+|normalis\w+|labelled|cancelled|catalogu(?:ed|ing))\b",
    re.IGNORECASE,
)


def test_every_command_has_its_section() -> None:
    commands = set(typer.main.get_command(application()).commands)  # type: ignore[attr-defined]
    page = (REPOSITORY / "docs/admin/commands.md").read_text(encoding="utf-8")
    assert commands - set(re.findall(r"^## sentrikat (\w+)$", page, re.MULTILINE)) == set()


def test_every_target_of_make_has_its_line_of_help() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE)) == phony


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_link_leads_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_of_the_documentation_is_reached_from_its_index() -> None:
    docs = REPOSITORY / "docs"
    reached: set[Path] = set()
    waiting = [docs / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file() or page.suffix != ".md":
            continue
        reached.add(page)
        waiting += [(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))]
    assert [str(page.relative_to(docs)) for page in docs.rglob("*.md") if page.resolve() not in reached] == []


def test_every_decision_is_in_the_index_of_decisions() -> None:
    folder = REPOSITORY / "docs" / "adr"
    listed = set(re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "index.md").read_text(encoding="utf-8")))
    assert {page.name for page in folder.glob("[0-9]*.md")} == listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_spelling_is_american(page: Path) -> None:
    assert BRITISH.findall(page.read_text(encoding="utf-8")) == []

"""Documents that promise to be complete are compared with what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from sentrikat.cli import app
from tests.conftest import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

# British spelling of words that the field's formats spell the American way (ADR 0006).
BRITISH = re.compile(
    r"\b(organisations?|licences?|licenced|colou?rs?(?<!colors)(?<!color)|behaviours?|prioritis\w+|unauthoris\w+"
    r"|authoris\w+|recognis\w+|serialis\w+|normalis\w+|labelled|cancelled|catalogu(?:ed|ing))\b",
    re.IGNORECASE,
)


def test_every_command_has_its_section() -> None:
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    page = (REPOSITORY / "docs/admin/commands.md").read_text(encoding="utf-8")
    assert commands - set(re.findall(r"^## sentrikat (\w+)$", page, re.MULTILINE)) == set()


def test_every_target_of_make_has_its_line_of_help() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[1].split())  # type: ignore[index]
    assert set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE)) == phony


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_a_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = (REPOSITORY / "docs/index.md").read_text(encoding="utf-8")
    pages = {
        str(page.relative_to(REPOSITORY / "docs"))
        for folder in ("user", "admin", "develop")
        for page in (REPOSITORY / "docs" / folder).glob("*.md")
    }
    assert {page for page in pages if f"({page})" not in index} == set()


def test_every_decision_is_in_the_index_of_decisions() -> None:
    folder = REPOSITORY / "docs" / "adr"
    listed = set(re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "index.md").read_text(encoding="utf-8")))
    assert {page.name for page in folder.glob("[0-9]*.md")} == listed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_the_spelling_is_american(page: Path) -> None:
    assert BRITISH.findall(page.read_text(encoding="utf-8")) == []

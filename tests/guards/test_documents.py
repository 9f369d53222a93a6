"""Documents that promise to be complete are compared with what they describe."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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


# A command in backticks, or on a line of its own in a block.
SPOKEN = re.compile(r"`sentrikat ((?!-)[^`]+)`|^ *(?:[A-Z_]+=\S+ )*sentrikat ((?!-)[^\n#|]+)", re.MULTILINE)
OPTION = re.compile(r"\[?(--[a-z-]+)")


def test_every_command_line_that_is_written_down_exists() -> None:
    root: Any = typer.main.get_command(application())
    wrong = []
    for page in PAGES:
        for found in SPOKEN.finditer(page.read_text(encoding="utf-8")):
            command, words = root, (found[1] or found[2]).split()
            while words and words[0].strip(",.") in getattr(command, "commands", {}):
                command = command.commands[words.pop(0).strip(",.")]
            known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
            options = {match[1] for word in words if (match := OPTION.match(word))}
            if command is root or options - known - {"--help"}:
                wrong.append((page.name, found[0]))

    assert wrong == []


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

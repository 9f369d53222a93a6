"""What docs/security claims: complete, and each claim names code and tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tools.write_security_evidence import STATUSES, Statement, names, page, read

# Every requirement of Level 1 in the CSV that OWASP publishes with ASVS 4.0.3: section, and the last parts of
# their numbers. (4.0.2 had 131; 4.0.3 merged 4.1.4, 13.1.2 and 14.3.1 into others. Chapter 1 has none.)
ASVS_LEVEL_1 = {
    "2.1": range(1, 13),
    "2.2": range(1, 4),
    "2.3": [1],
    "2.5": range(1, 7),
    "2.7": range(1, 5),
    "2.8": [1],
    "3.1": [1],
    "3.2": range(1, 4),
    "3.3": [1, 2],
    "3.4": range(1, 6),
    "3.7": [1],
    "4.1": [1, 2, 3, 5],
    "4.2": [1, 2],
    "4.3": [1, 2],
    "5.1": range(1, 6),
    "5.2": range(1, 9),
    "5.3": range(1, 11),
    "5.5": range(1, 5),
    "6.2": [1],
    "7.1": [1, 2],
    "7.4": [1],
    "8.2": range(1, 4),
    "8.3": range(1, 5),
    "9.1": range(1, 4),
    "10.3": range(1, 4),
    "11.1": range(1, 6),
    "12.1": [1],
    "12.3": range(1, 6),
    "12.4": [1, 2],
    "12.5": [1, 2],
    "12.6": [1],
    "13.1": [1, 3],
    "13.2": range(1, 4),
    "13.3": [1],
    "14.2": range(1, 4),
    "14.3": [2, 3],
    "14.4": range(1, 8),
    "14.5": range(1, 4),
}
CWE_FIRST = (79, 89, 352, 862, 787, 22, 416, 125, 78, 94, 120, 434, 476)
CWE_LAST = (121, 502, 122, 863, 20, 284, 200, 306, 918, 77, 639, 770)
EXPECTED = {
    "asvs-4.0.3": [f"V{section}.{last}" for section, lasts in ASVS_LEVEL_1.items() for last in lasts],
    "owasp-top-10-2021": [f"A{number:02}:2021" for number in range(1, 11)],
    "cwe-top-25-2025": [f"CWE-{number}" for number in CWE_FIRST + CWE_LAST],
}
LISTS = list(EXPECTED)


def statements(name: str) -> tuple[Statement, ...]:
    return read(name).statements


def test_every_list_is_known_here() -> None:
    assert names() == sorted(LISTS)


@pytest.mark.parametrize(
    ("name", "count"), [("asvs-4.0.3", 128), ("owasp-top-10-2021", 10), ("cwe-top-25-2025", 25)]
)
def test_every_entry_of_the_list_has_one_statement(name: str, count: int) -> None:
    assert [one.id for one in statements(name)] == EXPECTED[name]
    assert len(EXPECTED[name]) == count


def test_every_chapter_has_its_title_and_every_requirement_its_chapter() -> None:
    held = read("asvs-4.0.3")

    assert list(held.chapters) == [f"V{number}" for number in range(1, 15)]
    assert [one.id for one in held.statements if one.chapter != one.id.partition(".")[0]] == []


@pytest.mark.parametrize("name", LISTS)
def test_every_statement_says_what_is_asked_and_how_it_stands(name: str) -> None:
    thin = [one.id for one in statements(name) if len(one.asks) < 15 or len(one.how) < 40]
    unknown = [one.id for one in statements(name) if one.status not in STATUSES]
    # A bar would end the cell of the table.
    broken = [one.id for one in statements(name) if "|" in one.asks + one.how]

    assert (thin, unknown, broken) == ([], [], [])


@pytest.mark.parametrize("name", LISTS)
def test_what_is_met_names_code_and_a_test(name: str) -> None:
    assert [one.id for one in statements(name) if one.status == "met" and not (one.code and one.tests)] == []


@pytest.mark.parametrize("name", LISTS)
def test_code_that_is_named_exists(name: str) -> None:
    missing = [(one.id, code) for one in statements(name) for code in one.code if not exists(code)]

    assert missing == []


@pytest.mark.parametrize("name", LISTS)
def test_tests_that_are_named_exist(name: str) -> None:
    missing = [
        (one.id, test)
        for one in statements(name)
        for test in one.tests
        if not (test.startswith("tests/") and "::test_" in test and exists(test))
    ]

    assert missing == []


@pytest.mark.parametrize("name", LISTS)
def test_the_page_is_what_the_tool_writes(name: str) -> None:
    held = read(name)

    assert held.page.read_text(encoding="utf-8") == page(held), "run: python -m tools.write_security_evidence"


def test_what_does_not_exist_is_found() -> None:
    assert not exists("tests/guards/test_security_evidence.py::test_of_nothing")
    assert not exists("src/sentrikat/nothing.py")
    assert exists("src/sentrikat/web/headers.py::HEADERS")
    assert exists("src/sentrikat/web/headers.py::SecurityHeaders")


def exists(reference: str) -> bool:
    """Say whether a path exists and, for a file of Python, holds the name behind `::` at its top."""
    path, _, name = reference.partition("::")
    file = REPOSITORY / path
    return file.exists() and (not name or name in _names_of(file))


@cache
def _names_of(file: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Assign():
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return frozenset(found)


THREATS = (REPOSITORY / "docs" / "security" / "threat-model.md").read_text(encoding="utf-8")


def test_the_threat_model_names_code_and_tests_that_exist() -> None:
    named = re.findall(r"`([\w/.-]+\.py(?:::\w+)?)`", THREATS)
    code = [f"src/sentrikat/{one}" for one in named if not one.startswith("tests/")]
    tests = [one for one in named if one.startswith("tests/")]

    assert len(tests) > 40
    assert [one for one in [*code, *tests] if not exists(one)] == []


def test_every_boundary_is_looked_at_from_every_side() -> None:
    """STRIDE: spoofing, tampering, repudiation, information, denial, elevation."""
    boundaries = re.split(r"^## B\d ", THREATS, flags=re.MULTILINE)[1:]

    assert len(boundaries) == 7
    for boundary in boundaries:
        assert set(re.findall(r"^\| ([STRIDE]) \|", boundary, re.MULTILINE)) == set("STRIDE"), boundary[:40]
        assert "\nLeft: " in boundary, boundary[:40]

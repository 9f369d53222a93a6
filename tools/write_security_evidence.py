"""Write the pages of docs/security from their TOML: python -m tools.write_security_evidence.

A statement names how a requirement is met, the code that does it and the tests that prove it. The guard
tests/guards/test_security_evidence.py compares pages, code and tests with what is written here.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent
FOLDER = REPOSITORY / "docs" / "security"

STATUSES = {"met": "met", "not_applicable": "not applicable", "not_met": "not met"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One requirement, category or weakness, and how it stands here."""

    id: str
    chapter: str  # empty where the list has none
    asks: str
    status: str
    how: str
    code: tuple[str, ...]  # path, or path::name of a class, function or constant
    tests: tuple[str, ...]  # path::name


@dataclass(frozen=True, slots=True)
class Evidence:
    """One list: where it comes from, its chapters, and a statement for each of its entries."""

    name: str
    title: str
    source: str
    about: str
    chapters: dict[str, str]
    statements: tuple[Statement, ...]

    @property
    def page(self) -> Path:
        """Where the readable form is kept."""
        return FOLDER / f"{self.name}.md"


def names() -> list[str]:
    """Give the names of the lists."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name: str) -> Evidence:
    """Read one list."""
    held: dict[str, Any] = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return Evidence(
        name=name,
        title=held["title"],
        source=held["source"],
        about=held["about"].strip(),
        chapters=held.get("chapters", {}),
        statements=tuple(
            Statement(
                id=row["id"],
                chapter=row.get("chapter", ""),
                asks=row["asks"],
                status=row["status"],
                how=row["how"],
                code=tuple(row.get("code", ())),
                tests=tuple(row.get("tests", ())),
            )
            for row in held["statement"]
        ),
    )


def page(evidence: Evidence) -> str:
    """Give the readable page."""
    lines = [f"# {evidence.title}", "", f"Source: <{evidence.source}>", "", evidence.about, ""]
    lines += [
        (
            f"Written by `python -m tools.write_security_evidence` from [{evidence.name}.toml]({evidence.name}.toml). A test fails "
            "when an entry is missing, when code or a test that is named here does not exist, and when this page is not what the "
            "tool writes."
        ),
        "",
        "## Figures",
        "",
        *_figures(evidence),
        "",
    ]
    open_ones = [one for one in evidence.statements if one.status == "not_met"]
    if open_ones:
        lines += ["## Not met", "", "What is missing, and what to do meanwhile.", ""]
        lines += [f"* **{one.id}** ({one.asks}): {one.how}" for one in open_ones]
        lines.append("")
    for chapter, title in (evidence.chapters or {"": "The list"}).items():
        lines += [f"## {chapter} {title}".replace("  ", " "), ""]
        rows = [one for one in evidence.statements if one.chapter == chapter]
        lines += list(_table(rows)) if rows else ["No requirement of this chapter is of Level 1."]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _figures(evidence: Evidence) -> Iterator[str]:
    head = "| chapter | entries |" if evidence.chapters else "| | entries |"
    yield f"{head} {' | '.join(STATUSES.values())} |"
    yield "|---|---:|---:|---:|---:|"
    for chapter, title in evidence.chapters.items():
        yield _counted(f"{chapter} {title}", [one for one in evidence.statements if one.chapter == chapter])
    yield _counted("all", evidence.statements)


def _counted(title: str, rows: Sequence[Statement]) -> str:
    counts = Counter(one.status for one in rows)
    return f"| {title} | {len(rows)} | {' | '.join(str(counts[status]) for status in STATUSES)} |"


def _table(rows: Sequence[Statement]) -> Iterator[str]:
    yield "| | asks | | how | code | tests |"
    yield "|---|---|---|---|---|---|"
    for one in rows:
        code = "<br>".join(f"`{path.removeprefix('src/sentrikat/')}`" for path in one.code)
        tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in one.tests)
        yield f"| {one.id} | {one.asks} | {STATUSES[one.status]} | {one.how} | {code} | {tests} |"


def main() -> None:
    """Write every page."""
    for name in names():
        evidence = read(name)
        evidence.page.write_text(page(evidence), encoding="utf-8")
        print(evidence.page)


if __name__ == "__main__":
    main()

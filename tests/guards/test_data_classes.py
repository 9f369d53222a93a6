"""docs/security/data.md says of every table what kind of data it holds, and of every kind how it is protected."""

from __future__ import annotations

import re

from sentrikat.migrations import all_metadata
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs/security/data.md").read_text(encoding="utf-8")
CLASSES = dict(re.findall(r"^\| (\w+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE))
TABLES = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|$", PAGE, re.MULTILINE))


def test_every_table_has_its_class() -> None:
    assert sorted(TABLES) == sorted(all_metadata().tables)


def test_every_class_has_its_rules() -> None:
    assert set(TABLES.values()) == set(CLASSES) - {"class"}
    assert [name for name, rules in CLASSES.items() if name != "class" and len(rules) < 40] == []


def test_what_belongs_to_an_organization_is_not_public() -> None:
    owned = {name for name, table in all_metadata().tables.items() if "organization_id" in table.columns}

    assert {name for name in owned if TABLES[name] in {"public", "operation"}} == set()


def test_what_holds_a_hash_or_a_secret_is_secret() -> None:
    telling = re.compile(r"password_hash|token_hash|code_hash|secret")
    held = {
        name
        for name, table in all_metadata().tables.items()
        if any(telling.search(column.name) for column in table.columns)
    }

    assert {name for name in held if TABLES[name] != "secret"} == set()

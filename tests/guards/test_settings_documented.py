"""docs/admin/settings.md says what the server reads, no more and no less."""

from __future__ import annotations

import re

import pytest

from sentrikat.infra.settings import PREFIX, Settings
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "admin" / "settings.md"


def _rows() -> dict[str, tuple[str, str]]:
    rows = re.findall(
        r"^\| `(SENTRIKAT_\w+)` \| (.+?) \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: (default, text) for name, default, text in rows}


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(_rows()) == {PREFIX + name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_row_gives_the_default_and_the_description(name: str) -> None:
    field = Settings.model_fields[name]
    default, text = _rows()[PREFIX + name.upper()]
    assert default.strip("`") == ("unset" if field.default is None else str(field.default))
    assert text == field.description

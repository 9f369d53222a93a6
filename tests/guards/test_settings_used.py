"""A setting that nothing reads is a promise that nothing keeps."""

from __future__ import annotations

import re
from pathlib import Path

from sentrikat.infra import settings

SOURCES = Path(settings.__file__).parents[1]


def test_every_setting_is_read_somewhere() -> None:
    own = Path(settings.__file__).resolve()
    elsewhere = "\n".join(path.read_text() for path in SOURCES.rglob("*.py") if path.resolve() != own)
    within = own.read_text()

    unread = [
        name
        for name in settings.Settings.model_fields
        if not re.search(rf"\.{name}\b", elsewhere) and f"self.{name}" not in within
    ]

    assert unread == []

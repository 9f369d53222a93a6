"""Log lines are for machines, and keep secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from sentrikat.infra.logging import configure
from sentrikat.infra.settings import load


@pytest.fixture(autouse=True)
def _put_logging_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_its_process(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load(log_format="json"), process="worker")
    structlog.get_logger("x").warning("feed late", feed="kev\nforged line")
    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "feed late"
    assert line["feed"] == "kev\nforged line"
    assert line["process"] == "worker"
    assert line["level"] == "warning"


def test_a_field_that_sounds_like_a_secret_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load(log_format="json"), process="web")
    structlog.get_logger("x").error("refused", password="hunter2", nvd_api_key="hunter3")
    assert "hunter" not in capsys.readouterr().out


def test_lines_of_libraries_take_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load(log_format="json"), process="web")
    logging.getLogger("some.library").warning("took %d s", 3)
    assert json.loads(capsys.readouterr().out)["event"] == "took 3 s"

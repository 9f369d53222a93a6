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


def test_secrets_of_the_settings_are_hidden_wherever_they_stand(capsys: pytest.CaptureFixture[str]) -> None:
    settings = load(
        log_format="json",
        database_url="postgresql://kat:p%40ss-word-1@db/kat",
        smtp_password='with "quotes"',
        proxy="http://us:proxy-secret@proxy:1",
    )
    configure(settings, process="web")
    said = 'p@ss-word-1 p%40ss-word-1 with "quotes" proxy-secret sk_abcdefghij_' + "x" * 43
    structlog.get_logger("x").error("went wrong", error=said, detail={"api_key": "k1", "name": "kept"})
    line = json.loads(capsys.readouterr().out)
    assert line["error"] == " ".join(["[hidden]"] * 5)
    assert line["detail"] == {"api_key": "[hidden]", "name": "kept"}


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_trace_shows_no_values_of_variables(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(load(log_format=form), process="web")
    seed = "JBSWY3DP" * len(form)
    try:
        raise RuntimeError(len(seed))
    except RuntimeError as error:
        structlog.get_logger("x").error("request failed", exc_info=error)
    said = capsys.readouterr().out
    assert "RuntimeError" in said
    assert seed not in said


def test_a_value_begins_no_new_line_on_a_console(capsys: pytest.CaptureFixture[str]) -> None:
    configure(load(log_format="console"), process="web")
    structlog.get_logger("x").warning("wrong\x1b[2J", login="jane\r\n2026-01-01 [info] all is well\u2028")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "\x1b[2J" not in said
    assert "\\r\\n" in said

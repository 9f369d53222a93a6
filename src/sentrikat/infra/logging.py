"""Log lines: constant words plus fields, one JSON object per line, on standard output.

    log = structlog.get_logger()
    log.warning("bundle refused", bundle=path.name, held=held)

Lines of libraries (uvicorn, procrastinate, alembic) go through the same processors. No line shows a secret: traces
have no values of variables, fields whose name speaks of a secret are hidden, and so is, wherever it stands, every
secret that the settings name and everything that has the form of an API key.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, WrappedLogger

from sentrikat.infra.settings import Settings

# Fields that may hold a secret by mistake; the value is not logged, whoever put it there.
_SECRET_WORDS = ("password", "secret", "token", "api_key", "authorization", "cookie")

_API_KEY = r"sk_[a-zA-Z0-9]{6,16}_[A-Za-z0-9_-]{16,}"
_SHORT = 5
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

# Libraries that report each step at INFO; their troubles are ours to see, their steps are not.
_TALKATIVE = ("procrastinate", "alembic", "httpx2", "httpcore2", "uvicorn", "stamina")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the value of every field whose name speaks of a secret."""
    for name in event:
        if name != "event":
            event[name] = _hidden(name, event[name])
    return event


def _hidden(name: str, value: object) -> object:
    if any(word in name.lower() for word in _SECRET_WORDS):
        return "[hidden]"
    if isinstance(value, dict):
        return {key: _hidden(str(key), inner) for key, inner in value.items()}
    return value


def secrets_of(settings: Settings) -> re.Pattern[str]:
    """Make what finds the secrets of the settings, and API keys, in a text."""
    known: set[str] = set()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        said = value.get_secret_value() if isinstance(value, SecretStr) else value
        if not isinstance(said, str):
            continue
        if "://" in said:  # of an address, the password
            written = urlsplit(said).password or ""
            known |= {written, unquote(written)}
        elif isinstance(value, SecretStr):
            known |= {said, *said.replace(",", " ").split()}
    known |= {json.dumps(one)[1:-1] for one in known}
    # A word of five letters stands in other places too, where hiding it would tell what it is.
    words = [re.escape(one) for one in sorted(known, key=len, reverse=True) if len(one) > _SHORT]
    return re.compile("|".join([*words, _API_KEY]))


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write out what would begin a new line or command a terminal; JSON, and the console for values, do so by themselves."""
    words = str(event.get("event", ""))
    event["event"] = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), words)
    return event


def configure(settings: Settings, *, process: str) -> None:
    """Set logging up for this process; `process` (web, worker, up) is a field of every line."""
    level = getattr(logging, settings.log_level.upper())
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stdout.isatty())

    def name_process(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("process", process)
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        name_process,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        hide_secrets,
    ]
    final: list[Any] = (
        # A newline inside a value stays escaped, so nobody can forge a line. By default both forms of traces
        # show the values of variables, and those are passwords.
        [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(default=str),
        ]
        if as_json
        else [
            _one_line,
            structlog.dev.ConsoleRenderer(
                colors=sys.stdout.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    secret = secrets_of(settings)

    def without_secrets(_logger: WrappedLogger, _method: str, line: Any) -> str:
        return secret.sub("[hidden]", line)

    final.append(without_secrets)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A logger that remembers would keep what is configured now, whatever is configured later.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=())],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True

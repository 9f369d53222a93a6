"""Log lines: constant words plus fields, one JSON object per line, on standard output.

    log = structlog.get_logger()
    log.warning("bundle refused", bundle=path.name, held=held)

Lines of libraries (uvicorn, procrastinate, alembic) go through the same processors.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from sentrikat.infra.settings import Settings

# Fields that may hold a secret by mistake; the value is not logged, whoever put it there.
_SECRET_WORDS = ("password", "secret", "token", "api_key", "authorization", "cookie")

# Libraries that report each step at INFO; their troubles are ours to see, their steps are not.
_TALKATIVE = ("procrastinate", "alembic", "httpx2", "httpcore2", "uvicorn", "stamina")


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the value of every field whose name speaks of a secret."""
    for name in event:
        if name != "event" and any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "[hidden]"
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
        # A newline inside a value stays escaped, so nobody can forge a line.
        [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer(default=str)]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
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

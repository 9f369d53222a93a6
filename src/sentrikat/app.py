"""The composition root: puts settings, database and doors together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI, Response
from sqlalchemy import text

from sentrikat.infra.clock import SystemClock
from sentrikat.infra.database import Database
from sentrikat.infra.settings import Settings


def create_app(settings: Settings, database_url: str) -> FastAPI:
    """Return the web application on the database at `database_url`."""
    database = Database(
        database_url,
        application_name="sentrikat web",
        pool_size=settings.database_pool_size,
        statement_timeout_ms=settings.statement_timeout_ms,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Each request runs in a thread and holds one connection: as many of the one as of the other.
        current_default_thread_limiter().total_tokens = settings.database_pool_size
        yield
        database.close()

    app = FastAPI(
        title="SentriKat",
        version=version("sentrikat"),
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.clock = SystemClock()

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        """Answer load balancers and the supervisor: the process and its database work."""
        with database.engine.connect() as connection:
            connection.execute(text("select 1"))
        return Response("ok\n", media_type="text/plain")

    return app

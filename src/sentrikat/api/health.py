"""Is it alive, is it ready: for load balancers and supervisors; says nothing an outsider could use."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sentrikat.api.answers import Answer, json
from sentrikat.api.context import database_of

router = APIRouter(prefix="/health", tags=["health"])


class Health(Answer):
    """One word."""

    status: Literal["ok", "unavailable"]


@router.get("/live", response_model=Health)
def live() -> Response:
    """Say that the process answers."""
    return json({"status": "ok"})


@router.get("/ready", response_model=Health, responses={503: {"model": Health}})
def ready(request: Request) -> Response:
    """Say whether requests can be served, which needs the database."""
    try:
        with database_of(request).as_visitor() as session:
            session.execute(text("select 1"))
    except SQLAlchemyError:
        return json({"status": "unavailable"}, status=503)
    return json({"status": "ok"})

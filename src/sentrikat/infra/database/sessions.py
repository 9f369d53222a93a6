"""Sessions: one transaction, one scope, committed by whoever opened it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from sentrikat.infra.database import tenancy
from sentrikat.infra.database.engine import POOL_OVERFLOW, POOL_SIZE, POOL_TIMEOUT_SECONDS, make_engine
from sentrikat.infra.database.tenancy import Scope

_SCOPE = "sentrikat.scope"


class Database:
    """The way to data: three context managers, each one transaction under one role.

    Leaving the block commits, an error rolls back. A caller that works in portions may
    `session.commit()` inside the block; the next transaction enters the same scope again.
    Rooms get the session and never commit.
    """

    def __init__(
        self,
        url: str,
        *,
        application_name: str = "sentrikat",
        pool_size: int = POOL_SIZE,
        statement_timeout_ms: int | None = None,
        overflow: int = POOL_OVERFLOW,
        wait_seconds: float = POOL_TIMEOUT_SECONDS,
    ) -> None:
        self.url = url
        self.engine = make_engine(
            url,
            application_name=application_name,
            pool_size=pool_size,
            statement_timeout_ms=statement_timeout_ms,
            overflow=overflow,
            wait_seconds=wait_seconds,
        )
        # Rows stay readable after commit: a door renders what it just wrote.
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        event.listen(self._sessions, "after_begin", _enter_scope)

    @contextmanager
    def _open(self, scope: Scope) -> Iterator[Session]:
        with self._sessions(info={_SCOPE: scope}) as session:
            try:
                yield session
            except BaseException:
                session.rollback()
                raise
            session.commit()

    @contextmanager
    def as_system(self) -> Iterator[Session]:
        """Open a transaction that sees every organization: worker, command line, sign-in."""
        with self._open(tenancy.SYSTEM) as session:
            yield session

    @contextmanager
    def as_organization(self, organization_id: int) -> Iterator[Session]:
        """Open a transaction that sees and writes the rows of one organization only."""
        with self._open(tenancy.organization(organization_id)) as session:
            yield session

    @contextmanager
    def as_visitor(self) -> Iterator[Session]:
        """Open a transaction of nobody in particular: public knowledge, no tenant rows."""
        with self._open(tenancy.VISITOR) as session:
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def scope_of(session: Session) -> Scope:
    """Return the scope a session was opened with."""
    return cast("Scope", session.info[_SCOPE])


def _enter_scope(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    if not transaction.nested:  # a savepoint inherits the settings of its transaction
        tenancy.enter(connection, scope_of(session))

"""Write the audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.domain.hash_chain import Link, content
from sentrikat.domain.permissions import Caller
from sentrikat.infra.database.locks import lock_number

INSTALLATION = 0  # the chain of what concerns no single organization
_AT_ONCE = 1_000  # entries of one statement: half a megabyte

# Entries of one chain are written one after the other: each needs the hash of the one before (audit/ddl.py).
_APPEND = text(
    "select audit_append(:chain, :lock, :moment, :who, :source, cast(:actions as text[]), cast(:objects as text[]),"
    " cast(:details as text[]), cast(:contents as bytea[]))"
)


def record(
    session: Session,
    caller: Caller,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Append one entry to the chain of the caller's organization, in the caller's transaction.

    `subject` names what was acted on, as `kind:id`; it becomes the entry's object.

    If it cannot be written, the transaction fails with it: what cannot be logged does not happen. Until the
    transaction ends nobody else writes to the same chain, so whatever takes long belongs before this call.
    """
    _append(session, [_link(caller, action, subject, detail, now)])


def record_many(
    session: Session,
    caller: Caller,
    action: str,
    subjects: Iterable[tuple[str, Mapping[str, Any] | None]],
    *,
    now: datetime,
) -> int:
    """Append one entry for each (subject, detail), for changes of whole sets; give how many."""
    count = 0
    links = (_link(caller, action, subject, detail, now) for subject, detail in subjects)
    for some in _portions(links):
        _append(session, some)
        count += len(some)
    return count


def _link(caller: Caller, action: str, subject: str, detail: Mapping[str, Any] | None, now: datetime) -> Link:
    return Link(
        caller.organization_id, now, caller.actor, action, subject, caller.address, dict(detail or {})
    ).cleaned()


def _append(session: Session, links: list[Link]) -> None:
    """Append entries of one caller and moment."""
    first = links[0]
    session.execute(
        _APPEND,
        {
            "chain": first.organization_id,
            "lock": lock_number(f"audit:{first.organization_id}"),
            "moment": first.at,
            "who": first.actor,
            "source": first.address,
            "actions": [link.action for link in links],
            "objects": [link.object for link in links],
            "details": [json.dumps(link.detail, ensure_ascii=False, allow_nan=False) for link in links],
            "contents": [content(link) for link in links],
        },
    )


def _portions(links: Iterator[Link]) -> Iterator[list[Link]]:
    while some := list(islice(links, _AT_ONCE)):
        yield some

"""Runs that were held: their documents wait in the database until somebody lets them live or drops them.

The documents are kept as they were fetched, so approving one is an ordinary run that reads them, with the hold
switched off. A feed has one candidate at most: a newer run takes the place of an older one.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.domain.permissions import Caller, Permission
from sentrikat.feeds.adapter import Document, Feed, FeedState, FetchOptions, Transport, Validators
from sentrikat.infra.database.sessions import Database
from sentrikat.vulnerabilities.canary import Effect, Remark

PIECE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    """A held run. `kept` is False when its documents were too large to keep; `decision` is under way."""

    feed: str
    run_id: int
    held_at: datetime
    remarks: tuple[Remark, ...]
    effect: Effect
    kept: bool
    decision: str | None
    decided_by: str | None


def fingerprint(documents: Iterable[Document]) -> bytes:
    """Give what tells one set of documents from another."""
    named = sorted(f"{one.url} {one.sha256}" for one in documents)
    return hashlib.blake2b("\n".join(named).encode(), digest_size=16).digest()


def keep_candidate(
    session: Session,
    feed: str,
    run_id: int,
    documents: Sequence[Document],
    remarks: Sequence[Remark],
    effect: Effect,
    *,
    largest: int,
    now: datetime,
) -> None:
    """Put a held run's documents away, in place of any earlier ones."""
    drop_candidate(session, feed, "replaced")
    size = sum(one.size for one in documents)
    session.execute(
        text(
            "insert into feed_candidate (feed, feed_run_id, held_at, remarks, kept_bytes)"
            " values (:feed, :run, :now, cast(:remarks as jsonb), :kept)"
        ),
        {
            "feed": feed,
            "run": run_id,
            "now": now,
            "remarks": orjson.dumps(
                {"remarks": [asdict(one) for one in remarks], "effect": effect.as_json()}
            ).decode(),
            "kept": size if size <= largest else None,
        },
    )
    if size <= largest:
        for one in documents:
            _keep_document(session, feed, one)


def _keep_document(session: Session, feed: str, document: Document) -> None:
    memory = {
        "etag": document.validators.etag,
        "last_modified": document.validators.last_modified,
        "cursors": dict(document.cursors),
        "cut": document.cut,
    }
    number = session.execute(
        text(
            "insert into feed_candidate_document (feed, name, url, fetched_at, sha256, size, memory)"
            " values (:feed, :name, :url, :fetched_at, :sha256, :size, cast(:memory as jsonb)) returning id"
        ),
        {
            "feed": feed,
            "name": document.name,
            "url": document.url,
            "fetched_at": document.fetched_at,
            "sha256": document.sha256,
            "size": document.size,
            "memory": orjson.dumps(memory).decode(),
        },
    ).scalar_one()
    with document.open() as stream:
        for piece, content in enumerate(iter(lambda: stream.read(PIECE), b"")):
            session.execute(
                text(
                    "insert into feed_candidate_piece (document_id, number, content)"
                    " values (:document, :number, :content)"
                ),
                {"document": number, "number": piece, "content": content},
            )


def drop_candidate(session: Session, feed: str, outcome: str) -> bool:
    """Forget a feed's candidate, whose run then ended with `outcome`; give whether there was one."""
    run_id = session.execute(
        text("delete from feed_candidate where feed = :feed returning feed_run_id"), {"feed": feed}
    ).scalar()
    if run_id is None:
        return False
    session.execute(
        text("update feed_run set outcome = :outcome where id = :id"), {"outcome": outcome, "id": run_id}
    )
    return True


_CANDIDATES = (
    "select feed, feed_run_id, held_at, remarks, kept_bytes is not null as kept, decision, decided_by"
    " from feed_candidate"
)


def candidates(session: Session) -> dict[str, Candidate]:
    """Give every held run, by feed."""
    return {row.feed: _candidate(row) for row in session.execute(text(_CANDIDATES))}


def candidate_of(session: Session, feed: str, run_id: int | None = None) -> Candidate:
    """Give a feed's held run; NotFound where there is none, Conflict where it is another one than `run_id`."""
    row = session.execute(text(_CANDIDATES + " where feed = :feed"), {"feed": feed}).one_or_none()
    if row is None:
        raise NotFound(f"Nothing of the feed {feed} is held.", hint="Nothing was changed.")
    found = _candidate(row)
    if run_id is not None and found.run_id != run_id:
        raise Conflict(
            f"Run {run_id} of the feed {feed} is no longer held: run {found.run_id} has taken its place.",
            hint="Look at the newer one and decide again. Nothing was changed.",
        )
    return found


def _candidate(row: Any) -> Candidate:
    return Candidate(
        feed=row.feed,
        run_id=row.feed_run_id,
        held_at=row.held_at,
        remarks=tuple(Remark(**one) for one in row.remarks["remarks"]),
        effect=Effect.from_json(row.remarks["effect"]),
        kept=row.kept,
        decision=row.decision,
        decided_by=row.decided_by,
    )


def decide_approval(
    session: Session, caller: Caller, feed: str, run_id: int | None, *, now: datetime
) -> Candidate:
    """Write down that a held run may go live; whoever calls then runs it (`approved_feed`)."""
    caller.require(Permission.INSTALLATION_MANAGE)
    found = candidate_of(session, feed, run_id)
    if not found.kept:
        raise Conflict(
            f"Run {found.run_id} of the feed {feed} was not approved: its documents were too large to keep.",
            hint=f"Fetch them again and accept what comes: sentrikat feeds refresh --accept {feed}."
            " Nothing was changed.",
        )
    session.execute(
        text("update feed_candidate set decision = 'approve', decided_by = :actor where feed = :feed"),
        {"actor": caller.actor, "feed": feed},
    )
    _audit(session, caller, "feed.approved", found, now)
    return found


def reject_candidate(
    session: Session, caller: Caller, feed: str, run_id: int | None, *, now: datetime
) -> Candidate:
    """Drop a held run; the same documents are refused from now on."""
    caller.require(Permission.INSTALLATION_MANAGE)
    found = candidate_of(session, feed, run_id)
    drop_candidate(session, feed, "rejected")
    words = (
        f"Run {found.run_id} was rejected by {caller.actor}: {'; '.join(one.words for one in found.remarks)}."
    )
    session.execute(
        text("update feed set last_error = :words where name = :feed"), {"words": words, "feed": feed}
    )
    _audit(session, caller, "feed.rejected", found, now)
    return found


def _audit(session: Session, caller: Caller, action: str, found: Candidate, now: datetime) -> None:
    detail = {
        "run": found.run_id,
        "effect": found.effect.words(),
        "remarks": [one.words for one in found.remarks],
    }
    # Feeds belong to nobody's organization: what is done with them stands in the installation's own chain.
    record(session, replace(caller, organization_id=0), action, f"feed:{found.feed}", detail, now=now)


@contextmanager
def approved_feed(database: Database, feed: Feed) -> Iterator[Feed]:
    """Give `feed` reading its candidate's documents in place of its source's, from files of a folder of ours."""
    folder = Path(tempfile.mkdtemp(prefix="sentrikat-candidate-"))
    try:
        with database.as_system() as session:
            documents = [
                _restored(session, row, folder / str(row.id))
                for row in session.execute(
                    text("select * from feed_candidate_document where feed = :feed order by id"),
                    {"feed": feed.name},
                )
            ]

        def fetch(_transport: Transport, _state: FeedState, _options: FetchOptions) -> Iterator[Document]:
            yield from documents

        yield replace(feed, fetch=fetch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _restored(session: Session, row: Any, path: Path) -> Document:
    pieces = session.scalars(
        text("select number from feed_candidate_piece where document_id = :id order by number"),
        {"id": row.id},
    ).all()
    with path.open("wb") as file:
        for number in pieces:
            file.write(
                session.execute(
                    text(
                        "select content from feed_candidate_piece where document_id = :id and number = :number"
                    ),
                    {"id": row.id, "number": number},
                ).scalar_one()
            )

    def opener() -> BinaryIO:
        return path.open("rb")

    return Document(
        name=row.name,
        url=row.url,
        fetched_at=row.fetched_at,
        sha256=row.sha256,
        size=row.size,
        opener=opener,
        validators=Validators(row.memory["etag"], row.memory["last_modified"]),
        cursors=row.memory["cursors"],
        cut=row.memory["cut"],
    )

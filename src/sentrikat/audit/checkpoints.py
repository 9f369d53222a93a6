"""Sign what the chains hold, and compare them with what was signed before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from sentrikat.audit.journal import record
from sentrikat.audit.models import AuditCheckpoint, AuditEntry
from sentrikat.audit.verification import verify
from sentrikat.domain.chain_walk import Break, Walked
from sentrikat.domain.checkpoint import NONE_BEFORE, Checkpoint, proven, read_envelope, sign
from sentrikat.domain.permissions import SYSTEM
from sentrikat.domain.signed_statement import PublicKey, public_half
from sentrikat.infra.database.locks import advisory_lock
from sentrikat.infra.database.sessions import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Proof:
    """A chain that was walked, and the checkpoints it was compared with."""

    organization_id: int
    walked: Walked
    checkpoints: Sequence[Checkpoint] = ()
    forged: Break | None = None  # a checkpoint that does not hold itself

    @property
    def holds(self) -> bool:
        """Say whether every entry and every checkpoint is as written."""
        return self.walked.holds and self.forged is None


@dataclass(frozen=True, slots=True)
class Signed:
    """How much of a chain the last checkpoint covers."""

    at: datetime
    number: int
    entry_id: int
    entries: int
    since: int  # entries written after it


def chains(session: Session) -> Sequence[int]:
    """Give every chain there is: one step through the index for each."""
    query = """
        with recursive chain(id) as (
            select min(organization_id) from audit_entry
            union all
            select (select min(organization_id) from audit_entry where organization_id > chain.id)
            from chain where chain.id is not null
        )
        select id from chain where id is not null
    """
    return session.scalars(text(query)).all()


def prove(
    session: Session,
    organization_id: int,
    keys: Mapping[str, PublicKey],
    kept: Sequence[bytes] | None = None,
) -> Proof:
    """Walk a chain, and compare it with its checkpoints: those stored, or those somebody has kept elsewhere."""
    # Read before the entries: a checkpoint made meanwhile is then of entries that the walk does not miss.
    stored = session.scalars(
        select(AuditCheckpoint.envelope)
        .where(AuditCheckpoint.organization_id == organization_id)
        .order_by(AuditCheckpoint.number)
    ).all()
    checkpoints, forged = proven(stored if kept is None else kept, organization_id, keys)
    walked = verify(session, organization_id, [one.mark() for one in checkpoints])
    return Proof(organization_id, walked, checkpoints, forged)


def make_checkpoint(
    session: Session, organization_id: int, key: Ed25519PrivateKey, *, now: datetime
) -> tuple[Proof, Checkpoint | None]:
    """Walk a chain and sign where it ends. What does not hold is not signed."""
    advisory_lock(session, f"audit-checkpoint:{organization_id}")
    own = public_half(key)
    last = session.execute(
        select(AuditCheckpoint.number, AuditCheckpoint.envelope, AuditCheckpoint.key_id)
        .where(AuditCheckpoint.organization_id == organization_id)
        .order_by(AuditCheckpoint.number.desc())
        .limit(1)
    ).one_or_none()
    proof = prove(session, organization_id, {own.id: own})
    if proof.forged is not None and last is not None and last.key_id != own.id:
        # The key was replaced by whoever runs the server: the new one goes on, and `verify` asks for both.
        log.warning("audit key replaced", chain=organization_id, before=last.key_id, now=own.id)
        proof = replace(proof, forged=None)
    if not proof.holds:
        return proof, None
    made = Checkpoint(
        organization_id=organization_id,
        number=last.number + 1 if last is not None else 1,
        entry_id=proof.walked.last_id or 0,
        entries=proof.walked.entries,
        head=proof.walked.head,
        at=now,
        previous=read_envelope(last.envelope)[1].digest() if last is not None else NONE_BEFORE,
    )
    session.execute(
        insert(AuditCheckpoint).values(
            organization_id=organization_id,
            number=made.number,
            entry_id=made.entry_id,
            entries=made.entries,
            head=made.head,
            at=made.at,
            key_id=own.id,
            envelope=sign(made, key).encoded(),
        )
    )
    return proof, made


def sign_all(database: Database, key: Ed25519PrivateKey, *, now: datetime) -> list[Proof]:
    """Make a checkpoint of every chain; a chain that is broken is said in the log of the installation."""
    with database.as_system() as session:
        found = chains(session)
    proofs = []
    for organization_id in found:
        with database.as_system() as session:
            proof, _made = make_checkpoint(session, organization_id, key, now=now)
            proofs.append(proof)
            if proof.holds:
                continue
            broken = proof.walked.broken or proof.forged
            assert broken is not None  # it does not hold
            log.error(
                "audit chain broken", chain=organization_id, entry=broken.entry_id, reason=broken.reason
            )
            detail = {"entry": broken.entry_id, "fault": broken.fault.value, "reason": broken.reason}
            record(session, SYSTEM, "audit.chain_broken", f"chain:{organization_id}", detail, now=now)
    return proofs


def last_signed(session: Session, organization_id: int) -> Signed | None:
    """Say how much of a chain the last checkpoint covers; None where none was ever made."""
    last = session.execute(
        select(AuditCheckpoint.at, AuditCheckpoint.number, AuditCheckpoint.entry_id, AuditCheckpoint.entries)
        .where(AuditCheckpoint.organization_id == organization_id)
        .order_by(AuditCheckpoint.number.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        return None
    since = session.scalar(
        select(func.count())
        .select_from(AuditEntry)
        .where(AuditEntry.organization_id == organization_id, AuditEntry.id > last.entry_id)
    )
    return Signed(last.at, last.number, last.entry_id, last.entries, since or 0)


def unsigned_since(session: Session, organization_id: int, moment: datetime) -> bool:
    """Say whether a chain has entries from before `moment` that no checkpoint covers."""
    signed = select(func.coalesce(func.max(AuditCheckpoint.entry_id), 0)).where(
        AuditCheckpoint.organization_id == organization_id
    )
    oldest = session.scalar(
        select(AuditEntry.at)
        .where(AuditEntry.organization_id == organization_id, AuditEntry.id > signed.scalar_subquery())
        .order_by(AuditEntry.id)
        .limit(1)
    )
    return oldest is not None and oldest < moment

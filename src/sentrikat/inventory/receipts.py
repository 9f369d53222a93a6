"""Reports at the door: checked, kept as received, answered the same however often they are sent."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version

import orjson
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sentrikat.domain.errors import Conflict, NotFound
from sentrikat.infra.jobs import enqueue
from sentrikat.inventory.asset_limits import require_room
from sentrikat.inventory.models import Receipt
from sentrikat.inventory.readers import Reading, agent_report, read_report

JOB = "ingest_report"
QUEUE = "ingest"
_COMPRESSION = 3  # of 9: reports repeat their keys, and shrink to an eighth at half a millisecond

_AGENT_OF_HOST = text(
    "select id from asset where organization_id = :organization_id and hostname = any(:hostnames)"
    " and agent_id is not null and retired_at is null limit 1"
)


def accept(
    session: Session,
    organization_id: int,
    body: bytes,
    form: str | None = None,
    *,
    now: datetime,
    asset_hint: str | None = None,
    key_id: int | None = None,
) -> Receipt:
    """Take a report in: check it, keep it, queue its ingest; nothing is stored of what is refused.

    The same report sent again gets its first receipt. `asset_hint` names the host an SBOM is filed under.
    InvalidInput for a report that breaks its form; Conflict for other content under a known report id, and for
    an SBOM of a host whose agent reports by itself; Forbidden where the API key `key_id` may bring in no more assets.
    """
    reading = read_report(body, form, hostname=asset_hint)
    digest = hashlib.sha256(body).digest()
    if known := _known(session, organization_id, reading.inventory.report_id, digest):
        return known
    if reading.form != agent_report.FORM:
        _refuse_beside_agent(session, organization_id, reading)
    if key_id is not None:
        require_room(session, organization_id, key_id, reading.inventory)
    new = (
        insert(Receipt)
        .values(
            organization_id=organization_id,
            report_id=reading.inventory.report_id,
            form=reading.form,
            digest=digest,
            content_digest=content_digest(reading),
            collected_at=reading.inventory.collected_at,
            body=zlib.compress(body, _COMPRESSION),
            received_at=now,
            status="received",
            detail="; ".join(reading.remarks) or None,
            key_id=key_id,
            asset_hint=None if reading.form == agent_report.FORM else reading.inventory.hostname,
        )
        .on_conflict_do_nothing(index_elements=["organization_id", "report_id"])
        .returning(Receipt.id)
    )
    receipt_id = session.execute(new).scalar_one_or_none()
    if receipt_id is None:  # another connection delivered it in this moment
        again = _known(session, organization_id, reading.inventory.report_id, digest)
        if again is None:
            raise Conflict(
                f"The report {reading.inventory.report_id} is being received already.", hint="Send it again."
            )
        return again
    _queue(session, organization_id, receipt_id, reading.inventory.hostname)
    return session.get_one(Receipt, receipt_id)


def confirm(session: Session, organization_id: int, receipt_id: int, *, by: str) -> Receipt:
    """Let a held report take effect after all; `by` is who looked at it and says it is true."""
    receipt = session.scalar(
        select(Receipt)
        .where(Receipt.organization_id == organization_id, Receipt.id == receipt_id)
        .with_for_update()
    )
    if receipt is None:
        raise NotFound(f"There is no report with the receipt {receipt_id}.")
    if receipt.status != "held":
        raise Conflict(
            f"The report was not confirmed: it is {receipt.status}, and only a held report waits for it.",
            hint="Nothing was changed.",
            code="not_held",
        )
    receipt.confirmed = True
    receipt.status = "received"
    receipt.detail = f"{receipt.detail or 'held'}; confirmed by {by}"
    session.flush()
    hostname = read_stored(receipt.body, receipt.form, receipt.asset_hint).inventory.hostname
    _queue(session, organization_id, receipt.id, hostname)
    return receipt


def read_stored(body: bytes, form: str, asset_hint: str | None) -> Reading:
    """Read a report as it was kept."""
    return read_report(zlib.decompress(body), form, hostname=asset_hint)


def content_digest(reading: Reading) -> bytes | None:
    """Give a fingerprint of what a complete report says, whatever its id and its time; None for a part.

    With the program's version in it: a later one may make other components of the same words.
    """
    said = reading.inventory
    if not said.complete:
        return None
    names = [said.hostname, said.agent_id, said.machine_id]
    words = [_program(), reading.form, *names, said.os, said.software, said.updates]
    return hashlib.sha256(orjson.dumps(words)).digest()


@lru_cache(maxsize=1)
def _program() -> str:
    return version("sentrikat")


def _queue(session: Session, organization_id: int, receipt_id: int, hostname: str) -> None:
    # One after another per host, in order of arrival: otherwise the older of two reports in the
    # queue could be taken in last, and be set aside as outdated.
    lock = f"asset:{organization_id}:{hostname.lower()}"
    enqueue(session, JOB, queue=QUEUE, lock=lock, receipt_id=receipt_id)


def _known(session: Session, organization_id: int, report_id: str, digest: bytes) -> Receipt | None:
    receipt = session.scalar(
        select(Receipt).where(Receipt.organization_id == organization_id, Receipt.report_id == report_id)
    )
    if receipt is None or receipt.digest == digest:
        return receipt
    raise Conflict(
        f"The report {report_id} was not accepted: another report with this id arrived on "
        f"{receipt.received_at:%d %B %Y at %H:%M} UTC, and its content was different.",
        hint="Give each report an id of its own. Nothing was changed.",
        code="report_id_reused",
    )


def _refuse_beside_agent(session: Session, organization_id: int, reading: Reading) -> None:
    """Refuse an SBOM of a host with an agent: each is a whole inventory, and would undo the other."""
    hostname = reading.inventory.hostname
    spellings = list({hostname, hostname.lower(), hostname.upper()})
    parameters = {"organization_id": organization_id, "hostnames": spellings}
    if session.execute(_AGENT_OF_HOST, parameters).first() is not None:
        raise Conflict(
            f"The SBOM was not filed under {hostname}: an agent reports that host's software.",
            hint="File it under a name of its own, such as the application's. Nothing was changed.",
            code="host_has_agent",
        )

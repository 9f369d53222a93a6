"""The audit log as JSON Lines, and the verification of such a file without a database.

    {"record":"export","format":"sentrikat-audit","version":1,"organization_id":3,"filtered":false, …}
    {"record":"entry","id":17,"organization_id":3,"at":"2026-06-02T12:00:00.000000+00:00", … ,"hash":"…"}
    {"record":"checkpoint","number":1,"envelope":{"payload":"…","payloadType":"…","signatures":[…]}}
    {"record":"end","entries":1,"checkpoints":1}

An entry has every field that its hash covers (domain.hash_chain); contracts/audit-export holds the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.orm import Session

from sentrikat.audit import ocsf
from sentrikat.audit.checkpoints import Proof
from sentrikat.audit.queries import ALL, EntryFilters, StoredEntry, stored_checkpoints, stored_entries
from sentrikat.domain.chain_walk import Break, Entry, Fault, Walked, walk
from sentrikat.domain.checkpoint import proven
from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.hash_chain import GENESIS, Link, moment_text
from sentrikat.domain.signed_statement import PublicKey

FORMAT, VERSION = "sentrikat-audit", 1
LONGEST_LINE = 16 << 20  # bytes; the largest request there can be is smaller


def entry_record(entry: StoredEntry) -> dict[str, Any]:
    """Give an entry as it is exported, the time as it is hashed."""
    return {
        **entry._asdict(),
        "at": moment_text(entry.at),
        "previous_hash": entry.previous_hash.hex(),
        "hash": entry.hash.hex(),
    }


def line(record: Mapping[str, Any]) -> bytes:
    """Give one line. The standard library writes it: whole numbers of any size, and every control character escaped."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode() + b"\n"


def export_lines(
    session: Session, organization_id: int, filters: EntryFilters = ALL, *, now: datetime
) -> Iterator[bytes]:
    """Write a chain, or what the filters leave of it, with its checkpoints."""
    # Checkpoints first: one made while the entries are read is of entries that may not be in the file.
    checkpoints = stored_checkpoints(session, organization_id)
    yield line(
        {
            "record": "export",
            "format": FORMAT,
            "version": VERSION,
            "organization_id": organization_id,
            "exported_at": moment_text(now),
            "filtered": filters.given(),
        }
    )
    count = 0
    for entry in stored_entries(session, organization_id, filters):
        count += 1
        yield line({"record": "entry", **entry_record(entry)})
    for number, envelope in checkpoints:
        yield line({"record": "checkpoint", "number": number, "envelope": orjson.loads(envelope)})
    yield line({"record": "end", "entries": count, "checkpoints": len(checkpoints)})


def ocsf_lines(
    session: Session, organization_id: int, filters: EntryFilters = ALL, *, now: datetime
) -> Iterator[bytes]:
    """Write what the filters leave of a chain as events of the open schema, one a line."""
    del now  # events have their own times alone
    for entry in stored_entries(session, organization_id, filters):
        yield line(ocsf.event(entry))


class Form(StrEnum):
    """What an exported line is."""

    ENTRY = "entry"  # can be verified
    OCSF = "ocsf"


WRITERS = {Form.ENTRY: export_lines, Form.OCSF: ocsf_lines}


@dataclass(slots=True)
class ExportFile:
    """An exported file. It is read twice at most: for its checkpoints, and to walk the entries."""

    path: Path
    organization_id: int = field(init=False)
    filtered: bool = field(init=False)
    envelopes: list[bytes] = field(init=False, default_factory=list)
    unreadable: Break | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Read all but the entries; InvalidInput where it is no such file."""
        try:
            with self.path.open("rb") as file:
                first = _parsed(file.readline(LONGEST_LINE))
        except (OSError, ValueError) as trouble:
            raise self._refused(str(trouble)) from trouble
        if first.get("format") != FORMAT or first.get("version") != VERSION:
            raise self._refused("its first line is not that of an export of the audit log, version 1")
        self.organization_id = int(first.get("organization_id", 0))
        self.filtered = bool(first.get("filtered"))
        entries, ended = 0, False
        for number, record in self._records():
            if isinstance(record, Break):
                self.unreadable = record
                return
            if ended:
                self.unreadable = Break(
                    Fault.UNREADABLE, f"line {number} stands behind the end of the export"
                )
                return
            match record.get("record"):
                case "entry":
                    entries += 1
                case "checkpoint":
                    self.envelopes.append(orjson.dumps(record.get("envelope")))
                case "end":
                    ended = True
                    if record.get("entries") != entries or record.get("checkpoints") != len(self.envelopes):
                        reason = (
                            f"its last line says {record.get('entries')} entries and {record.get('checkpoints')} checkpoints,"
                            f" and it holds {entries} and {len(self.envelopes)}"
                        )
                        self.unreadable = Break(Fault.UNREADABLE, reason)
        if not ended and self.unreadable is None:
            self.unreadable = Break(Fault.UNREADABLE, "the file is cut off: its last line is missing")

    def entries(self) -> Iterator[Entry]:
        """Give the entries; ValueError with the line's number at one that cannot be read."""
        for number, record in self._records():
            if isinstance(record, Break):
                return  # said by `unreadable`
            if record.get("record") == "entry":
                try:
                    yield _entry(record)
                except (KeyError, TypeError, ValueError) as trouble:
                    raise ValueError(f"line {number} is no entry: {trouble}") from trouble

    def with_hash(self, digest: bytes) -> int | None:
        """Give the entry of that hash."""
        return _first(one.id for one in self.entries() if one.hash == digest)

    def following(self, digest: bytes, *, but: int) -> int | None:
        """Give an entry, other than `but`, that names `digest` as the hash before it."""
        return _first(one.id for one in self.entries() if one.previous == digest and one.id != but)

    def _records(self) -> Iterator[tuple[int, dict[str, Any] | Break]]:
        with self.path.open("rb") as file:
            file.readline(LONGEST_LINE)
            number = 1
            while content := file.readline(LONGEST_LINE):
                number += 1
                try:
                    yield number, _parsed(content)
                except ValueError as trouble:
                    yield number, Break(Fault.UNREADABLE, f"line {number} cannot be read: {trouble}")
                    return

    def _refused(self, reason: str) -> InvalidInput:
        return InvalidInput(
            f"{self.path} was not verified: {reason}.",
            hint="Give a file that `sentrikat audit export` or the page of the audit log wrote, unpacked.",
        )


def prove_export(file: ExportFile, keys: Mapping[str, PublicKey]) -> Proof:
    """Verify an exported file. Of one that was filtered only the single entries can be, not that none is missing."""
    checkpoints, forged = proven(file.envelopes, file.organization_id, keys)
    try:
        if file.filtered:
            walked = _each(file.entries())
        else:
            walked = walk(file.entries(), file, [one.mark() for one in checkpoints])
    except ValueError as trouble:
        walked = Walked(0, GENESIS, None, Break(Fault.UNREADABLE, str(trouble)))
    if walked.holds and file.unreadable is not None:
        walked = Walked(walked.entries, walked.head, walked.last_id, file.unreadable)
    return Proof(file.organization_id, walked, checkpoints, forged)


def _each(entries: Iterable[Entry]) -> Walked:
    count, head, last = 0, GENESIS, None
    for entry in entries:
        if not entry.intact():
            reason = "its content does not give the hash that was stored with it"
            broken = Break(Fault.CHANGED, reason, entry.id, entry.link.at, entry.link.action)
            return Walked(count, head, last, broken)
        count, head, last = count + 1, entry.hash, entry.id
    return Walked(count, head, last)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except RecursionError as trouble:
        raise ValueError("it is nested too deeply") from trouble
    if isinstance(found, dict):
        return found
    raise ValueError("it is not an object")


def _entry(record: Mapping[str, Any]) -> Entry:
    at = datetime.fromisoformat(record["at"])
    if at.tzinfo is None:
        raise ValueError("its time has no time zone")
    for name, kind in (("id", int), ("organization_id", int), ("detail", dict)):
        if type(record[name]) is not kind:
            raise TypeError(f"{name} is of another type")
    return Entry(
        record["id"],
        Link(
            record["organization_id"],
            at,
            record["actor"],
            record["action"],
            record["object"],
            record["address"],
            record["detail"],
        ),
        bytes.fromhex(record["previous_hash"]),
        bytes.fromhex(record["hash"]),
    )


def _first(found: Iterator[int]) -> int | None:
    return next(found, None)

r"""Entries as messages of syslog (RFC 5424), framed for a stream by counting their bytes (RFC 5425).

The message itself is a line of JSON in ASCII, so that nothing a person typed can end a message, begin another one, or
steer a terminal: a line feed in a name is the two characters \\ and n. The header is made of our own words.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from typing import Any

import orjson

from sentrikat.audit import ocsf
from sentrikat.audit.export import entry_record, line
from sentrikat.audit.queries import StoredEntry
from sentrikat.domain.hash_chain import moment_text

_LOG_AUDIT = 13  # the facility
_NOTICE, _WARNING = 5, 4
_NOT_PRINTED = re.compile(r"[^\x21-\x7e]")
_LARGEST_SEQUENCE = 2**31 - 1


def entry_message(entry: StoredEntry, hostname: str, *, as_ocsf: bool = False) -> bytes:
    """Give an entry as one message."""
    record = ocsf.event(entry) if as_ocsf else {"record": "entry", **entry_record(entry)}
    refused = entry.action.endswith(("refused", "failed", "chain_broken", "not_admitted"))
    return message(
        record,
        severity=_WARNING if refused else _NOTICE,
        at=entry.at,
        hostname=hostname,
        chain=entry.organization_id,
        kind=entry.action,
        sequence=entry.id,
    )


def checkpoint_message(
    organization_id: int, number: int, envelope: bytes, hostname: str, *, at: datetime
) -> bytes:
    """Give a signed checkpoint as one message: kept by the collector, it proves what came before."""
    record = {
        "record": "checkpoint",
        "organization_id": organization_id,
        "number": number,
        "envelope": orjson.loads(envelope),
    }
    return message(
        record,
        severity=_NOTICE,
        at=at,
        hostname=hostname,
        chain=organization_id,
        kind="audit.checkpoint",
        sequence=number,
    )


def message(
    record: Mapping[str, Any],
    *,
    severity: int,
    at: datetime,
    hostname: str,
    chain: int,
    kind: str,
    sequence: int,
) -> bytes:
    """Give one message: header, structured data of the registered names, and the record as JSON."""
    time = moment_text(at).replace("+00:00", "Z")
    place = ((sequence - 1) % _LARGEST_SEQUENCE) + 1
    header = " ".join(
        (
            f"<{_LOG_AUDIT * 8 + severity}>1",
            time,
            _word(hostname, 255),
            "sentrikat",
            f"chain-{chain}",
            _word(kind, 32),
        )
    )
    data = (
        f'[origin software="SentriKat" swVersion="{escaped(version("sentrikat"))}"]'
        f'[meta sequenceId="{place}"]'
    )
    return f"{header} {data} ".encode() + line(record).rstrip(b"\n")


def framed(content: bytes) -> bytes:
    """Give a message as it is sent: its length in bytes, a space, itself."""
    return b"%d %b" % (len(content), content)


def escaped(value: str) -> str:
    """Escape what would end a value of structured data."""
    return re.sub(r'([\\"\]])', r"\\\1", value)


def own_hostname() -> str:
    """Give the name this machine has."""
    return socket.gethostname()


def _word(text: str, longest: int) -> str:
    """Give a header field: printed ASCII without spaces, never empty."""
    return _NOT_PRINTED.sub("_", text)[:longest] or "-"

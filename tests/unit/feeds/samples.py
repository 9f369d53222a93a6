"""Recorded source documents, and short ways to parse them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from sentrikat.domain.advisory import Advisory, Enrichment, Record
from sentrikat.feeds.adapter import Document, Quarantined
from sentrikat.feeds.transports.memory import document

SAMPLES = Path(__file__).resolve().parents[2] / "samples"

Parse = Callable[[Document], Iterator[Record | Quarantined]]


def sample(name: str) -> bytes:
    """Give the bytes of a recorded sample."""
    return (SAMPLES / name).read_bytes()


def as_document(value: Any, url: str = "https://feeds.example/document.json") -> Document:
    """Give JSON values as a document."""
    return document(orjson.dumps(value), url)


def zipped(records: Iterable[bytes]) -> bytes:
    """Give records as the zip archive OSV publishes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(records):
            archive.writestr(zipfile.ZipInfo(f"{number}.json"), content)  # the first day of zip, not today
    return buffer.getvalue()


def wesng_archive(rows: bytes) -> bytes:
    """Give rows as the archive WES-NG publishes, its own service packs and version beside them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Custom_20190321.csv", rows.splitlines(keepends=True)[0])
        archive.writestr("CVEs_20310110.csv", rows)
        archive.writestr("Version_0.94.txt", b"0.94")
    return buffer.getvalue()


def advisories(parse: Parse, found: Document) -> list[Advisory]:
    """Parse a document of which every record must be a good Advisory."""
    records = list(parse(found))
    assert all(isinstance(record, Advisory) for record in records), records
    return [record for record in records if isinstance(record, Advisory)]


def enrichments(parse: Parse, found: Document) -> list[Enrichment]:
    """Parse a document of which every record must be a good Enrichment."""
    records = list(parse(found))
    assert all(isinstance(record, Enrichment) for record in records), records
    return [record for record in records if isinstance(record, Enrichment)]


def tarred(files: dict[str, bytes]) -> bytes:
    """Give files as a tar archive, compressed with gzip, as repositories hand out snapshots."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()

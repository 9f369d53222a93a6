"""OSV.dev: advisories of language ecosystems and Linux distributions in one form.

Source  https://osv-vulnerabilities.storage.googleapis.com/ECOSYSTEM/all.zip
Schema  https://ossf.github.io/osv-schema/
Pace    continuously; one archive per ecosystem with one JSON file per record
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote, unquote

import orjson

from sentrikat.domain.advisory import Advisory, BuiltFrom, Record
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.osv_binaries import built_from
from sentrikat.feeds.formats.osv_record import advisory
from sentrikat.feeds.unpacking import is_archive, json_files

NAME = "osv"
TITLE = "OSV.dev"
BUCKET = "https://osv-vulnerabilities.storage.googleapis.com/"
SOURCES = (BUCKET,)
LICENSE = "CC-BY-4.0"
TERMS = (
    "OSV.dev aggregates: GitHub Advisory Database and PyPA, CC BY 4.0; RustSec, CC0 1.0; Go vulnerability "
    "database, CC BY 4.0; OpenSSF malicious packages, Apache 2.0; Red Hat, CC BY 4.0; AlmaLinux, MIT; "
    "Rocky Linux, BSD; Bitnami, Apache 2.0; Debian, Ubuntu, Alpine, SUSE, Wolfi and Chainguard under their terms."
)
PACE = timedelta(days=2)
COMPLETE = False  # an archive that did not change is not fetched; what is withdrawn says so itself

# Debian's own tracker, a feed here, is heard first and knows more; but it drops releases that have ended, and
# for those this form is all there is.
ECOSYSTEMS = (
    "PyPI",
    "npm",
    "Maven",
    "NuGet",
    "Packagist",
    "RubyGems",
    "crates.io",
    "Go",
    "Bitnami",
    "Debian",
    "AlmaLinux",
    "Rocky Linux",
    "Red Hat",
    "Ubuntu",
    "Alpine",
    "SUSE",
    "openSUSE",
    "Wolfi",
    "Chainguard",
)


def archive_url(ecosystem: str) -> str:
    """Give the address of an ecosystem's archive."""
    return f"{BUCKET}{quote(ecosystem)}/all.zip"


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:
    """Yield the archive of each ecosystem that changed since `state`."""
    wanted = [archive_url(name) for name in options.ecosystems or ECOSYSTEMS]
    held = transport.listing(BUCKET)
    if held is not None:
        # A bundle holds what its maker chose; a wish can only narrow that.
        wanted = [url for url in held if options.ecosystems is None or url in wanted]
    for url in wanted:
        if document := transport.get(url, state.of(url)):
            yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per record of an archive, or of a single JSON record."""
    yield from mostly_good(document, _apart(document, _advisories(document)))


def _apart(document: Document, records: Iterable[Record | Quarantined]) -> Iterator[Record | Quarantined]:
    """Give every record an id of its own, where a source files several under one.

    Alpine and Debian file what they say of a flaw under the plain CVE id, so two archives hold different records
    of one id: the archive's name is put in front. AlmaLinux files one erratum once for each release, in one
    archive: from the second on they are numbered, in the archive's order.
    """
    archive = unquote(document.url.removeprefix(BUCKET)).partition("/")[0]
    met: dict[str, int] = {}
    for record in records:
        if isinstance(record, Advisory):
            identifier = f"{archive} {record.id}" if fields.CVE.fullmatch(record.id) else record.id
            met[identifier] = times = met.get(identifier, 0) + 1
            if times > 1:
                identifier = f"{identifier}#{times}"
            if identifier != record.id:
                record = replace(record, id=identifier)  # noqa: PLW2901
        yield record


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    count = 0
    told: set[BuiltFrom] = set()
    with reading(document):
        files = json_files(document) if is_archive(document) else iter([(document.name, document.read())])
        for name, content in files:
            count += 1
            record = attempt(
                content,
                lambda name=name: name.rsplit("/", 1)[-1].removesuffix(".json"),  # type: ignore[misc]
                lambda content=content: advisory(fields.mapping(orjson.loads(content)), NAME),  # type: ignore[misc]
            )
            yield record
            if isinstance(record, Advisory) and b'"binaries"' in content:
                found = attempt(
                    content,
                    lambda record=record: record.id,  # type: ignore[misc]
                    lambda content=content: set(built_from(orjson.loads(content), NAME)),  # type: ignore[misc]
                )
                if isinstance(found, Quarantined):
                    yield found
                    continue
                fresh = found - told
                told |= fresh
                yield from sorted(fresh, key=lambda one: (one.release, one.binary))
        if not count:
            raise ValueError("it holds no record at all")

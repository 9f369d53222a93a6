"""Ubuntu's CVE tracker: which source package of which release has which flaw, and what became of it.

Source  https://git.launchpad.net/ubuntu-cve-tracker, as the snapshot of its branch master
Format  text files active/CVE-*, retired/CVE-*, ignored/CVE-*; see formats.ubuntu_tracker
Pace    several times a day; one archive, every flaw since the beginning

The tracker's repository is known to be at that address, and its files' form was checked on 51,478 real ones. Not proven: that the
server gives the snapshot under this name, and its validators. Where it does not, the run fails in words and what is held stays.

OSV's Ubuntu archive is made of the same facts, for releases that are maintained, and without the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sentrikat.domain.advisory import Advisory, Record
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import (
    Document,
    FeedState,
    FetchOptions,
    Quarantined,
    Transport,
    attempt,
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.ubuntu_tracker import read, statements
from sentrikat.feeds.unpacking import archived_files

NAME = "ubuntu"
TITLE = "Ubuntu CVE tracker"
URL = "https://git.launchpad.net/ubuntu-cve-tracker/snapshot/ubuntu-cve-tracker-master.tar.gz"
SOURCES = (URL,)
LICENSE = "LicenseRef-Ubuntu-CVE-Tracker"
TERMS = "Ubuntu CVE Tracker, Canonical Ltd. and contributors, under its own terms."
PACE = timedelta(days=3)
COMPLETE = True  # a flaw that was settled moves to retired/, and stays

LARGEST_FILE = 4 << 20  # bytes: the largest real file, a kernel flaw, has some 300 kB

_FIELDS = frozenset(
    {
        "Assigned-to",
        "Bugs",
        "CRD",
        "CVSS",
        "Candidate",
        "Description",
        "Discovered-by",
        "Mitigation",
        "Notes",
        "Priority",
        "PublicDate",
        "PublicDateAtUSN",
        "References",
        "Ubuntu-Description",
    }
)
_FILE = re.compile(r"(?:.*/)?(?:active|retired|ignored)/(?P<name>CVE-\d{4}-\d{4,19})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2}:\d{2})?")
_DESCRIPTION_LENGTH = 4_000


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the snapshot, or nothing if it is the one `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per file of the archive."""
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    count = 0
    with reading(document):
        for path, content in archived_files(
            document, lambda name: _FILE.fullmatch(name) is not None, largest=LARGEST_FILE
        ):
            count += 1
            name = path.rsplit("/", 1)[-1]
            if content is None:
                yield Quarantined(name, f"it is larger than {LARGEST_FILE:,} bytes", "")
                continue
            yield attempt(
                content,
                lambda name=name: name,  # type: ignore[misc]
                lambda name=name, content=content: _advisory(name, content),  # type: ignore[misc]
            )
        if not count:
            raise ValueError("it holds no file of a CVE in active/, retired/ or ignored/")


def _advisory(name: str, content: bytes) -> Advisory:
    entry = read(content.decode("utf-8", "replace").replace("\x00", "\ufffd"))
    familiar(entry.fields, _FIELDS, "header")
    candidate = entry.fields.get("Candidate", "")
    if candidate != name:
        raise ValueError(f"the file {name} is about {candidate[:40]!r}")
    return Advisory(
        source=NAME,
        id=name,
        vulnerabilities=(name,),
        statements=tuple(statements(entry)),
        description=entry.fields.get("Description", "")[:_DESCRIPTION_LENGTH] or None,
        published=_moment(entry.fields.get("PublicDate", "")),
        references=(f"https://ubuntu.com/security/{name}",),
    )


def _moment(text: str) -> datetime | None:
    found = _DAY.match(text)
    try:
        return fields.instant(found[0]).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None  # "unknown", and a few dates that are none: not worth the record

"""Amazon Linux security advisories (ALAS): the update information of its package repositories.

Source  https://cdn.amazonlinux.com/2/core/latest/x86_64/mirror.list names the repository, whose repodata/repomd.xml
        names updateinfo.xml.gz; the same for 2023, its live patches, and each topic of Amazon Linux 2's extras
Form    <updates><update type="security"><id>ALAS2-2018-939</id>...<references><reference id="CVE-..." type="cve"/>
        <pkglist><collection short="amazon-linux-2"><package name epoch version release arch/>
Pace    several times a week; Amazon Linux 1 ended in 2023, its file can be imported by hand

The collection says what a document is of: `amazon-linux-2---kernel-5.10` is the topic kernel-5.10 of the extras.
A topic brings another line of a package that the core may have too (kernel 5.10 beside 4.14, php 8.0 beside 5.4):
what repaired its line says nothing of a lower one, so its statements begin with the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element

from sentrikat.domain.advisory import Advisory, Product, Record, Remedy, Statement, Status
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
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
    unfamiliar,
)
from sentrikat.feeds.formats.rpm_builds import Build, evr, repaired
from sentrikat.feeds.formats.xml_records import xml_records
from sentrikat.feeds.parts import get_if_there
from sentrikat.feeds.unpacking import unpacked

NAME = "amazon"
TITLE = "Amazon Linux security advisories"
BASE = "https://cdn.amazonlinux.com/"
SOURCES = (BASE,)
LICENSE = "LicenseRef-Amazon"
TERMS = (
    "Amazon Linux Security Advisories of Amazon Web Services, fetched by this installation from cdn.amazonlinux.com "
    "and subject to Amazon's terms; they are not part of SentriKat."
)
PACE = timedelta(days=4)
COMPLETE = False  # a repository that did not change is not fetched; advisories are corrected, not taken back

CORES = (f"{BASE}2/core/latest/x86_64/mirror.list", f"{BASE}al2023/core/mirrors/latest/x86_64/mirror.list")
LIVE_PATCHES = f"{BASE}al2023/kernel-livepatch/mirrors/latest/x86_64/mirror.list"
EXTRAS = f"{BASE}2/extras-catalog.json"

_MOST_TOPICS = 500
_COLLECTION = re.compile(r"amazon-linux(?:-(ami|2|20\d\d))?(?:---([\w.+-]{1,80}))?")
_LINE = re.compile(r"(\d+(?:\.\d+)*)$")
_ADVISORY = re.compile(r"ALAS[\w.+-]{0,60}-\d{4}-\d{1,6}")

_FIELDS = frozenset(
    {
        "description",
        "id",
        "issued",
        "pkglist",
        "pushcount",
        "reboot_suggested",
        "references",
        "release",
        "rights",
        "severity",
        "solution",
        "summary",
        "title",
        "updated",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the update information of each repository that changed since `state`."""
    held = transport.listing(BASE)
    urls = iter(held) if held is not None else _updates(transport)
    for url in urls:
        if document := transport.get(url, state.of(url)):
            yield document


def _updates(transport: Transport) -> Iterator[str]:
    for mirrors in CORES:
        yield from _of_repository(transport, mirrors, needed=True)
    yield from _of_repository(transport, LIVE_PATCHES)
    for topic in _topics(transport):
        yield from _of_repository(transport, f"{BASE}2/extras/{topic}/latest/x86_64/mirror.list")


def _topics(transport: Transport) -> list[str]:
    document = transport.get(EXTRAS)
    if document is None:
        return []
    with reading(document):
        catalog = fields.mapping(document.json(), "the catalog")
        names = [fields.text(one, "n") for one in fields.objects(catalog, "topics")]
        if not names or len(names) > _MOST_TOPICS:
            raise ValueError(f"it names {len(names)} topics")
        return [name for name in names if re.fullmatch(r"[\w.+-]{1,80}", name)]


def _of_repository(transport: Transport, mirrors: str, *, needed: bool = False) -> Iterator[str]:
    """Yield the address of a repository's update information, if it has any."""
    listed, _ = get_if_there(transport, mirrors, needed=needed)
    if listed is None:
        return
    with reading(listed):
        lines = [line.strip() for line in listed.read(1 << 20).decode().splitlines() if line.strip()]
        if not lines:
            raise ValueError("it names no repository")
        base = _secure(lines[0].replace("$basearch", "x86_64").rstrip("/") + "/")
    index, _ = get_if_there(transport, urljoin(base, "repodata/repomd.xml"), needed=needed)
    if index is None:
        return
    with reading(index), unpacked(index, 16 << 20) as stream:
        for data in xml_records(stream, "repomd", "data"):
            location = data.find("location")
            if data.get("type") == "updateinfo" and location is not None and location.get("href"):
                yield _secure(urljoin(base, location.get("href", "")))


def _secure(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url[:80]!r} is no address of a repository")
    return parts._replace(scheme="https").geturl()


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per security update."""
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document), unpacked(document) as stream:
        count = 0
        for update in xml_records(stream, "updates", "update"):
            count += 1
            if update.get("type") != "security":
                continue
            yield attempt(
                update.findtext("id"),
                lambda update=update: update.findtext("id"),  # type: ignore[misc]
                lambda update=update: _advisory(update),  # type: ignore[misc]
            )
        if not count and "/core/" in document.url:  # a topic of the extras may have none yet
            raise ValueError("it holds no update at all")


def _advisory(update: Element) -> Advisory:
    for name in {one.tag for one in update} - _FIELDS:
        unfamiliar(f"update.{name}")
    identifier = fields.short(update.findtext("id"), "id")
    if not identifier or not _ADVISORY.fullmatch(identifier):
        raise ValueError(f"{(identifier or '')[:40]!r} is no id of an advisory")
    flaws = fields.unique(
        name
        for one in update.iterfind("references/reference")
        if fields.CVE.fullmatch(name := (one.get("id") or "").strip())
    )
    if update.find("pkglist/collection/package") is None:
        raise ValueError("it names no package")
    severity = fields.short(update.findtext("severity"), "severity")
    words = {
        "description": update.findtext("description"),
        "issued": _date(update, "issued"),
        "updated": _date(update, "updated"),
    }
    return Advisory(
        source=NAME,
        id=identifier,
        vulnerabilities=flaws or (identifier,),
        statements=tuple(_statements(update, f"severity: {severity.lower()}" if severity else None)),
        title=fields.short(update.findtext("title"), "title"),
        description=fields.prose(words, "description"),
        published=fields.moment(words, "issued"),
        modified=fields.moment(words, "updated"),
        references=fields.unique(
            url
            for one in update.iterfind("references/reference")
            if (url := fields.short(one.get("href"), "href"))
        )[: fields.MOST_REFERENCES],
    )


def _date(update: Element, name: str) -> str | None:
    element = update.find(name)
    return element.get("date") if element is not None else None


def _statements(update: Element, severity: str | None) -> Iterator[Statement]:
    for collection in update.iterfind("pkglist/collection"):
        short = collection.get("short") or ""
        found = _COLLECTION.fullmatch(short)
        if not found:
            raise ValueError(f"the collection {short[:60]!r} is of no release of Amazon Linux")
        release, topic = found[1], found[2]
        product = f"amzn:{'1' if release in (None, 'ami') else release}"
        note = "; ".join(part for part in (f"extras: {topic}" if topic else None, severity) if part) or None
        for build in repaired(_build(one) for one in collection.iterfind("package")):
            yield Statement(
                Product(product, build.name),
                Status.AFFECTED,
                VersionRange(Scheme.RPM, introduced=_line(topic, build.evr), fixed=build.evr),
                remedy=Remedy.FIXED,
                note=note,
            )


def _build(package: Element) -> Build:
    values = dict(package.items())
    return Build(
        name=fields.text(values, "name"),
        evr=evr(
            fields.optional(values, "epoch"), fields.text(values, "version"), fields.text(values, "release")
        ),
        arch=fields.text(values, "arch"),
    )


def _line(topic: str | None, build: str) -> str | None:
    """Give the version a topic's line of a package begins with: 5.10 for kernel-5.10, 14 for postgresql14."""
    number = _LINE.search(topic or "")
    if number is None:
        return None
    epoch, colon, version = build.rpartition(":")
    if not re.match(rf"{re.escape(number[1])}(?![0-9])", version):
        return None  # another program of the same topic
    return f"{epoch}{colon}{number[1]}"

"""AlmaLinux errata: which builds of which packages and module streams repaired which flaws.

Source  https://errata.almalinux.org/9/errata.full.json, one file per major release
Form    {"schema_version": "1.0", "data": [{"id": "ALSA-2023:2127", "type": "security", "packages": [{"name", "epoch",
        "version", "release", "arch", "module"?}], "references": [{"id": "CVE-...", "type": "cve"}]}]};
        before 2024 the bare list
Pace    working days

What this form has and OSV's has lost: the module stream of each package. One erratum may stand in the files of
several releases; each is a record of its own, about products of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import ijson

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
    familiar,
    mostly_good,
    reading,
)
from sentrikat.feeds.formats.rpm_builds import Build, evr, repaired
from sentrikat.feeds.parts import get_if_there
from sentrikat.feeds.unpacking import unpacked_json

NAME = "almalinux"
TITLE = "AlmaLinux errata"
BASE = "https://errata.almalinux.org/"
SOURCES = (BASE,)
LICENSE = "LicenseRef-AlmaLinux"
TERMS = (
    "Errata of the AlmaLinux OS Foundation, fetched by this installation from errata.almalinux.org and subject to "
    "the foundation's terms; they are not part of SentriKat."
)
PACE = timedelta(days=4)
COMPLETE = False  # a file that did not change is not fetched; errata are corrected, not taken back

RELEASES = ("8", "9", "10")

_SELF = re.compile(r"https://errata\.almalinux\.org/(\d{1,2})/")
_BUILT_FOR = re.compile(r"[._]el(\d{1,2})(?![\d])")
_ERRATUM = re.compile(r"AL[SBE]A-\d{4}:[\w.]{1,40}")

_FIELDS = frozenset(
    {
        "_id",
        "bs_repo_id",
        "description",
        "fromstr",
        "id",
        "issued_date",
        "modules",
        "packages",
        "pkglist",
        "pushcount",
        "reboot_suggested",
        "references",
        "release",
        "relogin_suggested",
        "restart_suggested",
        "rights",
        "severity",
        "solution",
        "status",
        "summary",
        "title",
        "type",
        "updated_date",
        "updateinfo_id",
        "version",
    }
)
_PACKAGE_FIELDS = frozenset(
    {
        "arch",
        "checksum",
        "checksum_type",
        "epoch",
        "filename",
        "module",
        "name",
        "reboot_suggested",
        "release",
        "relogin_suggested",
        "restart_suggested",
        "src",
        "version",
    }
)


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the file of each release that changed since `state`; a release to come may not be there yet."""
    held = transport.listing(BASE)
    urls = held if held is not None else [f"{BASE}{release}/errata.full.json" for release in RELEASES]
    for url in urls:
        validators = state.of(url)
        document, _ = get_if_there(
            transport,
            url,
            validators,
            needed=bool(validators) or not url.startswith(f"{BASE}{RELEASES[-1]}/"),
        )
        if document:
            yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per erratum that repairs a flaw, id `ALSA-2023:2127/9`."""
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    errata = 0
    with reading(document), unpacked_json(document) as stream:
        start = stream.read(64)
        place = "item" if start.lstrip()[:1] == b"[" else "data.item"
        for entry in ijson.items(_Rejoined(start, stream), place, use_float=True):
            errata += 1
            found = attempt(
                entry,
                lambda entry=entry: entry["id"],  # type: ignore[misc]
                lambda entry=entry: _advisory(fields.mapping(entry, "erratum")),  # type: ignore[misc]
            )
            if found is not None:
                yield found
        if not errata:
            raise ValueError("it holds no erratum at all")


class _Rejoined:
    """A stream whose beginning was looked at."""

    def __init__(self, start: bytes, rest: Any) -> None:
        self._start = start
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        """Give the beginning first, then the rest."""
        if self._start and size != 0:
            start, self._start = self._start, b""
            return start
        content: bytes = self._rest.read(size)
        return content


def _advisory(erratum: Mapping[str, Any]) -> Advisory | None:
    """Give the Advisory of an erratum, or None for one that repairs no flaw."""
    familiar(erratum, _FIELDS, "erratum")
    identifier = fields.text(erratum, "id")
    if not _ERRATUM.fullmatch(identifier):
        raise ValueError(f"{identifier[:40]!r} is no id of an erratum")
    references = fields.objects(erratum, "references")
    flaws = fields.unique(
        name for one in references if fields.CVE.fullmatch(name := fields.optional(one, "id") or "")
    )
    if not flaws and fields.optional(erratum, "type") != "security":
        return None
    if "packages" not in erratum:
        raise KeyError("packages")
    builds = [_build(one) for one in fields.objects(erratum, "packages")]
    release = _release(references, builds)
    severity = fields.optional(erratum, "severity")
    note = f"severity: {severity.lower()}" if severity and severity != "None" else None
    return Advisory(
        source=NAME,
        id=f"{identifier}/{release}",
        vulnerabilities=flaws or (identifier,),
        statements=tuple(
            Statement(
                Product(f"almalinux:{release}", build.name),
                Status.AFFECTED,
                VersionRange(Scheme.RPM, fixed=build.evr),
                remedy=Remedy.FIXED,
                module=build.module,
                note=note,
            )
            for build in repaired(builds)
        ),
        title=fields.prose(erratum, "title"),
        description=fields.prose(erratum, "description"),
        published=_moment(erratum, "issued_date"),
        modified=_moment(erratum, "updated_date"),
        references=fields.unique(url for one in references if (url := fields.optional(one, "href")))[
            : fields.MOST_REFERENCES
        ],
    )


def _build(package: Mapping[str, Any]) -> Build:
    familiar(package, _PACKAGE_FIELDS, "package")
    module = fields.optional(package, "module")
    if module is not None and module.count(":") < 1:
        raise ValueError(f"the module {module[:60]!r} names no stream")
    return Build(
        name=fields.text(package, "name"),
        evr=evr(
            fields.optional(package, "epoch"),
            fields.text(package, "version"),
            fields.text(package, "release"),
        ),
        arch=fields.text(package, "arch"),
        module=":".join(module.split(":")[:2]) if module else None,
    )


def _release(references: list[Mapping[str, Any]], builds: list[Build]) -> str:
    """Give the release an erratum is for: its own page says it, else the builds do."""
    for one in references:
        if fields.optional(one, "type") == "self" and (
            found := _SELF.match(fields.optional(one, "href") or "")
        ):
            return found[1]
    built = Counter(found[1] for build in builds if (found := _BUILT_FOR.search(build.evr)))
    if not built:
        raise ValueError("neither its page nor its packages name a release of AlmaLinux")
    return built.most_common(1)[0][0]


def _moment(erratum: Mapping[str, Any], name: str) -> datetime | None:
    """Read seconds since 1970, or, in older files, {"$date": milliseconds}."""
    value = erratum.get(name)
    if value is None:
        return None
    if isinstance(value, dict):
        value = value.get("$date", 0) / 1000
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is not a time")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{name} is not a time") from None

"""Alpine's security database: the version of a source package that repaired a flaw, per branch and repository.

Source  https://secdb.alpinelinux.org/v3.21/main.json, one file per branch and repository
Form    {"distroversion": "v3.21", "reponame": "main",
         "packages": [{"pkg": {"name": "openssl", "secfixes": {"3.3.2-r3": ["CVE-2024-9143"], "0": [...]}}}]}
Pace    with every repair; branches that ended stay as they were

Only what was repaired is named: a flaw that is not listed is one nobody has spoken of. The version "0" is the
way to write "never had it". An entry may name one flaw several ways ("CVE-2018-7540 XSA-252") or several flaws
("CVE-2019-17349 CVE-2019-17350 XSA-295"), so the other names are no aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import orjson

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
from sentrikat.feeds.parts import all_or_none, get_if_there, held_parts
from sentrikat.feeds.unpacking import is_archive, json_files, unpacked

NAME = "alpine"
TITLE = "Alpine security database"
BASE = "https://secdb.alpinelinux.org/"
SOURCES = (BASE,)
LICENSE = "LicenseRef-Alpine"
TERMS = (
    "Security database of the Alpine Linux project, fetched by this installation from secdb.alpinelinux.org and "
    "subject to the project's terms; it is not part of SentriKat."
)
PACE = timedelta(days=3)
COMPLETE = True

REPOSITORIES = ("main", "community")
NEWEST_KNOWN = 21  # of the branches v3.x; newer ones are asked for until there is none
OLDEST = 2
_NEEDED = tuple(f"{BASE}v3.{number}/main.json" for number in range(10, NEWEST_KNOWN + 1))
_MOST_BRANCHES = 99

LARGEST = 64 << 20  # bytes unpacked; the largest real file has 300 KB
_FLAW = re.compile(r"(CVE-\d{4}-\d{4,19})(?:-\d{1,2}|\.patch)?")  # rsync's CVE-2017-17434 took two patches
_FIELDS = frozenset({"apkurl", "archs", "distroversion", "packages", "reponame", "urlprefix"})
_PACKAGE_FIELDS = frozenset({"name", "secfixes"})
_OTHER_FLAW = re.compile(r"[A-Z][A-Za-z]{2,10}-[\w-]{2,40}")
_PLACEHOLDER = re.compile(r"CVE-[\d?]*\?[\d?-]*|CVE-\d{1,6}")


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield every branch and repository when one of them changed: only together do they say what was withdrawn."""
    held = transport.listing(BASE)
    if held is not None:
        yield from held_parts(transport, held, _NEEDED)
    else:
        yield from all_or_none(transport, state, _addresses(transport, state), _NEEDED)


def _addresses(transport: Transport, state: FeedState) -> Iterator[str]:
    for number in count(OLDEST):
        first = f"{BASE}v3.{number}/main.json"
        if number > NEWEST_KNOWN and not state.of(first) and not get_if_there(transport, first)[1]:
            break
        if number > _MOST_BRANCHES:
            break
        yield first
        yield f"{BASE}v3.{number}/community.json"
    yield from (f"{BASE}edge/{repository}.json" for repository in REPOSITORIES)


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per flaw and source package, id `v3.21/main/openssl/CVE-2024-9143`."""
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    with reading(document):
        for content in _databases(document):
            yield from _of_database(fields.mapping(orjson.loads(content), "the database"))


def _databases(document: Document) -> Iterator[bytes]:
    """Yield the one database of a document, or those of an archive somebody packed to carry all of them."""
    if is_archive(document):
        count = 0
        for _, content in json_files(document):
            count += 1
            yield content
        if not count:
            raise ValueError("it holds no database at all")
    else:
        with unpacked(document, LARGEST) as stream:
            yield stream.read()


def _of_database(database: Mapping[str, Any]) -> Iterator[Record | Quarantined]:
    familiar(database, _FIELDS, "database")
    branch = fields.text(database, "distroversion")
    repository = fields.text(database, "reponame")
    number = branch.removeprefix("v")
    if not re.fullmatch(r"\d+\.\d+|edge", number):
        raise ValueError(f"the branch {branch[:40]!r} is unknown")
    if "packages" not in database:
        raise KeyError("packages")
    for entry in fields.objects(database, "packages"):
        package = attempt(
            entry,
            lambda entry=entry: f"{branch}/{repository}/{entry['pkg']['name']}",  # type: ignore[misc]
            lambda entry=entry: list(  # type: ignore[misc]
                _of_package(number, f"{branch}/{repository}", fields.child(entry, "pkg"))
            ),
        )
        if isinstance(package, Quarantined):
            yield package
        else:
            yield from package


def _of_package(number: str, place: str, package: Mapping[str, Any]) -> Iterator[Advisory]:
    name = fields.text(package, "name")
    familiar(package, _PACKAGE_FIELDS, "pkg")
    if "secfixes" not in package:  # there in every package, be it empty: without it the form has changed
        raise KeyError("secfixes")
    product = Product(f"alpine:{number}", name)
    versions_of: dict[str, list[str]] = {}
    for version, entries in fields.child(package, "secfixes").items():
        if not fields.short(version, "version"):
            raise ValueError("a version is empty")
        for entry in fields.sequence(entries, "secfixes"):
            for flaw in _flaws(fields.short(entry, "secfixes") or ""):
                held = versions_of.setdefault(flaw, [])
                if version not in held:
                    held.append(version)
    for flaw, versions in versions_of.items():
        yield Advisory(
            source=NAME,
            id=f"{place}/{name}/{flaw}",
            vulnerabilities=(flaw,),
            # Named under two versions: the first repair was not enough, and the later one counts.
            statements=tuple(_statement(product, version) for version in versions),
            references=(f"https://security.alpinelinux.org/vuln/{flaw}",),
        )


def _statement(product: Product, version: str) -> Statement:
    if version == "0":
        return Statement(product, Status.UNAFFECTED, VersionRange(Scheme.APK), remedy=Remedy.NOT_AFFECTED)
    return Statement(product, Status.AFFECTED, VersionRange(Scheme.APK, fixed=version), remedy=Remedy.FIXED)


def _flaws(entry: str) -> tuple[str, ...]:
    """Give the CVE ids of an entry, or the one other name of a flaw that has none.

    Empty where nothing is named for certain, such as "CVE-????-????? XSA-312" has XSA-312 only.
    """
    words = entry.replace("CVE_", "CVE-").split()
    named = fields.unique(found[1] for word in words if (found := _FLAW.fullmatch(word)))
    if named:
        return named
    others = [word for word in words if _OTHER_FLAW.fullmatch(word) and not _PLACEHOLDER.fullmatch(word)]
    return tuple(others[:1])

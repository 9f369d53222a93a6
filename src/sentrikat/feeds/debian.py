"""Debian security tracker: which source package of which release has which flaw.

Source  https://security-tracker.debian.org/tracker/data/json
Format  https://salsa.debian.org/security-tracker-team/security-tracker (json.py)
Pace    several times a day; one file, {source package: {CVE: {"releases": {codename: ...}}}}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
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
from sentrikat.feeds.unpacking import unpacked_json

NAME = "debian"
TITLE = "Debian security tracker"
URL = "https://security-tracker.debian.org/tracker/data/json"
SOURCES = (URL,)
LICENSE = "MIT"
TERMS = "Debian Security Tracker, made by the Debian security team."
PACE = timedelta(days=2)
COMPLETE = True

RELEASES = {
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
    "sid": "sid",
}

_FIELDS = frozenset({"description", "debianbug", "scope", "releases"})
_RELEASE_FIELDS = frozenset(
    {"status", "repositories", "fixed_version", "urgency", "nodsa", "nodsa_reason", "next_point_update"}
)
_DESCRIPTION_LENGTH = 4_000


def fetch(transport: Transport, state: FeedState, options: FetchOptions) -> Iterator[Document]:  # noqa: ARG001
    """Yield the tracker's data, or nothing if it is what `state` remembers."""
    if document := transport.get(URL, state.of(URL)):
        yield document


def parse(document: Document) -> Iterator[Record | Quarantined]:
    """Yield one Advisory per flaw and source package, package by package.

    The tracker has no record of its own id; `CVE-2024-0727/openssl` names the pair.
    """
    yield from mostly_good(document, _advisories(document))


def _advisories(document: Document) -> Iterator[Record | Quarantined]:
    packages = 0
    with reading(document), unpacked_json(document) as stream:
        for package, flaws in ijson.kvitems(stream, "", use_float=True):
            packages += 1
            fields.short(package, "package name")
            for flaw, entry in fields.mapping(flaws, package).items():
                yield attempt(
                    entry,
                    lambda flaw=flaw, package=package: f"{flaw}/{package}",  # type: ignore[misc]
                    lambda flaw=flaw, package=package, entry=entry: _advisory(  # type: ignore[misc]
                        package, flaw, fields.mapping(entry, flaw)
                    ),
                )
        if not packages:
            raise ValueError("it holds no package at all")


def _advisory(package: str, flaw: str, entry: Mapping[str, Any]) -> Advisory:
    name, flaw_id = fields.short(package, "package"), fields.short(flaw, "flaw")
    if not name or not flaw_id or not flaw_id.startswith(("CVE-", "TEMP-")):
        raise ValueError(f"{flaw[:40]!r} is neither a CVE nor a TEMP id")
    if "releases" not in entry:
        raise KeyError("releases")
    familiar(entry, _FIELDS, "entry")
    statements = (
        _statement(name, RELEASES[codename], fields.mapping(release, codename))
        for codename, release in fields.child(entry, "releases").items()
        if codename in RELEASES
    )
    description = fields.prose(entry, "description")
    return Advisory(
        source=NAME,
        id=f"{flaw_id}/{name}",
        vulnerabilities=(flaw_id,),
        statements=tuple(statements),
        description=description[:_DESCRIPTION_LENGTH] if description else None,
        references=(f"https://security-tracker.debian.org/tracker/{flaw_id}",),
    )


def _statement(package: str, number: str, release: Mapping[str, Any]) -> Statement:
    familiar(release, _RELEASE_FIELDS, "release")
    product = Product(f"debian:{number}", package)
    everything = VersionRange(Scheme.DPKG)
    status = fields.text(release, "status")
    urgency = fields.optional(release, "urgency")
    note = _note(release, urgency)
    if status == "undetermined":
        return Statement(product, Status.INVESTIGATING, everything, note=note)
    if status == "open":
        return Statement(product, Status.AFFECTED, everything, remedy=_remedy(release, urgency), note=note)
    if status != "resolved":
        raise ValueError(f"the status {status!r} is unknown")
    fixed = fields.text(release, "fixed_version")
    if fixed == "0":  # the tracker's way to write "never had it"
        return Statement(product, Status.UNAFFECTED, everything, remedy=Remedy.NOT_AFFECTED, note=note)
    return Statement(
        product, Status.AFFECTED, VersionRange(Scheme.DPKG, fixed=fixed), remedy=Remedy.FIXED, note=note
    )


def _remedy(release: Mapping[str, Any], urgency: str | None) -> Remedy:
    reason = fields.optional(release, "nodsa_reason")
    nodsa = fields.optional(release, "nodsa")
    if urgency == "end-of-life" or "end-of-life" in (nodsa or "").lower():
        return Remedy.END_OF_LIFE
    if reason == "ignored":
        return Remedy.WILL_NOT_FIX
    if nodsa or reason or urgency == "unimportant":
        return Remedy.DEFERRED
    return Remedy.OPEN


def _note(release: Mapping[str, Any], urgency: str | None) -> str | None:
    parts = [fields.optional(release, "nodsa")]
    if urgency and urgency != "not yet assigned":
        parts.append(f"urgency: {urgency.rstrip('*')}")
    return "; ".join(part for part in parts if part)[:300] or None

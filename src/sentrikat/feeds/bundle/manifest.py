"""The manifest of a feed bundle; contracts/feed-bundle/ has the same as a JSON Schema.

Its bytes are canonical (sorted keys, no spaces, UTF-8), so that a signature over them is a
signature over every document: each is named with its digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.signed_statement import LARGEST_INTEGER, canonical
from sentrikat.feeds import fields
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, Feed, Validators

FORMAT = "sentrikat-feed-bundle"
VERSION = 1
MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"  # an envelope whose payload is the manifest (domain.signed_statement)
ROOTS_NAME = "roots.json"  # the keys of the origin, from the first to those in force (bundle.root)
KIND = "application/vnd.sentrikat.feed-bundle+json"
MOST_DOCUMENTS = 100_000

_MEMBER = re.compile(r"documents/[0-9]{5}\.zst")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FEED = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_ORIGIN = re.compile(r"[0-9a-f]{32}")


class BundleRefused(InvalidInput):
    """The file is not a whole, unaltered bundle; nothing of it was used."""

    code = "bundle_refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of a bundle. `member` is its place in the archive; `sha256` and `bytes` are unpacked.

    `note` says in a sentence what a cut document leaves out.
    """

    feed: str
    url: str
    name: str
    member: str
    fetched_at: datetime
    sha256: str
    bytes: int
    validators: Validators = NO_VALIDATORS
    cursors: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """Whose data a feed is, and under which terms."""

    feed: str
    title: str
    license: str
    terms: str


@dataclass(frozen=True, slots=True)
class Base:
    """The bundle that a delta continues."""

    sequence: int
    sha256: str  # of its manifest


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bundle stands among those of its origin: each has the next number, a delta names its base."""

    origin: str
    sequence: int
    base: Base | None = None

    @property
    def named(self) -> dict[str, Any]:
        """Give the place as fields of the manifest."""
        named: dict[str, Any] = {"origin": self.origin, "sequence": self.sequence}
        if self.base is not None:
            named["base"] = {"sequence": self.base.sequence, "sha256": self.base.sha256}
        return named


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle holds. `made_at` and `place` decide whether it is older than what a server holds.

    `place` is None for the snapshot that ships with the product, which is trusted by being in it.
    """

    made_at: datetime
    documents: tuple[Entry, ...]
    attributions: tuple[Attribution, ...]
    place: Place | None = None

    @property
    def feeds(self) -> frozenset[str]:
        """Give the names of the feeds it holds documents of."""
        return frozenset(one.feed for one in self.documents)

    def encoded(self) -> bytes:
        """Give the canonical bytes (RFC 8785)."""
        return canonical(
            {
                "format": FORMAT,
                "version": VERSION,
                "made_at": _time(self.made_at),
                "documents": [_entry(one) for one in self.documents],
                "attributions": [
                    {"feed": one.feed, "title": one.title, "license": one.license, "terms": one.terms}
                    for one in self.attributions
                ],
                **(self.place.named if self.place else {}),
            }
        )


def entry_of(feed: str, document: Document, member: str, note: str | None = None) -> Entry:
    """Give the entry for `document`, to be stored as `member`."""
    return Entry(
        feed=feed,
        url=document.url,
        name=document.name,
        member=member,
        fetched_at=document.fetched_at,
        sha256=document.sha256,
        bytes=document.size,
        validators=document.validators,
        cursors=dict(document.cursors),
        cut=document.cut,
        note=note,
    )


def attributions_of(feeds: Iterable[Feed]) -> tuple[Attribution, ...]:
    """Give the attribution of each of `feeds`."""
    return tuple(Attribution(one.name, one.title, one.license, one.terms) for one in feeds)


def _entry(one: Entry) -> dict[str, Any]:
    encoded: dict[str, Any] = {
        "feed": one.feed,
        "url": one.url,
        "name": one.name,
        "member": one.member,
        "fetched_at": _time(one.fetched_at),
        "sha256": one.sha256,
        "bytes": one.bytes,
        "validators": {
            key: value
            for key, value in (("etag", one.validators.etag), ("last_modified", one.validators.last_modified))
            if value
        },
        "cursors": dict(one.cursors),
        "cut": one.cut,
    }
    return encoded | ({"note": one.note} if one.note else {})


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decoded(content: bytes) -> Manifest:
    """Read a manifest; BundleRefused where it breaks its form."""
    try:
        manifest = fields.mapping(orjson.loads(content), "the manifest")
        if manifest.get("format") != FORMAT:
            raise ValueError("it is not a feed bundle of SentriKat")
        version = manifest.get("version")
        if version != VERSION or isinstance(version, bool):
            raise ValueError(f"it has format version {version}, and this server reads {VERSION}")
        for name in ("documents", "attributions"):
            if name not in manifest:
                raise ValueError(f"{name} is missing")
        documents = tuple(_decoded_entry(one) for one in fields.objects(manifest, "documents"))
        if len(documents) > MOST_DOCUMENTS:
            raise ValueError(f"it lists more than {MOST_DOCUMENTS:,} documents")
        for what, values in (
            ("place", [one.member for one in documents]),
            ("document", [(one.feed, one.url) for one in documents]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"it names one {what} twice")
        return Manifest(
            made_at=_decoded_time(manifest, "made_at"),
            documents=documents,
            attributions=tuple(
                Attribution(*(fields.text(one, key) for key in ("feed", "title", "license", "terms")))
                for one in fields.objects(manifest, "attributions")
            ),
            place=_decoded_place(manifest) if {"origin", "sequence", "base"} & manifest.keys() else None,
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as trouble:
        raise refused(str(trouble)) from trouble


def _decoded_place(manifest: Mapping[str, Any]) -> Place:
    base = manifest.get("base")
    if base is not None:
        base = fields.mapping(base, "base")
        base = Base(_whole(base, "sequence", 1), _matching(base, "sha256", _SHA256))
    place = Place(_matching(manifest, "origin", _ORIGIN), _whole(manifest, "sequence", 1), base)
    if base is not None and base.sequence >= place.sequence:
        raise ValueError(f"it continues bundle {base.sequence} and is itself number {place.sequence}")
    return place


def _whole(one: Mapping[str, Any], name: str, least: int) -> int:
    value = one.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST_INTEGER:
        raise ValueError(f"{name} is not a number from {least}")
    return value


def _decoded_entry(one: Mapping[str, Any]) -> Entry:
    size = one.get("bytes")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError("bytes is not a size")
    note = fields.optional(one, "note")
    validators = fields.child(one, "validators")
    return Entry(
        feed=_matching(one, "feed", _FEED),
        url=_matching(one, "url", re.compile(r"https://[!-~]+")),
        name=fields.text(one, "name"),
        member=_matching(one, "member", _MEMBER),
        fetched_at=_decoded_time(one, "fetched_at"),
        sha256=_matching(one, "sha256", _SHA256),
        bytes=size,
        validators=Validators(
            fields.optional(validators, "etag"), fields.optional(validators, "last_modified")
        ),
        cursors={
            name: fields.text(fields.child(one, "cursors"), name) for name in fields.child(one, "cursors")
        },
        cut=fields.flag(one, "cut"),
        note=note,
    )


def _matching(one: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = fields.text(one, name)
    if not pattern.fullmatch(value):
        raise ValueError(f"{name} has the value {value[:80]!r}, which it must not have")
    return value


def _decoded_time(one: Mapping[str, Any], name: str) -> datetime:
    value = fields.moment(one, name)
    if value is None:
        raise ValueError(f"{name} is missing")
    return value


def refused(reason: str, advice: str = "") -> BundleRefused:
    """Give the error for a bundle that cannot be used because of `reason`."""
    advice = advice or "Make a new bundle on a connected server: sentrikat feeds export-bundle."
    return BundleRefused(
        f"The bundle was not imported: {reason.rstrip('.')}.", hint=f"{advice} Nothing was changed."
    )

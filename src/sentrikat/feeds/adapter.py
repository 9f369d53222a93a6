"""The words every feed is written in: documents, transports, state, and trouble.

An adapter module has

    NAME      "kev"                  what records give as their source
    TITLE     "CISA Known Exploited Vulnerabilities"
    SOURCES   URL prefixes it asks; the first stands for a file imported by hand
    LICENSE   SPDX identifier of the data, or LicenseRef-... where there is none
    TERMS     the attribution or terms to show
    PACE      a feed whose last success is older than this is late
    COMPLETE  True: what a run does not mention was withdrawn
    fetch     (transport, state, options) -> documents, none when nothing is new
    parse     (document) -> records, and Quarantined for each record that breaks its form

A malformed *record* is set aside and parsing goes on; a malformed *document* raises
FeedFormatError, and the caller discards the run and keeps what it had.
"""

from __future__ import annotations

import csv
import gzip
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Protocol, TypeVar

import ijson
import orjson
import zstandard

from sentrikat.domain.advisory import Record
from sentrikat.domain.errors import FeedFormatError, InvalidInput

R = TypeVar("R")

EXCERPT_LENGTH = 300  # enough to find the record upstream, too little to fill a log
LARGEST_DOCUMENT_READ_WHOLE = 256 << 20  # bytes; larger ones are streamed by their adapter


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to ask "anything new?" with."""

    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


NO_VALIDATORS = Validators()


@dataclass(frozen=True, slots=True)
class Document:
    """One source document as fetched; `open` gives its bytes from the start, as often as needed.

    `sha256` and `size` are of those bytes. `cursors` is what a finished run remembers of the
    document besides its validators. `cut` says that it is a part of what its URL stands for,
    so that a missing record means nothing. `whole` says that it is all its feed has, so that what
    a run with it does not mention was withdrawn, though the feed's other runs bring changes only.
    """

    name: str
    url: str
    fetched_at: datetime
    sha256: str
    size: int
    opener: Callable[[], BinaryIO] = field(repr=False, compare=False)
    validators: Validators = NO_VALIDATORS
    cursors: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    whole: bool = False

    def open(self) -> BinaryIO:
        """Open the document as a byte stream; the caller closes it."""
        return self.opener()

    def read(self, limit: int = LARGEST_DOCUMENT_READ_WHOLE) -> bytes:
        """Give the whole document; ValueError when it is larger than `limit` bytes."""
        with self.open() as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"the document is larger than {limit:,} bytes")
        return content

    def json(self) -> Any:
        """Give the whole document as JSON values."""
        return orjson.loads(self.read())

    def remembering(self, **cursors: str) -> Document:
        """Give the same document with `cursors` to be remembered after the run."""
        return replace(self, cursors={**self.cursors, **cursors})


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is remembered of a feed between runs: validators by URL, and cursors by name."""

    validators: Mapping[str, Validators] = field(default_factory=dict)
    cursors: Mapping[str, str] = field(default_factory=dict)

    def of(self, url: str) -> Validators:
        """Give the validators of `url`, empty when it was never fetched."""
        return self.validators.get(url, NO_VALIDATORS)

    def after(self, documents: Iterable[Document]) -> FeedState:
        """Give the state to keep once every record of `documents` is stored.

        A cut document leaves no trace: the next run must fetch the whole one.
        """
        validators, cursors = dict(self.validators), dict(self.cursors)
        for document in documents:
            if document.cut:
                continue
            if document.validators:
                validators[document.url] = document.validators
            cursors.update(document.cursors)
        return FeedState(validators, cursors)

    def as_json(self) -> dict[str, Any]:
        """Give the state as plain values, to be stored by whoever runs the feed."""
        return {
            "validators": {
                url: {"etag": one.etag, "last_modified": one.last_modified}
                for url, one in self.validators.items()
            },
            "cursors": dict(self.cursors),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> FeedState:
        """Read what `as_json` wrote; None is the state of a feed that never ran."""
        stored = stored or {}
        return cls(
            {url: Validators(**one) for url, one in stored.get("validators", {}).items()},
            dict(stored.get("cursors", {})),
        )


class Transport(Protocol):
    """A way to get documents. Network trouble is its business and comes out as Unavailable."""

    def get(
        self,
        url: str,
        validators: Validators = NO_VALIDATORS,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document | None:
        """Give the document at `url`, or None when it is still the one `validators` name."""
        ...

    def listing(self, prefix: str) -> list[str] | None:
        """Give the URLs held that start with `prefix`; None when asking a server, which can be asked for any."""
        ...


def _no_pacing() -> None:
    """Wait for nothing."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What a caller may wish of a fetch.

    `pace`           called before each request to a source with a request limit; it may wait
    `nvd_api_key`    sent to NVD, and to nobody else
    `ecosystems`     the OSV archives to fetch; None: the adapter's own list
    """

    now: datetime = field(default_factory=lambda: datetime(1970, 1, 1, tzinfo=UTC))
    pace: Callable[[], None] = _no_pacing
    nvd_api_key: str | None = None
    ecosystems: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record set aside because it breaks its form. `id` as far as it could be read."""

    id: str | None
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Feed:
    """An adapter module as one value, see the head of this page."""

    name: str
    title: str
    sources: tuple[str, ...]
    license: str
    terms: str
    pace: timedelta
    complete: bool
    fetch: Callable[[Transport, FeedState, FetchOptions], Iterator[Document]]
    parse: Callable[[Document], Iterator[Record | Quarantined]]


MALFORMED = (
    ValueError,  # includes UnicodeDecodeError and orjson.JSONDecodeError
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OverflowError,
    EOFError,  # gzip that ends early
    InvalidInput,
    csv.Error,
    ijson.JSONError,
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    lzma.LZMAError,
    zlib.error,
    zstandard.ZstdError,
    struct.error,
    RuntimeError,  # zipfile, for encryption or a compression it does not know; recursion
)


@contextmanager
def reading(document: Document) -> Iterator[None]:
    """Turn any trouble of reading `document` into a FeedFormatError that names it and the place."""
    try:
        yield
    except FeedFormatError:
        raise
    except MALFORMED as trouble:
        raise FeedFormatError(
            f"{document.name} was not imported: {described(trouble)}.",
            hint=f"It came from {document.url}. The data of the last good run stays in use.",
        ) from trouble


def described(trouble: BaseException) -> str:
    """Say in words what an exception of a parser means."""
    if isinstance(trouble, KeyError):
        return f"the field {trouble} is missing"
    return (str(trouble) or type(trouble).__name__).rstrip(".")


def excerpt(raw: object) -> str:
    """Give the beginning of a record as text, whatever it is."""
    if isinstance(raw, bytes):
        text = raw[: EXCERPT_LENGTH * 4].decode("utf-8", "replace")
    else:
        try:
            text = json.dumps(raw, default=str, ensure_ascii=False)
        except (ValueError, TypeError, RecursionError):
            text = type(raw).__name__
    return text[:EXCERPT_LENGTH].replace("\x00", "\ufffd")


def attempt(raw: object, named: Callable[[], object], build: Callable[[], R]) -> R | Quarantined:
    """Give what `build` makes of `raw`, or a Quarantined that says why it cannot."""
    try:
        return build()
    except MALFORMED as trouble:
        try:
            name = named()
        except MALFORMED:
            name = None
        return Quarantined(name if isinstance(name, str) else None, described(trouble), excerpt(raw))


MOST_UNFAMILIAR = 200  # names counted; a source that makes up more has gone mad
_unfamiliar: ContextVar[Counter[str] | None] = ContextVar("unfamiliar", default=None)


@contextmanager
def noticing() -> Iterator[Counter[str]]:
    """Count what parsers meet that they do not know, by name, for whoever runs a feed."""
    counted: Counter[str] = Counter()
    token = _unfamiliar.set(counted)
    try:
        yield counted
    finally:
        _unfamiliar.reset(token)


def unfamiliar(name: str) -> None:
    """Note that a record has a field or a word that its parser does not know."""
    counted = _unfamiliar.get()
    if counted is not None and (name in counted or len(counted) < MOST_UNFAMILIAR):
        counted[name[:100]] += 1


def familiar(record: Mapping[str, Any], known: frozenset[str], what: str) -> None:
    """Note the fields of `record` that are not among the `known` ones of `what`; `x_` marks an extension."""
    if not record.keys() <= known:
        for name in record.keys() - known:
            if not name.startswith("x_"):
                unfamiliar(f"{what}.{name}")


def mostly_good(
    document: Document, records: Iterable[Record | Quarantined]
) -> Iterator[Record | Quarantined]:
    """Pass `records` on; FeedFormatError at the end when more than half of them were set aside.

    One bad record is an accident of its author, a bad majority is a changed format.
    """
    good = bad = 0
    reason = ""
    for record in records:
        if isinstance(record, Quarantined):
            bad += 1
            reason = reason or record.reason
        else:
            good += 1
        yield record
    if bad > good:
        raise FeedFormatError(
            f"{document.name} was not imported: {bad} of {good + bad} records break their form, "
            f"the first because {reason}.",
            hint=f"The format of {document.url} has probably changed. "
            "The data of the last good run stays in use.",
        )

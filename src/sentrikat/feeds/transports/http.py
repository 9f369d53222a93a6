"""Documents from the servers of their sources: conditional, resumed, retried, bounded.

A download goes to a file, so memory stays small whatever its size. What breaks off is continued
where it stopped, if the server allows it and still has the same document.
"""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast
from urllib.parse import urlencode, urlsplit

import httpx2
import stamina

from sentrikat.domain.errors import Unavailable
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, Validators
from sentrikat.feeds.transports.spool import spooled

LARGEST_DOWNLOAD = 4 << 30  # bytes as they arrive and as they unpack; the largest real one has 0.5 GiB
LONGEST_WAIT_SECONDS = 120.0  # a server that asks for more is asked again at the next run
PATIENCE_SECONDS = 900.0  # for all attempts together
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_PACKED = (".gz", ".zip", ".zst", ".bz2", ".xz", ".tgz")


class _RefusalError(Exception):
    """An answer that may be better next time."""

    def __init__(self, status: int, wait_seconds: float | None) -> None:
        super().__init__(f"the server answered {status}")
        self.wait_seconds = wait_seconds


@dataclass
class _Download:
    """What has arrived so far, over several attempts."""

    path: Path
    etag: str | None = None
    last_modified: str | None = None
    encoding: str = ""

    @property
    def arrived(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def start_over(self) -> None:
        self.path.unlink(missing_ok=True)
        self.etag = self.last_modified = None
        self.encoding = ""


@dataclass
class HttpTransport:
    """Asks the servers. Use it as a context manager: its downloads are deleted at the end.

    `base` puts a mirror in front: https://host/path is asked for as BASE/host/path. Addresses in
    documents and in the state stay those of the source.
    """

    client: httpx2.Client
    now: Callable[[], datetime]
    base: str | None = None
    folder: Path | None = None
    attempts: int = 5
    largest: int = LARGEST_DOWNLOAD
    first_wait_seconds: float = 0.5
    _spool: Path | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        self._spool = Path(tempfile.mkdtemp(prefix="sentrikat-feed-", dir=self.folder))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool = None

    def listing(self, prefix: str) -> list[str] | None:  # noqa: ARG002
        """Give None: a server can be asked for anything."""
        return None

    def get(
        self,
        url: str,
        validators: Validators = NO_VALIDATORS,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document | None:
        """Give the document at `url`, None when unchanged; Unavailable when it cannot be had."""
        if self._spool is None:
            raise RuntimeError("HttpTransport is used as a context manager")
        self._count += 1
        download = _Download(self._spool / f"{self._count:05d}.part")
        try:
            for attempt in stamina.retry_context(
                on=self._wait_before_next,
                attempts=self.attempts,
                timeout=PATIENCE_SECONDS,
                wait_initial=self.first_wait_seconds,
                wait_max=30.0,
                wait_jitter=self.first_wait_seconds,
            ):
                with attempt:
                    if not self._attempt(download, url, validators, params, headers):
                        return None
            return self._document(download, url, params)
        except (httpx2.HTTPError, _RefusalError) as trouble:
            raise _unavailable(url, str(trouble) or type(trouble).__name__) from trouble
        except (OSError, EOFError, zlib.error) as trouble:
            raise _unavailable(url, f"it could not be stored: {trouble}") from trouble

    def _address(self, url: str) -> str:
        if self.base is None:
            return url
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self.base.rstrip('/')}/{parts.netloc}{parts.path}{query}"

    def _attempt(
        self,
        download: _Download,
        url: str,
        validators: Validators,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> bool:
        """Download what is missing; False when the server says that nothing is new."""
        sent = dict(headers or {})
        # A packed document gains nothing from a second packing, and can be continued byte by byte.
        sent["Accept-Encoding"] = "identity" if urlsplit(url).path.endswith(_PACKED) else "gzip"
        arrived = download.arrived
        if arrived and (mark := download.etag or download.last_modified):
            sent |= {"Range": f"bytes={arrived}-", "If-Range": mark}
        else:
            download.start_over()
            arrived = 0
            if validators.etag:
                sent["If-None-Match"] = validators.etag
            if validators.last_modified:
                sent["If-Modified-Since"] = validators.last_modified
        # Extra headers carry keys: those are for this server and no other.
        with self.client.stream(
            "GET", self._address(url), params=params, headers=sent, follow_redirects=not headers
        ) as response:
            return self._receive(response, download, arrived, url)

    def _receive(self, response: httpx2.Response, download: _Download, arrived: int, url: str) -> bool:
        status = response.status_code
        if status == 304 and not arrived:
            response.read()  # of nothing; an answer that is not read to its end costs the connection
            return False
        if status == 416:
            download.start_over()
            raise _RefusalError(status, None)
        wait_seconds = self._retry_after(response)
        # A 403 that says when to come back is a limit; one that does not is an answer.
        if status in _TRY_AGAIN or (status == 403 and wait_seconds is not None):
            raise _RefusalError(status, wait_seconds)
        if status not in (200, 206):
            reason = response.headers.get("message") or response.reason_phrase
            raise _unavailable(url, f"the server answered {status} {reason}".strip(), status=status)
        if status == 200:
            download.start_over()
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {arrived}-"):
            download.start_over()
            raise _RefusalError(status, None)
        download.etag = response.headers.get("ETag")
        download.last_modified = response.headers.get("Last-Modified")
        download.encoding = response.headers.get("Content-Encoding", "").lower()
        with download.path.open("ab") as file:
            total = file.tell()
            for (
                chunk
            ) in response.iter_raw():  # as they come: a chunk being filled is lost when the line breaks
                total += len(chunk)
                if total > self.largest:
                    raise _unavailable(url, f"it is larger than {self.largest:,} bytes")
                file.write(chunk)
        return True

    def _document(self, download: _Download, url: str, params: Mapping[str, str] | None) -> Document:
        target = download.path.with_suffix(".document")
        if download.encoding in ("", "identity"):
            download.path.rename(target)
            digest, size = _measured(target)
        elif download.encoding == "gzip":
            with gzip.open(download.path, "rb") as plain:
                digest, size = spooled(cast(BinaryIO, plain), target, self.largest)
            download.path.unlink()
        else:
            raise _unavailable(url, f"it is encoded as {download.encoding}, which was not asked for")
        full = f"{url}?{urlencode(params)}" if params else url
        return Document(
            name=urlsplit(url).path.rsplit("/", 1)[-1] or urlsplit(url).netloc,
            url=full,
            fetched_at=self.now(),
            sha256=digest,
            size=size,
            opener=lambda: target.open("rb"),
            # An answer to a question with parameters is asked once; there is nothing to compare later.
            validators=NO_VALIDATORS if params else Validators(download.etag, download.last_modified),
        )

    def _retry_after(self, response: httpx2.Response) -> float | None:
        value = response.headers.get("Retry-After")
        if not value:
            return None
        if value.isdigit():
            return float(value)
        try:
            until = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0.0, (until - self.now()).total_seconds())

    def _wait_before_next(self, trouble: Exception) -> bool | float:
        """Say whether to try again, and after how many seconds where the server asked for a time."""
        if isinstance(trouble, _RefusalError):
            if trouble.wait_seconds is None:
                return True
            return trouble.wait_seconds if trouble.wait_seconds <= LONGEST_WAIT_SECONDS else False
        return isinstance(trouble, httpx2.TransportError)


def _measured(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return digest, path.stat().st_size


def _unavailable(url: str, reason: str, *, status: int | None = None) -> Unavailable:
    return Unavailable(
        f"{url} was not fetched: {reason}.",
        hint="The data of the last good run stays in use; the next run tries again.",
        code="feed_missing" if status == 404 else "feed_unreachable",
    )

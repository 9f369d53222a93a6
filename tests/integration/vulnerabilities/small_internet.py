"""A loopback server that gives small documents of several sources, with validators as theirs have."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.unit.feeds.samples import sample

NVD = "nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-"


@dataclass
class SmallInternet:
    """What is served, by host and path; a query is not looked at. `asked` is the log: path and status.

    What goes wrong: `refusing` is the status of the next `refusals` answers, the line breaks in the middle of the
    document at `cutting`, and every answer takes `latency_seconds`.
    """

    documents: dict[str, bytes]
    url: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)
    refusing: int = 503
    refusals: int = 0
    cutting: str = ""
    latency_seconds: float = 0.0

    def change(self, place: str, content: bytes) -> None:
        """Publish something new."""
        self.documents[place] = content


def nvd(*records: dict[str, Any], made_at: str = "2026-06-02T10:00:00.000") -> bytes:
    """Give NVD records as one of its files."""
    head = {
        "resultsPerPage": len(records),
        "startIndex": 0,
        "totalResults": len(records),
        "format": "NVD_CVE",
    }
    content = {
        **head,
        "version": "2.0",
        "timestamp": made_at,
        "vulnerabilities": [{"cve": one} for one in records],
    }
    return gzip.compress(orjson.dumps(content), mtime=0)


def nvd_records() -> list[dict[str, Any]]:
    """Give the recorded NVD records."""
    return [one["cve"] for one in orjson.loads(sample("nvd/nvdcve-2.0.json"))["vulnerabilities"]]


def everything() -> dict[str, bytes]:
    """Give a small internet with eight sources."""
    years = {f"{NVD}{year}.json.gz": nvd() for year in range(2002, 2027)}
    return {
        **years,
        f"{NVD}2026.json.gz": nvd(*nvd_records()),
        f"{NVD}modified.json.gz": nvd(),
        "www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json": sample(
            "kev/known_exploited_vulnerabilities_2026-04-29.json"
        ),
        "euvdservices.enisa.europa.eu/api/search": sample("euvd/search.json"),
        "euvdservices.enisa.europa.eu/api/dump/cve-euvd-mapping": sample("euvd/cve-euvd-mapping.csv"),
        "epss.empiricalsecurity.com/epss_scores-current.csv.gz": gzip.compress(
            sample("epss/epss_scores-2026-06-07.csv"), mtime=0
        ),
        "gitlab.com/exploit-database/exploitdb/-/raw/main/files_exploits.csv": sample(
            "exploitdb/files_exploits.csv"
        ),
        "raw.githubusercontent.com/rapid7/metasploit-framework/master/db/modules_metadata_base.json": sample(
            "metasploit/modules_metadata_base.json"
        ),
        "security-tracker.debian.org/tracker/data/json": sample("debian/tracker.json"),
    }


@contextmanager
def serving(documents: dict[str, bytes]) -> Iterator[SmallInternet]:
    """Serve `documents` on a free port of the loopback address."""
    internet = SmallInternet(documents)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place, _, query = self.path.lstrip("/").partition("?")
            time.sleep(internet.latency_seconds)
            if internet.refusals > 0:
                internet.refusals -= 1
                self._refuse(place)
                return
            content = internet.documents.get(place)
            mark = f'"{hashlib.sha256(content or b"").hexdigest()[:16]}"'
            status = 404 if content is None else 304 if self.headers.get("If-None-Match") == mark else 200
            internet.asked.append((place, status))
            self.send_response(status)
            body = content if content is not None and status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            if content is not None and not query:
                self.send_header("ETag", mark)
            self.end_headers()
            if place == internet.cutting:
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def _refuse(self, place: str) -> None:
            internet.asked.append((place, internet.refusing))
            self.send_response(internet.refusing)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing: `asked` is the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    internet.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield internet
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)

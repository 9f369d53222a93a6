"""The lint rules of our own."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tools.lint.rules import findings


@pytest.mark.parametrize(
    ("path", "source", "broken"),
    [
        # the clock
        ("src/sentrikat/findings/due.py", "datetime.now(UTC)", {"clock"}),
        ("src/sentrikat/findings/due.py", "x = datetime.date.today()", {"clock"}),
        ("src/sentrikat/findings/due.py", "clock.now()", set()),  # a Clock that was given
        ("src/sentrikat/findings/due.py", "time.monotonic()", set()),  # a stopwatch tells no date
        ("src/sentrikat/infra/clock.py", "datetime.now(UTC)", set()),  # its place
        ("tests/unit/test_x.py", "datetime.now(UTC)", set()),  # no part of the server
        # settings
        ("src/sentrikat/web/page.py", "os.environ['X']", {"environment"}),
        ("src/sentrikat/web/page.py", "os.getenv('X')", {"environment"}),
        ("src/sentrikat/infra/settings.py", "os.environ['X']", set()),
        # transactions
        ("src/sentrikat/inventory/ingest.py", "session.commit()", {"commit"}),
        ("src/sentrikat/inventory/ingest.py", "session.rollback()", {"commit"}),
        ("src/sentrikat/cli/scan.py", "session.commit()", set()),  # a door opened it
        # the way out
        ("src/sentrikat/feeds/kev.py", "import urllib.request", {"outbound"}),
        ("src/sentrikat/feeds/kev.py", "from urllib import request", {"outbound"}),
        ("src/sentrikat/feeds/kev.py", "from urllib.parse import urlsplit", set()),
        ("src/sentrikat/feeds/kev.py", "httpx2.Client()", {"outbound"}),
        # names
        ("src/sentrikat/feeds/utils.py", "", {"file-name"}),
        ("src/sentrikat/feeds/kev.py", "", set()),
        # the escape, with and without its reason
        ("src/sentrikat/cli/up.py", "os.environ  # allow environment: handed to a child", set()),
        ("src/sentrikat/cli/up.py", "os.environ  # allow environment:", {"environment"}),
        ("src/sentrikat/cli/up.py", "os.environ  # allow clock: wrong rule", {"environment"}),
    ],
)
def test_a_rule_finds_its_mistake_and_nothing_else(path: str, source: str, broken: set[str]) -> None:
    assert {rule for rule, _, _ in findings(source, PurePosixPath(path))} == broken

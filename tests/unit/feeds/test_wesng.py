"""WES-NG's rows as statements by flaw and as updates with what they supersede."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Advisory, Product
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import wesng
from sentrikat.feeds.adapter import Quarantined
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import advisories, sample, wesng_archive, zipped

ROWS = sample("wesng/CVEs_20310110.csv")
WINDOWS_10 = Product("msrc", "windows 10 version 22h2 for x64-based systems")


def read(rows: bytes = ROWS) -> dict[str, Advisory]:
    return {one.id: one for one in advisories(wesng.parse, document(wesng_archive(rows)))}


def test_a_flaw_is_repaired_by_any_of_its_updates() -> None:
    statements = {one.product.name: one for one in read()["CVE-2031-0001"].statements}

    assert statements[WINDOWS_10.name].note == "KB5034122"
    assert statements["windows server 2012 r2"].note == "KB5034119 or KB5034171"
    assert all(one.described and one.versions.unbounded for one in statements.values())


def test_an_update_is_one_record_with_all_it_repairs_and_supersedes() -> None:
    found = read()["KB5034122"]

    assert not found.vulnerabilities
    (update,) = found.updates
    assert update.product == WINDOWS_10
    assert update.vulnerabilities == ("CVE-2031-0001", "CVE-2031-0006")
    assert update.supersedes == ("KB5033371", "KB5033372")
    assert str(update.released) == "2031-01-08"


def test_an_update_may_repair_no_flaw_that_has_a_name() -> None:
    (update,) = read()["KB5034999"].updates

    assert update.vulnerabilities == ()


def test_a_bulletin_is_no_update() -> None:
    (update,) = read()["KB5034171"].updates

    assert update.supersedes == ("KB3124280",)


def test_a_flaw_without_an_update_says_nothing() -> None:
    assert "CVE-2031-0007" not in read()


def test_a_row_of_another_shape_is_set_aside() -> None:
    records = list(wesng.parse(document(wesng_archive(ROWS + b'"20310108","CVE-2031-0008"\n'))))

    (bad,) = [one for one in records if isinstance(one, Quarantined)]
    assert bad.id == "line 9"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped([b"{}"]), "no CVEs_"),
        (wesng_archive(ROWS.replace(b"BulletinKB", b"Update")), "BulletinKB"),
        (wesng_archive(ROWS.splitlines(keepends=True)[0]), "no update at all"),
        (wesng_archive(ROWS)[:-40], "not a zip"),
    ],
)
def test_an_archive_of_another_shape_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(FeedFormatError, match=reason):
        list(wesng.parse(document(content)))

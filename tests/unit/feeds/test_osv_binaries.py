"""Which source package a SUSE binary is built from: said for certain by updates of one source package only."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, BuiltFrom
from sentrikat.feeds import osv
from sentrikat.feeds.formats.osv_binaries import built_from
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import zipped


def entry(package: str, *binaries: str, where: str = "SUSE:Linux Enterprise Server 12 SP5") -> dict[str, Any]:
    return {
        "package": {"ecosystem": where, "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2-1"}]}],
        "ecosystem_specific": {"binaries": [dict.fromkeys(binaries, "2-1")]},
    }


def record(*affected: dict[str, Any], number: int = 1) -> dict[str, Any]:
    return {
        "id": f"SUSE-SU-2024:000{number}-1",
        "modified": "2024-01-01T00:00:00Z",
        "related": ["CVE-2024-0001"],
        "affected": list(affected),
    }


@pytest.mark.parametrize(
    ("affected", "told"),
    [
        ([entry("ruby2.5", "ruby2.5", "ruby2.5-stdlib")], [("sles:12.5", "ruby2.5-stdlib", "ruby2.5")]),
        # of several source packages, each carries the list of all: nobody says which is whose
        ([entry("libserf", "libserf1", "libreoffice"), entry("libreoffice", "libserf1", "libreoffice")], []),
        ([entry("ruby2.5", "ruby2.5-stdlib", where="SUSE:OpenStack Cloud 9")], []),  # no host has it
        ([entry("ruby2.5")], []),
        (
            [entry("php72", "php72-cli", where="SUSE:Linux Enterprise Module for Web and Scripting 12")],
            [(f"sles:12{pack}", "php72-cli", "php72") for pack in ("", ".1", ".2", ".3", ".4", ".5")],
        ),
    ],
)
def test_an_update_of_one_source_package_tells_its_binaries(
    affected: list[dict[str, Any]], told: list[tuple[str, str, str]]
) -> None:
    assert [(one.release, one.binary, one.package) for one in built_from(record(*affected), "osv")] == told


def test_an_archive_tells_each_binary_once() -> None:
    updates = [orjson.dumps(record(entry("ruby2.5", "ruby2.5-stdlib"), number=number)) for number in (1, 2)]
    found = list(osv.parse(document(zipped(updates), osv.archive_url("SUSE"))))

    assert [type(one) for one in found] == [Advisory, BuiltFrom, Advisory]

"""The sample machines of the Demo organization."""

from __future__ import annotations

import pytest

from sentrikat.demo import MACHINES, DemoReport, demo_reports
from sentrikat.inventory.readers import read

REPORTS = list(demo_reports())


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_a_sample_machine_is_read_and_has_something_to_show(report: DemoReport) -> None:
    inventory = read(report.body)

    assert len(inventory.software) >= 15
    assert report.exposure in {"public", "internal"}
    assert all(software.version for software in inventory.software)


def test_sample_machines_are_nobodys() -> None:
    hosts = [read(report.body).hostname for report in REPORTS]

    assert len(set(hosts)) == len(hosts) == len(list(MACHINES.glob("*.json"))) - 1
    assert all("." not in host or host.endswith(".demo.example") for host in hosts)

"""Lines of SQL Server and Exchange: which title, and which builds are theirs."""

from __future__ import annotations

import pytest

from sentrikat.domain.matching.microsoft_lines import (
    exchange_update,
    is_build_of_line,
    line_named,
    sql_server_line,
)


@pytest.mark.parametrize(
    ("title", "line"),
    [
        ("microsoft sql server 2019 for x64-based systems (cu 27)", "2019 (cu)"),  # named after the newest
        ("microsoft sql server 2019 for x64-based systems (cu)", "2019 (cu)"),
        ("microsoft sql server 2019 for x64-based systems (gdr)", "2019 (gdr)"),
        ("microsoft sql server 2014 service pack 3 for 32-bit systems (cu 4)", "2014 service pack 3 (cu)"),
        (
            "microsoft sql server 2016 for x64-based systems service pack 2 (gdr)",
            "2016 service pack 2 (gdr)",
        ),
        (
            "microsoft sql server 2016 for x64-based systems service pack 3 azure connect feature pack",
            "2016 service pack 3 azure connect feature pack",
        ),
        (  # the only line there is after the last service pack
            "microsoft sql server 2012 for x64-based systems service pack 4 (qfe)",
            "2012 service pack 4 (gdr)",
        ),
        ("sql server 2019 reporting services", None),
        ("microsoft ole db driver 18 for sql server", None),
        ("microsoft exchange server 2019 cumulative update 13", None),
    ],
)
def test_a_title_of_sql_server_stands_for_a_line(title: str, line: str | None) -> None:
    assert line_named(title) == (f"microsoft sql server {line}" if line else None)


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("15.0.2000.5", "2019 (gdr)"),  # the first release gets either line's updates next
        ("15.0.2116.2", "2019 (gdr)"),
        ("15.0.4003.23", "2019 (cu)"),
        ("15.0.4430.1", "2019 (cu)"),
        ("16.0.1125.1", "2022 (gdr)"),
        ("13.0.6450.1", "2016 service pack 3 (gdr)"),
        ("13.0.7045.2", "2016 service pack 3 azure connect feature pack"),
        ("12.0.6174.8", "2014 service pack 3 (gdr)"),
        ("12.0.6444.4", "2014 service pack 3 (cu)"),
        ("11.0.2100.60", None),  # before the service packs that are still named
        ("9.0.5000", None),
        ("15", None),
    ],
)
def test_a_build_is_on_one_line(version: str, line: str | None) -> None:
    assert sql_server_line(version) == (f"microsoft sql server {line}" if line else None)


@pytest.mark.parametrize(
    ("version", "product"),
    [
        ("15.2.1258.12", "2019 cumulative update 13"),
        ("15.02.1258.039", "2019 cumulative update 13"),  # as the MSRC writes it
        ("15.1.2507.6", "2016 cumulative update 23"),
        ("15.2.2562.17", "subscription edition rtm"),
        ("15.2.221.12", None),  # CU1
    ],
)
def test_a_build_of_exchange_tells_its_cumulative_update(version: str, product: str | None) -> None:
    assert exchange_update(version) == (f"microsoft exchange server {product}" if product else None)


@pytest.mark.parametrize(
    ("product", "build", "answer"),
    [
        ("microsoft sql server 2019 (cu)", "15.0.4382.1", True),
        ("microsoft sql server 2019 (cu)", "15.0.2116.2", False),
        # February 2023: the MSRC's record has the builds of the two lines the wrong way round.
        ("microsoft sql server 2014 service pack 3 (cu)", "12.0.6174.8", False),
        ("microsoft sql server 2014 service pack 3 (gdr)", "12.0.6444.4", False),
        # February 2024: repaired by the next cumulative update only.
        ("microsoft exchange server 2019 cumulative update 13", "15.2.1544.004", False),
        ("microsoft exchange server 2019 cumulative update 14", "15.2.1544.004", True),
        ("microsoft exchange server 2013 cumulative update 10", "15.0.1130.7", None),  # not in the table
        ("microsoft edge (chromium-based)", "132.0.2957.140", None),
    ],
)
def test_a_build_of_another_line_is_no_bound(product: str, build: str, answer: bool | None) -> None:
    assert is_build_of_line(product, build) is answer

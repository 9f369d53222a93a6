"""Microsoft's programs under Microsoft's titles: certain, or not at all."""

from __future__ import annotations

import pytest

from sentrikat.domain.inventory import Component, Inventory, OperatingSystem, Software
from sentrikat.domain.matching.microsoft_programs import microsoft_programs, reported_updates

MICROSOFT = "Microsoft Corporation"


@pytest.mark.parametrize(
    ("title", "version", "products", "compared"),
    [
        ("Microsoft Edge", "120.0.2210.91", ["microsoft edge (chromium-based)"], "120.0.2210.91"),
        (
            "Microsoft Edge WebView2 Runtime",
            "120.0.2210.91",
            [],
            None,
        ),  # another product, with flaws of its own
        ("Microsoft Visual Studio Code (User)", "1.87.0", ["visual studio code"], "1.87.0"),
        (
            "Visual Studio Community 2022",
            "17.9.6",
            ["microsoft visual studio 2022 version 17.9"],
            "17.9.6",
        ),
        (
            "Visual Studio Community 2022",
            "17.9.34728.123",
            [],
            None,
        ),  # a build number, higher than every release
        (
            "Microsoft .NET Runtime - 8.0.7 (x64)",
            "64.28.12345",
            [".net 8.0", ".net 8.0 installed on windows"],
            "8.0.7",
        ),
        (
            "Microsoft ASP.NET Core 6.0.36 - Shared Framework (x64)",
            "6.0.36.24516",
            [".net 6.0", ".net 6.0 installed on windows", "asp.net core 6.0"],
            "6.0.36",
        ),
        (
            "Microsoft .NET Core Runtime - 3.1.32 (x64)",
            "24.192.31915",
            [".net core 3.1", ".net core 3.1 installed on windows"],
            "3.1.32",
        ),
        ("Microsoft .NET SDK 8.0.400 (x64)", "8.4.24", [], None),  # numbered apart from its runtime
        ("PowerShell 7-x64", "7.4.6.0", ["powershell 7.4"], "7.4.6.0"),
        (
            "Microsoft OLE DB Driver for SQL Server",
            "18.7.4.0",
            ["microsoft ole db driver 18 for sql server"],
            "18.7.4.0",
        ),
        (
            "Microsoft ODBC Driver 17 for SQL Server",
            "17.10.6.1",
            ["microsoft odbc driver 17 for sql server on windows"],
            "17.10.6.1",
        ),
        (
            "Microsoft Exchange Server 2019 Cumulative Update 12",
            "15.2.1118.7",
            ["microsoft exchange server 2019 cumulative update 12"],
            "15.2.1118.7",
        ),
        (
            "Microsoft Office Professional Plus 2016",
            "16.0.4266.1001",
            [
                f"microsoft {one} 2016 ({form})"
                for one in ("office", "excel", "word", "powerpoint", "outlook", "publisher", "access")
                for form in ("64-bit edition", "32-bit edition")
            ],
            "16.0.4266.1001",
        ),
        (
            "Microsoft SQL Server 2019 Setup (English)",
            "15.0.4430.1",
            ["microsoft sql server 2019 (cu)"],
            "15.0.4430.1",
        ),
        (
            "Microsoft SQL Server 2016-Setup (Deutsch)",
            "13.0.6435.1",
            ["microsoft sql server 2016 service pack 3 (gdr)"],
            "13.0.6435.1",
        ),
        ("Microsoft SQL Server 2019 (64-bit)", "", [], None),  # its entry says no version
        ("Microsoft SQL Server 2019 (64-bit)", "15.0.2000.5", [], None),  # nor, here, one that is kept up
        (
            "Microsoft SQL Server 2019",
            "15.0.4382.1",  # the engine's file, from an agent that looks there
            ["microsoft sql server 2019 (cu)"],
            "15.0.4382.1",
        ),
        ("Microsoft SQL Server 2019 RsFx Driver", "15.0.4430.1", [], None),
        ("Microsoft SQL Server Management Studio - 20.2", "20.2.30.0", [], None),
        (
            "Microsoft Exchange Server 2019",
            "15.2.1544.14",
            ["microsoft exchange server 2019 cumulative update 14"],
            "15.2.1544.14",
        ),
        (
            "Microsoft Office Professional Plus 2019 - en-us",
            "16.0.10399.20000",
            ["microsoft office 2019 (volume licensed)"],
            "16.0.10399.20000",
        ),
        (
            "Microsoft 365 Apps for business - nb-no",
            "16.0.18324.20194",
            ["microsoft 365 apps and office (click-to-run)"],
            "16.0.18324.20194",
        ),
        (
            "SQL Server 2019 Database Engine Services",
            "15.0.2000.5",
            [],
            None,
        ),  # the version it was installed with
    ],
)
def test_a_program_is_what_its_title_says_where_its_version_can_be_compared(
    title: str, version: str, products: list[str], compared: str | None
) -> None:
    found = list(microsoft_programs(Component("windows", "windows", title, version, vendor=MICROSOFT)))

    assert [product.name for product, _ in found] == products
    assert {one for _, one in found} == ({compared} if compared else set())


@pytest.mark.parametrize(
    "component",
    [
        Component("windows", "windows", "Microsoft Edge", "120.0.2210.91", vendor="Somebody Else"),
        Component("windows", "windows", "Microsoft Edge", None, vendor=MICROSOFT),
        Component("windows", "windows", "Microsoft Edge", "unknown", vendor=MICROSOFT),
        Component(
            "macos", "macos", "Microsoft Edge", "120.0.2210.91", vendor=MICROSOFT
        ),  # its builds are others
        Component("windows", "windows", "Microsoft Edge Helper Tool", "1.0", vendor=MICROSOFT),
    ],
)
def test_what_is_in_doubt_is_not_named(component: Component) -> None:
    assert list(microsoft_programs(component)) == []


def test_an_update_among_the_programs_is_an_installed_update() -> None:
    programs = (
        Software("windows", "Security Update for Microsoft Office 2016 (KB5002138) 64-Bit Edition"),
        Software("windows", "Hotfix 4430 for SQL Server 2019 (KB5054833) (64-bit)", "15.0.4430.1"),
        Software("windows", "KB50 Notes", "1.0"),
        Software("deb", "KB5002139", "1.0"),
    )
    inventory = Inventory(
        "r", None, "h", None, OperatingSystem("windows"), None, True, programs, ("KB5034122", "KB5002138")
    )

    assert reported_updates(inventory) == ("KB5034122", "KB5002138", "KB5054833")

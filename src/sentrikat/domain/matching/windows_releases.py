"""Windows releases by build number, under the names NVD files them.

The build is what a machine reports for certain (10.0.19045.4043); marketing names are not. One build is both a client
and a server release in three cases, told apart by the product's name.

Source  Microsoft, "Windows 10 release information", "Windows 11 release information", "Windows Server release
        information" (learn.microsoft.com); product names as in NVD's CPE names
"""

from __future__ import annotations

import re

_CLIENTS = {
    10240: "windows_10_1507",
    10586: "windows_10_1511",
    14393: "windows_10_1607",
    15063: "windows_10_1703",
    16299: "windows_10_1709",
    17134: "windows_10_1803",
    17763: "windows_10_1809",
    18362: "windows_10_1903",
    18363: "windows_10_1909",
    19041: "windows_10_2004",
    19042: "windows_10_20h2",
    19043: "windows_10_21h1",
    19044: "windows_10_21h2",
    19045: "windows_10_22h2",
    22000: "windows_11_21h2",
    22621: "windows_11_22h2",
    22631: "windows_11_23h2",
    26100: "windows_11_24h2",
    26200: "windows_11_25h2",
}
_SERVERS = {
    9200: "windows_server_2012",
    14393: "windows_server_2016",
    17763: "windows_server_2019",
    20348: "windows_server_2022",
    25398: "windows_server_2022_23h2",
    26100: "windows_server_2025",
}
_BUILD = re.compile(r"(?:\d+\.\d+\.)?(?P<build>\d{4,5})(?:\.(?P<revision>\d+))?")


def windows_release(name: str, version: str) -> tuple[str, str] | None:
    """Give (NVD product, full build such as 10.0.19045.4043) of a Windows; None for one this table lacks.

    Without a revision the build alone says which release it is, and nothing of its updates: it is given as None,
    for a comparison would take an unknown update level for the oldest one.
    """
    match = _BUILD.fullmatch(version.strip())
    if match is None or match["revision"] is None:
        return None
    build = int(match["build"])
    releases = _SERVERS if "server" in name.lower() else _CLIENTS
    product = releases.get(build)
    if product is None:
        return None
    return product, f"10.0.{build}.{match['revision']}"

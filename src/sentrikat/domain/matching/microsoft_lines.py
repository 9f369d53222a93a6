"""Lines of Microsoft's server programs: SQL Server's GDR and CU, Exchange's cumulative updates, told by build.

A line gets repairs of its own, and its builds are compared with nothing but the line's. SQL Server's CU line is named
after the newest cumulative update of the day ("(CU 27)"): whoever is on an older one is on the same line, so the number
is left out of the product's name. Exchange repairs each cumulative update by itself, with builds of its own.

Source  Microsoft, "Latest updates and version history for SQL Server" (learn.microsoft.com/troubleshoot/sql/releases)
        and "Exchange Server build numbers and release dates" (learn.microsoft.com/exchange); both agree with the fixed
        builds in the MSRC's documents, but for a handful there that stand beside the wrong line
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_TITLE = re.compile(
    r"(?:microsoft )?sql server (?P<year>2008 r2|20\d\d)(?P<rest>(?: service pack \d| for (?:x64-based|32-bit) systems)*)"
    r" ?(?:\((?P<line>gdr|qfe|cu)(?: ?\d+)?\)|(?P<pack>azure connect feature pack))"
)
_SERVICE_PACK = re.compile(r"service pack (\d)")
_EXCHANGE = re.compile(
    r"microsoft exchange server (?P<year>20\d\d|subscription edition)(?: cumulative update (?P<update>\d+)| rtm)"
)
_NUMBERS = re.compile(r"\d+(?:\.\d+){2,5}")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of SQL Server: the first build of it, third number of the version."""

    first: int
    name: str


# By the first two numbers of the version, the lines in order of their builds; each ends where the next one begins.
_SQL_SERVER = {
    (10, 0): (_Line(6000, "2008 service pack 4 (gdr)"),),
    (10, 50): (_Line(6000, "2008 r2 service pack 3 (gdr)"),),
    (11, 0): (
        _Line(5058, "2012 service pack 2 (gdr)"),
        _Line(5532, "2012 service pack 2 (cu)"),
        _Line(6020, "2012 service pack 3 (gdr)"),
        _Line(6518, "2012 service pack 3 (cu)"),
        _Line(7001, "2012 service pack 4 (gdr)"),
    ),
    (12, 0): (
        _Line(4100, "2014 service pack 1 (gdr)"),
        _Line(4416, "2014 service pack 1 (cu)"),
        _Line(5000, "2014 service pack 2 (gdr)"),
        _Line(5511, "2014 service pack 2 (cu)"),
        _Line(6024, "2014 service pack 3 (gdr)"),
        _Line(6205, "2014 service pack 3 (cu)"),
    ),
    (13, 0): (
        _Line(1601, "2016 (gdr)"),
        _Line(2149, "2016 (cu)"),
        _Line(4001, "2016 service pack 1 (gdr)"),
        _Line(4411, "2016 service pack 1 (cu)"),
        _Line(5026, "2016 service pack 2 (gdr)"),
        _Line(5149, "2016 service pack 2 (cu)"),
        _Line(6300, "2016 service pack 3 (gdr)"),
        _Line(7000, "2016 service pack 3 azure connect feature pack"),
    ),
    (14, 0): (_Line(1000, "2017 (gdr)"), _Line(3000, "2017 (cu)")),
    (15, 0): (_Line(2000, "2019 (gdr)"), _Line(4000, "2019 (cu)")),
    (16, 0): (_Line(1000, "2022 (gdr)"), _Line(4000, "2022 (cu)")),
    (17, 0): (_Line(1000, "2025 (gdr)"), _Line(4000, "2025 (cu)")),
}
_LINES = {line.name: numbers for numbers, lines in _SQL_SERVER.items() for line in lines}

# Exchange: the third number of the version is the cumulative update.
_EXCHANGE_UPDATES = {
    (15, 0, 1497): "2013 cumulative update 23",
    (15, 1, 1913): "2016 cumulative update 15",
    (15, 1, 1979): "2016 cumulative update 16",
    (15, 1, 2044): "2016 cumulative update 17",
    (15, 1, 2106): "2016 cumulative update 18",
    (15, 1, 2176): "2016 cumulative update 19",
    (15, 1, 2242): "2016 cumulative update 20",
    (15, 1, 2308): "2016 cumulative update 21",
    (15, 1, 2375): "2016 cumulative update 22",
    (15, 1, 2507): "2016 cumulative update 23",
    (15, 2, 529): "2019 cumulative update 4",
    (15, 2, 595): "2019 cumulative update 5",
    (15, 2, 659): "2019 cumulative update 6",
    (15, 2, 721): "2019 cumulative update 7",
    (15, 2, 792): "2019 cumulative update 8",
    (15, 2, 858): "2019 cumulative update 9",
    (15, 2, 922): "2019 cumulative update 10",
    (15, 2, 986): "2019 cumulative update 11",
    (15, 2, 1118): "2019 cumulative update 12",
    (15, 2, 1258): "2019 cumulative update 13",
    (15, 2, 1544): "2019 cumulative update 14",
    (15, 2, 1748): "2019 cumulative update 15",
    (15, 2, 2562): "subscription edition rtm",
}
_EXCHANGE_BUILDS = {name: numbers for numbers, name in _EXCHANGE_UPDATES.items()}


def line_named(title: str) -> str | None:
    """Give the name of the line that a title of SQL Server stands for, in lower case; None for any other title.

    Architectures share updates and builds, and are left out.
    """
    match = _TITLE.fullmatch(title)
    if match is None:
        return None
    pack = _SERVICE_PACK.search(match["rest"])
    stem = f"{match['year']} service pack {pack[1]}" if pack else match["year"]
    if match["pack"]:
        return f"microsoft sql server {stem} azure connect feature pack"
    # Where a release gets repairs only, Microsoft calls the one line QFE.
    only = f"{stem} (cu)" not in _LINES
    line = "gdr" if match["line"] == "gdr" or (match["line"] == "qfe" and only) else "cu"
    return f"microsoft sql server {stem} ({line})"


def sql_server_line(version: str) -> str | None:
    """Give the line of SQL Server that a build is on; None for a service pack Microsoft stopped naming before 2016."""
    numbers = _numbers(version)
    if numbers is None:
        return None
    lines = _SQL_SERVER.get((numbers[0], numbers[1]), ())
    place = bisect_right([line.first for line in lines], numbers[2])
    return f"microsoft sql server {lines[place - 1].name}" if place else None


def exchange_update(version: str) -> str | None:
    """Give the cumulative update of Exchange that a build belongs to; None for one this table lacks."""
    numbers = _numbers(version)
    name = _EXCHANGE_UPDATES.get(numbers) if numbers else None
    return f"microsoft exchange server {name}" if name else None


def is_build_of_line(product: str, build: str) -> bool | None:
    """Say whether a build is one of a line; None for a product that is no line of these."""
    if (
        product.startswith("microsoft sql server ")
        and product.removeprefix("microsoft sql server ") in _LINES
    ):
        return sql_server_line(build) == product
    match = _EXCHANGE.fullmatch(product)
    if match is None:
        return None
    known = _EXCHANGE_BUILDS.get(product.removeprefix("microsoft exchange server "))
    return None if known is None else _numbers(build) == known


def _numbers(version: str) -> tuple[int, int, int] | None:
    if not _NUMBERS.fullmatch(version):
        return None
    first, second, third = (int(part) for part in version.split(".")[:3])
    return first, second, third

"""Microsoft's titles of Windows: one product per release, edition and architecture, told by build and architecture.

"Windows 10 Version 22H2 for x64-based Systems" is build 19045 on x64. Titles are compared in lower case.

Source  product trees of the MSRC's monthly documents, April 2016 to February 2025, and WES-NG's list of June 2026;
        build numbers from Microsoft, "Windows 10/11/Server release information" (learn.microsoft.com)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sentrikat.domain.matching.microsoft_lines import is_build_of_line

CORE = "(server core installation)"
_ARCHITECTURES = {
    "x86_64": "x64-based systems",
    "amd64": "x64-based systems",
    "x64": "x64-based systems",
    "64-bit": "x64-based systems",
    "x86": "32-bit systems",
    "i386": "32-bit systems",
    "i686": "32-bit systems",
    "32-bit": "32-bit systems",
    "arm64": "arm64-based systems",
    "aarch64": "arm64-based systems",
}
_HARDWARE = {"x64-based systems": "x64", "32-bit systems": "x86", "arm64-based systems": "arm64"}


@dataclass(frozen=True, slots=True)
class _Release:
    """What a build is called: as a client, and as a server.

    `core_only`   the server came without a desktop, and its title always says so
    `cumulative`  each month's update holds all earlier ones, and moves the revision of the build
    """

    client: str | None = None
    server: str | None = None
    core_only: bool = False
    cumulative: bool = True
    service_pack: str = ""


_RELEASES = {
    6002: _Release("windows vista", "windows server 2008", False, False, " service pack 2"),
    6003: _Release(None, "windows server 2008", False, False, " service pack 2"),
    7601: _Release("windows 7", "windows server 2008 r2", False, False, " service pack 1"),
    9200: _Release("windows 8", "windows server 2012", cumulative=False),
    9600: _Release("windows 8.1", "windows server 2012 r2", cumulative=False),
    10240: _Release("windows 10"),
    10586: _Release("windows 10 version 1511"),
    14393: _Release("windows 10 version 1607", "windows server 2016"),
    15063: _Release("windows 10 version 1703"),
    16299: _Release("windows 10 version 1709", "windows server, version 1709", core_only=True),
    17134: _Release("windows 10 version 1803", "windows server, version 1803", core_only=True),
    17763: _Release("windows 10 version 1809", "windows server 2019"),
    18362: _Release("windows 10 version 1903", "windows server, version 1903", core_only=True),
    18363: _Release("windows 10 version 1909", "windows server, version 1909", core_only=True),
    19041: _Release("windows 10 version 2004", "windows server, version 2004", core_only=True),
    19042: _Release("windows 10 version 20h2", "windows server, version 20h2", core_only=True),
    19043: _Release("windows 10 version 21h1"),
    19044: _Release("windows 10 version 21h2"),
    19045: _Release("windows 10 version 22h2"),
    20348: _Release(None, "windows server 2022"),
    22000: _Release("windows 11 version 21h2"),
    22621: _Release("windows 11 version 22h2"),
    22631: _Release("windows 11 version 23h2"),
    25398: _Release(None, "windows server 2022, 23h2 edition", core_only=True),
    26100: _Release("windows 11 version 24h2", "windows server 2025"),
    26200: _Release("windows 11 version 25h2"),
    28000: _Release("windows 11 version 26h1"),
}
# Servers of these releases were made for several architectures, and their titles say which.
_NAMED_BY_ARCHITECTURE = {"windows server 2008", "windows server 2008 r2"}

_VERSION = re.compile(r"(?:\d+\.\d+\.)?(?P<build>\d{4,5})(?:\.(?P<revision>\d+))?")
_BUILD = re.compile(r"\d+\.\d+\.(?P<build>\d{4,5})(?:\.\d+)*")
_OF_TITLE = re.compile(
    r" for (?:x64-based|32-bit|arm64-based|itanium-based) systems?(?: service pack \d)?|"
    rf" ?{re.escape(CORE)}| service pack \d$"
)


@dataclass(frozen=True, slots=True)
class WindowsSystem:
    """A Windows as Microsoft's advisories know it.

    `product`    its own title
    `editions`   every title of the release: the same update is for all of them
    `hardware`   x64 | x86 | arm64, as NVD writes it; None where nobody said
    """

    product: str
    editions: tuple[str, ...]
    build: int
    revision: int | None
    cumulative: bool
    hardware: str | None


def windows_system(name: str, version: str | None, architecture: str | None) -> WindowsSystem | None:
    """Tell which Windows it is; None for a build this table lacks, or a client whose architecture nobody named."""
    match = _VERSION.fullmatch((version or "").strip())
    words = name.lower()
    if match is None or (release := _RELEASES.get(int(match["build"]))) is None:
        return None
    systems = _architecture(words, architecture)
    server = release.server is not None and ("server" in words or release.client is None)
    stem = release.server if server else release.client
    if stem is None:
        return None
    editions: tuple[str, ...]
    if server and stem not in _NAMED_BY_ARCHITECTURE:
        full = stem
        editions = (f"{stem} {CORE}",) if release.core_only else (stem, f"{stem} {CORE}")
    elif systems is None:
        return None
    else:
        full = f"{stem} for {systems}{release.service_pack}"
        editions = tuple(f"{stem} for {one}{release.service_pack}" for one in _HARDWARE)
        if server:
            editions += tuple(f"{one} {CORE}" for one in editions)
    is_core = server and (release.core_only or "core" in words)
    return WindowsSystem(
        product=f"{full} {CORE}" if is_core else full,
        editions=editions,
        build=int(match["build"]),
        revision=int(match["revision"]) if match["revision"] is not None else None,
        cumulative=release.cumulative,
        hardware=_HARDWARE.get(systems) if systems else None,
    )


# What Windows Update calls servers since 2022.
_SERVER_ALIASES = {
    "microsoft server operating system version 21h2": "windows server 2022",
    "microsoft server operating system, version 23h2": "windows server 2022, 23h2 edition",
    "microsoft server operating system version 24h2": "windows server 2025",
}
_STEMS: dict[str, tuple[str, _Release]] = {
    name: (stem, release)
    for release in _RELEASES.values()
    for stem in (release.client, release.server)
    if stem is not None
    # "Windows 8.1 and Server 2012 R2": the second name goes without its first word.
    for name in {stem, stem.removeprefix("windows ") if stem.startswith("windows server") else stem}
} | {
    alias: (stem, next(one for one in _RELEASES.values() if one.server == stem))
    for alias, stem in _SERVER_ALIASES.items()
}
_STEM = re.compile(
    r"(?<![\w.])(?:"
    + "|".join(re.escape(name) for name in sorted(_STEMS, key=len, reverse=True))
    + r")(?![\w.]| embedded| rt\b)"
)
_HARDWARE_NAMED = re.compile(r"\b(x64|amd64|arm64|x86|itanium|ia-?64)")
_HARDWARE_WORDS = {"x64": "x64-based systems", "amd64": "x64-based systems", "arm64": "arm64-based systems"}


def systems_named(title: str) -> tuple[str, ...]:
    """Give the systems an update's title names, as the MSRC calls them, without Server Core's own titles.

    "Security Update for Windows 8.1 for x64-based Systems (KB3023266)" is for one; an update of .NET Framework "on
    Windows 8.1 and Windows Server 2012 R2 for x64" for two. A client without an architecture has 32 bits. Windows
    Embedded is another product, and so is a Windows 8.1 that lacks the update all later ones need ("without KB2919355").
    """
    words = " ".join(title.split()).lower()
    if "embedded" in words or " without kb" in words:
        return ()
    named = {match[1] for match in _HARDWARE_NAMED.finditer(words)}
    if named and named <= {"itanium", "ia64", "ia-64"}:
        return ()
    hardware = next(
        (_HARDWARE_WORDS[one] for one in ("x64", "amd64", "arm64") if one in named), "32-bit systems"
    )
    found: dict[str, None] = {}
    for match in _STEM.finditer(words):
        stem, release = _STEMS[match[0]]
        if release.server == stem and stem not in _NAMED_BY_ARCHITECTURE:
            found[stem] = None
        else:
            found[f"{stem} for {hardware}{release.service_pack}"] = None
    return tuple(found)


def without_core(title: str) -> str:
    """Give the title of a system whether or not it came without a desktop."""
    return title.removesuffix(f" {CORE}")


def _architecture(words: str, named: str | None) -> str | None:
    """Give the architecture as titles write it, from the system's own title or as reported."""
    for systems in _HARDWARE:
        if systems in words:
            return systems
    return _ARCHITECTURES.get((named or "").strip().lower())


_BUILDS_OF = {
    stem: {build for build, other in _RELEASES.items() if stem in (other.client, other.server)}
    for release in _RELEASES.values()
    for stem in (release.client, release.server)
    if stem is not None
}


def is_build_of(title: str, build: str) -> bool:
    """Say whether a build may be one of a product: for a Windows only builds of its own release are.

    So it is with the lines of SQL Server and Exchange; other titles may have any.
    """
    builds = _BUILDS_OF.get(_OF_TITLE.sub("", title).strip())
    if builds is None:
        return is_build_of_line(title, build) is not False
    match = _BUILD.fullmatch(build)
    return match is not None and int(match["build"]) in builds

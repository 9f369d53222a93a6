"""The version of an installed program, out of its title or as its maker's installer writes it, in NVD's words.

A rule stands here only where the reported version would be compared wrongly; each with its source.
"""

from __future__ import annotations

import re

from sentrikat.domain.cpe.name import ANY, escape
from sentrikat.domain.errors import InvalidName
from sentrikat.domain.inventory import Component

# A version in a title has a dot: "Office 2016" and "Visual Studio 2019" name editions, "Windows 11" a system.
_IN_TITLE = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+[a-z]?\d*)(?!\w)", re.IGNORECASE)
# "Microsoft .NET Core Runtime - 2.1.24 (x64)", whose installer registers 16.96.29518.
_DOTNET = re.compile(
    r"^Microsoft (?:\.NET|ASP\.NET|Windows Desktop)\b.* - (\d+\.\d+\.\d+)(?: \(\w+\))?$", re.IGNORECASE
)
_BUILD_IN_BRACKETS = re.compile(r"(\d[\w.]*)\s+\(([\w.]+)\)")
_JAVA = re.compile(
    r"\bjava(?:\(tm\))?\s+(?:se\s+(?:runtime\s+environment|development\s+kit)\s+)?(\d+)\s+update\s+(\d+)\b",
    re.IGNORECASE,
)
_PYTHON = re.compile(r"(\d+)\.(\d+)\.(\d{3,6})(?:\.0)?")
_PYTHON_LEVELS = {10: "alpha", 11: "beta", 12: "rc"}
_BRACKETS = re.compile(r"\([^()]*\)")
# Another program's version stands behind these: "Tools for .NET 3.5", "Ruby 3.2.2 with MSYS2 2023.7".
_OTHERS = re.compile(r"\b(?:for|with|from|on|in)\b", re.IGNORECASE)
_LEADING_LETTERS = re.compile(r"[a-z]{1,3}\s+(?=\d+\.)", re.IGNORECASE)
_EDITION = re.compile(r"(?<=\d)esr\b.*", re.IGNORECASE)
_YEAR = re.compile(r"\b(20\d\d)\b")
_COLDFUSION = re.compile(r"(20\d\d|\d\d)\.0\.(\d+)(?:\.\d+)?")
_CITRIX = re.compile(r"(1[89]|[2-9]\d)\.(\d{1,2})\.(\d+)\.\d+")
_STUDIO_BUILD = re.compile(r"1[345]\.0\.\d{5}\.\d+")  # Management Studio 16 to 18
_FULL = 3  # numbers of a version that names a release and not a line
_ANYTHING = frozenset({"*", "-", "unknown", "n/a", "none"})


def version_and_update(component: Component) -> tuple[str | None, str]:
    """Give the version and update of a component as NVD writes them; the update is `*` where there is none."""
    version = (component.version or "").strip()
    if version.lower() in _ANYTHING:
        version = ""
    title = component.name
    if java := _JAVA.search(title):
        # Oracle's installer writes 8.0.3510.10 for what NVD calls 1.8.0 update 351.
        return f"1.{java[1]}.0", f"update{java[2]}"
    if _is_python(component) and (read := _python_release(version)) is not None:
        return read
    if dotnet := _DOTNET.match(title):
        return dotnet[1], ANY
    if not version:
        found = _IN_TITLE.findall(title)
        return (found[-1] if found else None), ANY
    if (own := _makers_version(component, version)) is not None:
        return own
    if (named := _named_release(title)) is not None and _says_otherwise(named, version):
        return named, ANY
    if bracketed := _BUILD_IN_BRACKETS.fullmatch(version):
        # "5.11.1 (6602)": the marketing version, which is what statements name, and a build.
        return bracketed[1], ANY
    # AnyDesk registers "ad 7.1.13", Mozilla's own version of Firefox ESR is "128.0esr".
    return _EDITION.sub("", _LEADING_LETTERS.sub("", version)), ANY


def _named_release(title: str) -> str | None:
    """Give the release a title names: the version behind the program's name, and not that of another program."""
    plain = _BRACKETS.sub(" ", title)
    found = list(_IN_TITLE.finditer(plain))
    if not found or _OTHERS.search(plain[: found[-1].start()]):
        return None
    return found[-1][1]


def _says_otherwise(named: str, registered: str) -> bool:
    """Say whether the registered version is not the release that the title names, but a number of the installer's.

    IntelliJ IDEA 2023.2.1 registers 232.9559.62, OpenOffice 4.1.14 4.114.9811, TortoiseSVN 1.14.5.29465 1.14.29465: a
    Windows Installer version has three numbers and counts to 255. A title that names a line only ("SecureCRT 9.4")
    is less than what is registered; one with a year stands beside the maker's branch number.
    """
    title, own = _numbers(named), _numbers(registered)
    length = min(len(title), len(own))
    if not length or title[:length] == own[:length]:
        return False
    return len(title) >= _FULL or (title[0] >= 2000 > own[0])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _makers_version(component: Component, version: str) -> tuple[str | None, str] | None:
    """Read what some makers register, where NVD writes it in another form."""
    title = component.name.lower()
    vendor = (component.vendor or "").lower()
    if "coldfusion" in title and (found := _COLDFUSION.fullmatch(version)):
        # 2021.0.05.330109 is "2021 Update 5". Source  ColdFusion's own "version" output; NVD's names
        update = int(found[2])
        return found[1], f"update{update}" if update else "-"
    if title.startswith("citrix workspace") and (found := _CITRIX.fullmatch(version)):
        # 23.9.0.99 is 2309, 22.3.3000.3208 is 2203.1 with CU3. Source  release notes of the Workspace app
        release, number = f"{int(found[1]):02d}{int(found[2]):02d}", int(found[3])
        update, rest = divmod(number, 1000)
        if not update or rest:
            return f"{release}.{number}" if number else release, ANY
        return (f"{release}.1" if release == "2203" else release), f"cu{update}"
    if vendor.startswith("autodesk") and (found := _YEAR.search(title)) and not version.startswith("20"):
        # AutoCAD 2023 registers 24.2.53.0; NVD and Autodesk count 2023, 2023.1.4. Which update of the year it is, the
        # registry does not say: its first release is what is known to be there.
        return found[1], ANY
    if "management studio" in title and _STUDIO_BUILD.fullmatch(version):
        # 15.0.18424.0 is 18.12.1, as the title of its installer says; no rule leads from one to the other.
        return _named_release(component.name), ANY
    return None


def _is_python(component: Component) -> bool:
    return component.name.lower().startswith("python ") and "python" in (component.vendor or "").lower()


def _python_release(version: str) -> tuple[str, str] | None:
    """Read the version of Python's Windows installer: micro * 1000 + level * 10 + serial, so 3.11.4150.0 is 3.11.4.

    Source  PCbuild/python.props of CPython: Field3Value; level 10 is alpha, 11 beta, 12 rc, 15 final
    """
    match = _PYTHON.fullmatch(version)
    if match is None:
        return None
    micro, rest = divmod(int(match[3]), 1000)
    level, serial = divmod(rest, 10)
    if level not in {*_PYTHON_LEVELS, 15}:
        return None
    update = f"{_PYTHON_LEVELS[level]}{serial}" if level in _PYTHON_LEVELS else ANY
    return f"{match[1]}.{match[2]}.{micro}", update


def version_attributes(component: Component) -> tuple[str, str]:
    """Give version and update as CPE attributes; `*` for what CPE cannot write."""
    version, update = version_and_update(component)
    try:
        return (escape(version) if version else ANY), (escape(update) if update != ANY else ANY)
    except InvalidName:
        return ANY, ANY

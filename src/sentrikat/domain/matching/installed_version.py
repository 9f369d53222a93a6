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
_PYTHON = re.compile(r"(\d+)\.(\d+)\.(\d{3,6})\.0")
_PYTHON_LEVELS = {10: "alpha", 11: "beta", 12: "rc"}
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
    if bracketed := _BUILD_IN_BRACKETS.fullmatch(version):
        # "5.11.1 (6602)": the marketing version, which is what statements name, and a build.
        return bracketed[1], ANY
    return version, ANY


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

"""What software lives in: a system, or another program.

CPE says it as target software. `zoom:zoom` for `chrome` is an extension, `jenkins:git` for `jenkins` a plugin, and an
extension is not the program it is named after: neither may be taken for the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from sentrikat.domain.cpe.name import ANY, NA
from sentrikat.domain.cpe.target import os_family_of
from sentrikat.domain.inventory import Component

# Package URL types of extensions, and how CPE calls the program they extend.
_HOSTS = {
    "vscode-extension": "visual_studio_code",
    "chrome-extension": "chrome",
    "wordpress-plugin": "wordpress",
    "wordpress-theme": "wordpress",
    "jenkins-plugin": "jenkins",
}
_PURL_TYPE = re.compile(r"pkg:([a-z-]+)/")
# An identifier of the Visual Studio marketplace: publisher.name, and no program is called so.
_MARKETPLACE = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9_-]*", re.IGNORECASE)
_FILE_ENDINGS = ("app", "exe", "msi", "dmg", "js", "io", "net", "com", "org")  # Node.js, draw.io, Paint.NET

_PROGRAMS = frozenset({"windows", "macos", "snap", "flatpak", "brew"})
# One system, several names: Visual Studio Code is written in two ways.
_SAME = {"visual_studio": "visual_studio_code"}


def host_of(component: Component) -> str | None:
    """Give the program a component extends, as CPE calls it; "" for a program itself; None: cannot be told."""
    if component.purl and (match := _PURL_TYPE.match(component.purl)) and match[1] in _HOSTS:
        return _HOSTS[match[1]]
    if component.kind in _PROGRAMS:
        return ""
    if component.kind == "application" and extension_id(component) is not None:
        return "visual_studio_code"
    return None


def extension_id(component: Component) -> tuple[str, str] | None:
    """Give publisher and name of an extension of Visual Studio Code that is reported by its identifier."""
    name = component.name.strip()
    if component.kind != "application" or not _MARKETPLACE.fullmatch(name):
        return None
    publisher, _, own = name.lower().partition(".")
    if own in _FILE_ENDINGS or own.isdigit() or publisher.isdigit():
        return None
    return publisher, own


def extends(targets: Collection[str]) -> frozenset[str]:
    """Give the programs that a product only exists for; none for a product that also stands alone."""
    hosts = set()
    for target in targets:
        if target in (ANY, NA, "") or os_family_of(target) is not None or target in {"unix", "linux"}:
            return frozenset()
        hosts.add(_SAME.get(target, target))
    return frozenset(hosts)


def fits(host: str | None, targets: Collection[str]) -> bool:
    """Say whether a component with this host may be a product whose names are made for `targets`.

    A program is no product that only extends other programs. An extension is a product made for its host; a product
    that nobody filed as an extension may be one, and it takes better evidence to believe it (`likeness`).
    """
    hosts = extends(targets)
    if host is None:
        return True
    if host == "":
        return not hosts
    return not hosts or host in hosts

"""Whether what a source fixed beyond the version holds for a component: its edition, its platform.

Answers are True, False, or None for "nobody said". None does not exclude: an inventory rarely tells
the edition of a program, and dropping every statement that names one would hide real flaws.

`target_sw` means two different things, and both are in daily use:

* an operating system (`windows`, `macos`, `linux_kernel`, `android`): compared with what the component's
  own name says, else with the asset's family. A family of `other` may be anything: None.
* the program that a plugin lives in (`wordpress`, `jenkins`, `node.js`, `chrome`): the asset's system says
  nothing about it, so only the component's own name can; a component without one is None.
"""

from __future__ import annotations

from sentrikat.domain.cpe.name import ATTRIBUTES, NA, CpeName, concrete
from sentrikat.domain.cpe.relation import Relation, attribute_relation

Target = tuple[tuple[str, str], ...]

QUALIFIERS = ATTRIBUTES[4:]  # update and all that follows
_NOTHING = ("*",) * len(QUALIFIERS)  # most names fix nothing

# How names in use spell the families an asset can have. Releases (`windows_10`) belong to the family.
_WINDOWS = frozenset(
    {"windows", "windows_nt", "win", "win32", "win64", "microsoft_windows", "ms_windows", "nt", "vista"}
)
_MACOS = frozenset({"macos", "mac_os", "mac_os_x", "mac", "macosx", "mac_osx", "os_x", "osx", "macos_x"})
_LINUX = frozenset({"linux", "linux_kernel", "gnu_linux", r"gnu\/linux", r"z\/linux"})
# One distribution of Linux, or any Unix: excludes the other families, proves nothing by itself.
_SOME_LINUX = frozenset(
    {
        "debian",
        "debian_linux",
        "ubuntu",
        "ubuntu_linux",
        "redhat",
        "red_hat",
        "red_hat_linux",
        "redhat_linux",
        "rhel",
        "redhat_enterprise_linux",
        "enterprise_linux",
        "centos",
        "fedora",
        "suse",
        "suse_linux",
        "sles",
        "opensuse",
        "oracle_linux",
        "amazon_linux",
        "alpine",
        "alpine_linux",
        "gentoo",
        "gentoo_linux",
        "arch_linux",
    }
)
_UNIX = frozenset({"unix", "posix", r"unix\/linux", "nix"})
# Systems that are none of the three families.
_ELSEWHERE = frozenset(
    {
        "android",
        "iphone_os",
        "iphone",
        "ios",
        "ipados",
        "ipad",
        "ipod_touch",
        "tvos",
        "watchos",
        "visionos",
        "chrome_os",
        "chromeos",
        "harmonyos",
        "windows_mobile",
        "windows_phone",
        "windows_ce",
        "blackberry",
        "symbian",
        "freebsd",
        "netbsd",
        "openbsd",
        "solaris",
        "sunos",
        "aix",
        "hp-ux",
        "irix",
        "tru64",
        "z\\/os",
        "zos",
        "os400",
        "netware",
        "vxworks",
        "qnx",
    }
)
# One program, several names: NVD files extensions of Visual Studio Code under Visual Studio as well (gistpad,
# vscode-rufo, pull_requests_and_issues), which has no extensions of these names.
_SAME_PROGRAM = {"visual_studio": "visual_studio_code", "vscode": "visual_studio_code"}
_HARDWARE = {
    "x64": "x64",
    "x86_64": "x64",
    "amd64": "x64",
    "x86": "x86",
    "x32": "x86",
    "i386": "x86",
    "i686": "x86",
    "arm64": "arm64",
    "aarch64": "arm64",
}


def target_of(name: CpeName, *, without_update: bool = False) -> Target:
    """Give what the name fixes beyond its version, sorted; `*` is left out, `-` is kept."""
    fixed = name.attributes()[4:]
    if fixed == _NOTHING:
        return ()
    values = zip(QUALIFIERS, fixed, strict=True)
    return tuple(
        sorted(
            (attribute, value)
            for attribute, value in values
            if value != "*" and not (without_update and attribute == "update")
        )
    )


def target_holds(target: Target, component: CpeName | None, os_family: str) -> bool | None:
    """Say whether `target` holds for a component on an asset of `os_family`.

    `component` is the component's own name, None when it has none; `os_family` is windows, macos, linux
    or other. False as soon as one attribute excludes the component, else None when one is not known.
    """
    known = True
    for attribute, wanted in target:
        own = getattr(component, attribute) if component is not None else "*"
        if attribute == "target_sw":
            holds = _platform_holds(wanted, own, os_family)
        elif attribute == "target_hw":
            holds = _value_holds(_HARDWARE.get(wanted, wanted), _HARDWARE.get(own, own))
        else:
            holds = _value_holds(wanted, own)
        if holds is False:
            return False
        known = known and holds is not None
    return True if known else None


def os_family_of(platform: str) -> str | None:
    """Give the family a `target_sw` value means: windows, macos, linux, other; None: not a system."""
    if platform in _ELSEWHERE:
        return "other"
    if platform in _WINDOWS or platform.startswith(("windows_", "win_")):
        return "windows"
    if platform in _MACOS or platform.startswith("mac_os_x_"):
        return "macos"
    if platform in _LINUX or platform in _SOME_LINUX:
        return "linux"
    return None


def _value_holds(wanted: str, own: str) -> bool | None:
    if own == "*":
        return None
    found = attribute_relation(wanted, own)
    if found in (Relation.EQUAL, Relation.SUPERSET):
        return True
    return False if found is Relation.DISJOINT else None


def _platform_holds(wanted: str, own: str, os_family: str) -> bool | None:
    if wanted == NA:
        return _value_holds(wanted, own)
    family = os_family_of(wanted)
    if family is None and wanted not in _UNIX:
        return _value_holds(_SAME_PROGRAM.get(wanted, wanted), _SAME_PROGRAM.get(own, own))
    if concrete(own) and (said := os_family_of(own)) is not None:
        # What the component says of itself is better than what the asset is: a Windows program in Wine.
        return _family_holds(wanted, family, said, same=wanted == own)
    if concrete(own) and own not in _UNIX:
        return False  # the plugin of a program, and the statement is about a program of the system
    return _family_holds(wanted, family, os_family, same=wanted == own)


def _family_holds(wanted: str, family: str | None, asset: str, *, same: bool) -> bool | None:
    if same:
        return True
    if family is None:  # any Unix
        return False if asset == "windows" else None
    if asset == "other":
        return None
    if family != asset:
        return False
    return None if wanted in _SOME_LINUX else True

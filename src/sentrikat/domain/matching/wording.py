"""Verdicts in words: the sentences people and auditors read."""

from __future__ import annotations

from sentrikat.domain.advisory import Remedy, Status
from sentrikat.domain.matching.ended_releases import later_releases
from sentrikat.domain.ranges import VersionRange

SOURCE_NAMES = {
    "nvd": "NVD",
    "msrc": "Microsoft",
    "wesng": "WES-NG",
    "vulnrichment": "the CVE record",
    "overrides": "the CPE overrides",
    "debian": "Debian's security tracker",
    "ubuntu": "Ubuntu's CVE tracker",
    "redhat": "Red Hat's VEX data",
    "redhat_data": "Red Hat's Security Data",
    "suse": "SUSE's VEX data",
    "alpine": "Alpine's security database",
    "almalinux": "AlmaLinux's errata",
    "amazon": "Amazon Linux's advisories",
    "osv": "OSV",
    "kev": "CISA KEV",
    "euvd": "ENISA's EUVD",
    "epss": "FIRST EPSS",
    "exploitdb": "Exploit-DB",
    "metasploit": "Metasploit",
}


def source_name(source: str) -> str:
    """Give the name people know a source by."""
    return SOURCE_NAMES.get(source, source)


def range_words(versions: VersionRange) -> str:
    """Say a span of versions in words: `from 2.0 up to, not including, 2.5`."""
    if versions.introduced is not None and versions.introduced == versions.last_affected:
        return f"version {versions.introduced}"
    start = ""
    if versions.introduced is not None:
        start = (
            f"after {versions.introduced}" if versions.introduced_excluded else f"from {versions.introduced}"
        )
    if versions.fixed is not None:
        return f"{start} up to, not including, {versions.fixed}" if start else f"before {versions.fixed}"
    if versions.last_affected is not None:
        return (
            f"{start} up to and including {versions.last_affected}"
            if start
            else f"up to {versions.last_affected}"
        )
    return f"{start} on" if start else "all versions"


def fixed_words(
    ecosystem: str, fixed: str | None, note: str | None, release: str | None = None
) -> str | None:
    """Name a repair: its version, and of Microsoft's products the updates that bring it: `KB5034122, build 10.0...`.

    `release` is the one the package is installed on: a repair in a later one than that is named with it.
    """
    if fixed is not None and release is not None and ecosystem in later_releases(release):
        return f"{fixed} of {ecosystem}"
    if ecosystem != "msrc" or note is None:
        return fixed
    return note if fixed is None else f"{note}, build {fixed}"


def remedy_words(remedy: Remedy | None, fixed: str | None) -> str:
    """Say what the source says of a repair; `fixed` names it."""
    if fixed is not None:
        return f"fixed in {fixed}" + (", which is not published yet" if remedy is Remedy.OPEN else "")
    return {
        None: "no fixed version named",
        Remedy.FIXED: "fixed, in a version the source does not name",
        Remedy.OPEN: "not fixed yet",
        Remedy.DEFERRED: "repair postponed",
        Remedy.WILL_NOT_FIX: "will not be fixed",
        Remedy.END_OF_LIFE: "past the support of this release (end of life)",
        Remedy.NOT_AFFECTED: "not affected",
    }[remedy]


def statement_words(
    source: str,
    product: str,
    status: Status,
    described: bool,
    versions: VersionRange,
    remedy: Remedy | None,
    repair: str | None = None,
) -> str:
    """Say one statement: `Debian's security tracker: openssl before 3.0.13-1~deb12u1 is affected; fixed in ...`."""
    who = source_name(source)
    covered = (
        f"{product} {range_words(versions)}" if not versions.unbounded else f"every version of {product}"
    )
    if not described:
        return f"{who} names {product} without saying which versions"
    if status is Status.INVESTIGATING:
        return f"{who} is still looking into {product}"
    if status is Status.UNAFFECTED:
        return f"{who}: {covered} is not affected"
    return f"{who}: {covered} is affected; {remedy_words(remedy, repair or versions.fixed)}"

"""Package URLs: what they say, canonical per type, and the product they stand for.

    pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl
    pkg:npm/%40angular/core@17.0.0
    pkg:maven/org.apache.logging.log4j/log4j-core@2.17.1

Source  https://github.com/package-url/purl-spec; `upstream`, `distro` and `epoch` as SBOM makers use them
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from packageurl import PackageURL

from sentrikat.domain.advisory import Product
from sentrikat.domain.errors import InvalidName

LANGUAGE_TYPES = frozenset({"pypi", "npm", "maven", "golang", "cargo", "nuget", "gem", "composer"})
DISTRIBUTION_TYPES = frozenset({"deb", "rpm", "apk"})

# What package URLs call a distribution, and its os-release ID.
_DISTRIBUTIONS = {
    "alma": "almalinux",
    "amazon": "amzn",
    "amazonlinux": "amzn",
    "oracle": "ol",
    "oraclelinux": "ol",
    "redhat": "rhel",
    "rockylinux": "rocky",
    "suse": "sles",
    "opensuse.leap": "opensuse-leap",
}
_PER_MAJOR = frozenset({"debian", "rhel", "almalinux", "rocky", "centos", "ol"})
_PER_MINOR = frozenset({"alpine", "ubuntu", "sles", "opensuse-leap"})
_ROLLING = frozenset({"wolfi", "chainguard", "opensuse-tumbleweed"})
# Releases that are named by word in `distro=`; the numbers are what VERSION_ID says.
_CODENAMES = {
    "jessie": ("debian", "8"),
    "stretch": ("debian", "9"),
    "buster": ("debian", "10"),
    "bullseye": ("debian", "11"),
    "bookworm": ("debian", "12"),
    "trixie": ("debian", "13"),
    "forky": ("debian", "14"),
    "trusty": ("ubuntu", "14.04"),
    "xenial": ("ubuntu", "16.04"),
    "bionic": ("ubuntu", "18.04"),
    "focal": ("ubuntu", "20.04"),
    "jammy": ("ubuntu", "22.04"),
    "noble": ("ubuntu", "24.04"),
}
_DISTRO = re.compile(r"([a-z][a-z0-9_.-]*?)[-:]v?([0-9][0-9a-z.]*)")
_SOURCE_RPM = re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.(?:no)?src\.rpm")
_EPOCH = re.compile(r"[1-9][0-9]{0,8}")
_RUNS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Package:
    """What a package URL says. `version` has the epoch applied (`1:1.2-3`); None is "not said".

    `distro`          os-release ID, `distro_version` its VERSION_ID as far as given
    `source_name`     the source package (`upstream=`), `source_version` where it differs from `version`
    """

    type: str
    namespace: str | None
    name: str
    version: str | None = None
    arch: str | None = None
    distro: str | None = None
    distro_version: str | None = None
    source_name: str | None = None
    source_version: str | None = None
    subpath: str | None = None


def parse(text: str) -> Package:
    """Read a package URL; InvalidName when it breaks the grammar."""
    try:
        url = PackageURL.from_string(text.strip())
    except ValueError as reason:
        raise InvalidName(
            f"“{text[:120]}” is not a package URL: {reason}.", fields={"purl": str(reason)}
        ) from reason
    if not url.name or "\x00" in text:
        raise InvalidName(
            f"“{text[:120]}” is not a package URL: it names no package.", fields={"purl": "no name"}
        )
    qualifiers: dict[str, str] = dict(url.qualifiers or {})
    written = _name_as_written(text, url.name) if url.type == "npm" else url.name
    namespace, name = _canonical_parts(url.type, url.namespace or None, written)
    version = _with_epoch(url.version or None, qualifiers.get("epoch"))
    if url.type not in DISTRIBUTION_TYPES:
        return Package(
            url.type, namespace, name, version, qualifiers.get("arch"), subpath=url.subpath or None
        )
    distro, release = _distribution(namespace, qualifiers.get("distro", ""))
    source_name, source_version = _source(url.type, qualifiers.get("upstream", ""))
    return Package(
        type=url.type,
        namespace=namespace,
        name=name,
        version=version,
        arch=qualifiers.get("arch") or None,
        distro=distro,
        distro_version=release,
        source_name=source_name,
        source_version=source_version,
        subpath=url.subpath or None,
    )


def build(package: Package) -> str:
    """Write the package URL of a package; InvalidName when it cannot be written."""
    qualifiers: dict[str, str] = {}
    if package.arch:
        qualifiers["arch"] = package.arch
    if package.type in DISTRIBUTION_TYPES:
        if package.distro:
            release = f"-{package.distro_version}" if package.distro_version else ""
            qualifiers["distro"] = f"{package.distro}{release}"
        if package.source_name:
            origin = f"@{package.source_version}" if package.source_version else ""
            qualifiers["upstream"] = f"{package.source_name}{origin}"
    version = package.version
    if package.type == "rpm" and version and re.match(r"[0-9]+:", version):
        qualifiers["epoch"], version = version.split(":", 1)
    try:
        return PackageURL(
            type=package.type,
            namespace=package.namespace,
            name=package.name,
            version=version,
            qualifiers=qualifiers or None,
            subpath=package.subpath,
        ).to_string()
    except ValueError as reason:
        raise InvalidName(f"No package URL can be written for “{package.name[:120]}”: {reason}.") from reason


def canonical_name(ecosystem: str, name: str) -> str:
    """Give a package's name as `Product` wants it: the same for every spelling of the same package.

    Feeds and inventory both pass names through here, so that they meet. `name` is as the ecosystem
    writes it: `org.apache.logging.log4j:log4j-core`, `@angular/core`, `Flask_SQLAlchemy`.
    npm and Go keep their case: it tells old npm packages apart (`JSONStream`, `jsonstream`).
    """
    if ecosystem == "pypi":
        return _RUNS.sub("-", name).lower()
    if ecosystem in ("nuget", "composer"):
        return name.lower()
    return name


def ecosystem_of(distro: str, release: str | None) -> str | None:
    """Give the ecosystem of a distribution release, `debian:12`; None when the release is not said."""
    identity = _DISTRIBUTIONS.get(distro, distro)
    if identity in _ROLLING:
        return identity
    if not release:
        return None
    numbers = release.split(".")
    if identity in _PER_MAJOR:
        return f"{identity}:{numbers[0]}"
    if identity in _PER_MINOR:
        return f"{identity}:{'.'.join(numbers[:2])}"
    return f"{identity}:{release}"


def product_of(package: Package) -> Product | None:
    """Give the product that advisories would name, or None: an unknown type or release names none.

    Distribution packages are named by source where the URL says the source, else by their own name.
    """
    if package.type in LANGUAGE_TYPES:
        separator = ":" if package.type == "maven" else "/"
        full = f"{package.namespace}{separator}{package.name}" if package.namespace else package.name
        return Product(package.type, canonical_name(package.type, full))
    if package.type in DISTRIBUTION_TYPES and package.distro:
        ecosystem = ecosystem_of(package.distro, package.distro_version)
        return Product(ecosystem, package.source_name or package.name) if ecosystem else None
    return None


def _canonical_parts(kind: str, namespace: str | None, name: str) -> tuple[str | None, str]:
    if kind not in LANGUAGE_TYPES:
        return namespace, name
    return (canonical_name(kind, namespace) if namespace else None), canonical_name(kind, name)


def _name_as_written(text: str, lowered: str) -> str:
    """Undo the lower case that the grammar's reader gives npm names."""
    path = unquote(re.split("[?#]", text.strip(), maxsplit=1)[0])
    found = re.search(rf"/({re.escape(lowered)})(?:@|/*$)", path, re.IGNORECASE)
    return found[1] if found else lowered


def _with_epoch(version: str | None, epoch: str | None) -> str | None:
    """Put the `epoch` qualifier in front of a version that does not carry one; epoch 0 is no epoch."""
    if not version or not epoch or not _EPOCH.fullmatch(epoch) or re.match(r"[0-9]+:", version):
        return version
    return f"{epoch}:{version}"


def _distribution(namespace: str | None, qualifier: str) -> tuple[str | None, str | None]:
    """Read `debian-12`, `debian-bookworm` or `bookworm`; without a qualifier the namespace names it."""
    written = qualifier.strip().lower()
    for word in (written, written.rpartition("-")[2]):
        if word in _CODENAMES:
            return _CODENAMES[word]
    if match := _DISTRO.fullmatch(written):
        return _DISTRIBUTIONS.get(match[1], match[1]), match[2]
    identity = written or (namespace or "").lower()
    return (_DISTRIBUTIONS.get(identity, identity) or None), None


def _source(kind: str, upstream: str) -> tuple[str | None, str | None]:
    """Read `openssl`, `openssl@3.0.11-1` and, for rpm, `openssl-3.0.7-25.el9.src.rpm`."""
    written = upstream.split(",", maxsplit=1)[0].strip()
    if kind == "rpm" and (match := _SOURCE_RPM.fullmatch(written)):
        return match["name"], match["version"]
    name, _, version = written.partition("@")
    return name or None, version or None

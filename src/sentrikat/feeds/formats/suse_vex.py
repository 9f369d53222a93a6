"""One VEX document of SUSE (CSAF 2.0, profile csaf_vex) as an Advisory.

Source  https://ftp.suse.com/pub/projects/security/csaf-vex/; formats.csaf has what all publishers share

A platform is known by its name, which says edition, service pack and support line. Components are binary packages, and of
what is not repaired also the source package. Builds have no epoch and no architecture in their id.

    recommended, first_fixed, fixed   builds `name-version-release` that hold the repair: the lowest of them is where it began
    known_affected                    names without version; `no_fix_planned` says that there will be no repair
    known_not_affected                names without version
    under_investigation               names without version

All editions and support lines of a release are one stock of packages (formats.suse_products). A release past its general
support stays "affected" for ever where the repair went to LTSS: the same code, so the repair is what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sentrikat.domain.advisory import Advisory, Product, Remedy, Statement, Status
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import fields
from sentrikat.feeds.formats import csaf
from sentrikat.feeds.formats.csaf import Flaw, ProductTree
from sentrikat.feeds.formats.rpm_builds import unrepaired
from sentrikat.feeds.formats.suse_products import SuseRelease, release_of

_BUILD = re.compile(r"(?P<name>[^:/\s]+)-(?P<version>[^-:/\s]+)-(?P<release>[^-:/\s]+)")
_ARCH = re.compile(r"\.(?:x86_64|aarch64|ppc64le|s390x|i[3-6]86|noarch|src|nosrc)$")
_WITH_REPAIR = ("recommended", "first_fixed", "fixed")
_NO_REPAIR = frozenset({"none_available", "no_fix_planned", "fix_planned"})
# An id that was taken back keeps its document, with all its products; only the words of the CVE record say so.
_TAKEN_BACK = re.compile(
    r"\*\*\s*REJECT|DO NOT USE THIS (?:CANDIDATE NUMBER|CVE RECORD)|has been rejected or withdrawn",
    re.IGNORECASE,
)

Key = tuple[str, str]  # release, package


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of a package without a repair, and for which support line (None: for the release itself)."""

    status: Status
    remedy: Remedy | None
    note: str | None
    line: str | None


def advisory(document: Mapping[str, Any], source: str) -> Advisory:
    """Give the Advisory of one document; ValueError or KeyError where it breaks the form or contradicts itself."""
    flaws = fields.objects(document, "vulnerabilities")
    if not flaws:  # a flaw that no product of SUSE ever met: the document has a head and nothing else
        return _silent(fields.child(document, "document"), source)
    found = csaf.advisory(document, source, "SUSE", _statements)
    taken_back = found.description is not None and _TAKEN_BACK.search(found.description)
    return _without_statements(found) if taken_back else found


def _silent(head: Mapping[str, Any], source: str) -> Advisory:
    tracking = fields.child(head, "tracking")
    name = fields.cve(tracking, "id")
    return Advisory(
        source=source,
        id=name,
        vulnerabilities=(name,),
        description=csaf.description(head),
        modified=fields.moment(tracking, "current_release_date"),
    )


def _without_statements(found: Advisory) -> Advisory:
    return Advisory(
        source=found.source,
        id=found.id,
        vulnerabilities=found.vulnerabilities,
        description=found.description,
        modified=found.modified,
    )


def _statements(flaw: Flaw, tree: ProductTree) -> Iterator[Statement]:
    status = fields.child(flaw, "product_status")
    csaf.refuse_contradictions(status)
    builds, lines, sources = _repaired(status, tree)
    for key, versions in builds.items():
        own = lines[key]
        for span in unrepaired(versions, first_holds=True):
            yield Statement(
                Product(*key),
                Status.AFFECTED,
                span,
                remedy=Remedy.FIXED,
                note=None if None in own else ", ".join(sorted(one for one in own if one))[:300],
            )
    for key, said in _unrepaired(flaw, status, tree).items():
        if key in builds:
            continue  # repaired after all: the build is the better evidence
        if said.status is Status.AFFECTED and said.remedy is not Remedy.WILL_NOT_FIX and key in sources:
            continue  # the source of packages that are repaired under their own names
        yield Statement(
            Product(*key), said.status, VersionRange(Scheme.RPM), remedy=said.remedy, note=said.note
        )


def _repaired(
    status: Mapping[str, Any], tree: ProductTree
) -> tuple[dict[Key, list[str]], dict[Key, set[str | None]], set[Key]]:
    """Give the builds that hold the repair, the support lines they went to, and the sources they were built from."""
    builds: dict[Key, list[str]] = {}
    lines: dict[Key, set[str | None]] = {}
    sources: set[Key] = set()
    for product_id in fields.unique(one for kind in _WITH_REPAIR for one in fields.texts(status, kind)):
        for release, component in _resolved(product_id, tree):
            found = _BUILD.fullmatch(_ARCH.sub("", component))
            if found is None:
                continue  # "fixed" without a build: since when is not said
            source = _source(tree.purl(component))
            for name in (release.name, *release.others):
                key = (name, found["name"])
                builds.setdefault(key, []).append(f"{found['version']}-{found['release']}")
                lines.setdefault(key, set()).add(release.line)
                if source:
                    sources.add((name, source))
    return builds, lines, sources


def _unrepaired(flaw: Flaw, status: Mapping[str, Any], tree: ProductTree) -> dict[Key, _Said]:
    """Give what is said of packages without a repair.

    Where editions of a release differ the worse holds, and among equals what is said of the release itself.
    """
    said: dict[Key, _Said] = {}
    plans = [one for one in fields.objects(flaw, "remediations") if one.get("category") in _NO_REPAIR]
    words = csaf.reasons(plans, "details")
    never = {
        name
        for one in plans
        if one["category"] == "no_fix_planned"
        for name in fields.texts(one, "product_ids")
    }
    why = csaf.reasons(fields.objects(flaw, "flags"), "label")

    def take(product_id: str, kind: Status, remedy: Remedy | None, note: str | None) -> None:
        for release, component in _resolved(product_id, tree):
            for name in (release.name, *release.others):
                before, now = said.get((name, component)), _Said(kind, remedy, note, release.line)
                if (
                    before is None
                    or (before.status is kind and before.line is not None and now.line is None)
                    or before.status is not kind
                ):
                    said[name, component] = now

    # from the harmless to the worst, so that a later word replaces an earlier one
    for product_id in fields.texts(status, "known_not_affected"):
        label = why.get(product_id)
        note = label.replace("_", " ") if label else None
        take(product_id, Status.UNAFFECTED, Remedy.NOT_AFFECTED, note)
    for product_id in fields.texts(status, "under_investigation"):
        take(product_id, Status.INVESTIGATING, None, words.get(product_id))
    for product_id in fields.unique(
        one
        for kind in ("known_affected", "first_affected", "last_affected")
        for one in fields.texts(status, kind)
    ):
        usual = Remedy.WILL_NOT_FIX if product_id in never else Remedy.OPEN
        plan = words.get(product_id)
        remedy = csaf.REMEDIES.get((plan or "").strip().lower(), usual)
        take(product_id, Status.AFFECTED, remedy, plan)
    return said


def _resolved(product_id: str, tree: ProductTree) -> Iterator[tuple[SuseRelease, str]]:
    """Yield the release and the component of a product id; nothing for what no inventory of ours holds."""
    if product_id in tree.parts:
        component, platform = tree.parts[product_id]
        release = release_of(tree.names.get(platform, platform))
        if release is not None:
            yield release, component


def _source(purl: str | None) -> str | None:
    """Give the source package out of `pkg:rpm/suse/libpcre1@8.39-8.3.1?upstream=pcre-8.39-8.3.1.src.rpm`."""
    if purl is None:
        return None
    for part in purl.partition("?")[2].partition("#")[0].split("&"):
        label, _, value = part.partition("=")
        if label == "upstream":
            found = _BUILD.fullmatch(_ARCH.sub("", unquote(value).removesuffix(".rpm")))
            return found["name"] if found else None
    return None

"""Which updates are in effect on a machine, and which are missing: supersedence, closed over all sources' words.

Vendors drop old updates from their lists, agents name only the last one installed, and each source names only what an
update replaces directly. So three things together say what a machine has:

1. the chain: whoever has an update has everything it supersedes, however far back;
2. the build: an update that brings a build the system is at, or beyond, is there, listed or not;
3. the build again: an update that is listed but would have brought a higher build is not there. Histories also name
   installations that failed or wait for a restart.

Source  Microsoft, "Windows as a service": updates of Windows 10, Server 2016 and later are cumulative; "Simplified
        servicing for Windows 7 and Windows 8.1": Security Only and Monthly Rollup of a month repair the same
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from sentrikat.domain.advisory import VendorUpdate
from sentrikat.domain.matching.microsoft_products import WindowsSystem

Supersedence = Mapping[str, Sequence[str]]
"""For each update, those that some source says it supersedes."""

# Not offered to a running system: they come with the update they serve, or with the next release's setup.
_SERVING = frozenset({"servicingstackupdate", "setupdu"})
# Each Monthly Rollup holds all earlier ones, whether or not a list still says so.
_ROLLUP = "monthlyrollup"
# Repairs what the Monthly Rollup of the month repairs, for those who want nothing else; Windows Update offers the
# rollup only.
_SECURITY_ONLY = "securityonly"


@dataclass(frozen=True, slots=True)
class MissingUpdate:
    """An update to install. `repairs` are the flaws it brings a repair for, itself or by what it supersedes."""

    name: str
    product: str
    kind: str | None
    released: date | None
    fixed_build: str | None
    repairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedUpdates:
    """What the vendor's own catalog says of one system: what is offered, and what it has been replaced by.

    `named`      every update of the system it holds
    `replaced`   those that are not offered any more, because something newer holds them
    `kinds`      what an update's title says it is, where that matters
    `until`      the day of its newest update; of later ones it says nothing
    """

    named: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)
    supersedes: Supersedence = field(default_factory=dict)
    until: date | None = None

    @classmethod
    def of(cls, updates: Iterable[VendorUpdate]) -> OfferedUpdates:
        """Put it together from the catalog's updates of a system."""
        known = list(updates)
        older: dict[str, Sequence[str]] = {}
        for one in known:
            older[one.name] = (*older.get(one.name, ()), *one.supersedes)
        kinds = {one.name: _kind(one) for one in known if one.kind}
        # A Security Only update is for those who choose it: beside it, what it replaces is offered to all others.
        replaced = {
            name for newer, names in older.items() if kinds.get(newer) != _SECURITY_ONLY for name in names
        }
        return cls(
            named=frozenset(older),
            replaced=frozenset(replaced),
            kinds=kinds,
            supersedes=older,
            until=max((one.released for one in known if one.released is not None), default=None),
        )

    def offers(self, said: Sequence[VendorUpdate], *, cumulative: bool) -> bool:
        """Say whether an update is offered at all, as far as the catalog can tell; `said` is all that is said of it.

        Where updates are cumulative, the catalog drops a release's old ones while the release still gets them; what
        it lacks is then no evidence.
        """
        name = said[0].name
        if self.kinds.get(name) == _SECURITY_ONLY:
            return False
        if self.until is None or cumulative or name in self.named:
            return True
        days = [one.released for one in said if one.released is not None]
        return not days or min(days) > self.until


def joined(one: Supersedence, other: Supersedence) -> Supersedence:
    """Give what either says."""
    both = dict(one)
    for name, older in other.items():
        both[name] = (*both.get(name, ()), *older)
    return both


def with_rollups(supersedes: Supersedence, offers: Iterable[VendorUpdate]) -> dict[str, Sequence[str]]:
    """Give `supersedes` with every Monthly Rollup after the one before it, product by product."""
    rollups: dict[str, dict[str, date]] = {}
    for one in offers:
        if one.released is not None and _kind(one) == _ROLLUP:
            days = rollups.setdefault(one.product.name, {})
            days[one.name] = min(one.released, days.get(one.name, one.released))
    joined = dict(supersedes)
    for days in rollups.values():
        for older, newer in pairwise(sorted(days, key=lambda name: (days[name], name))):
            joined[newer] = (*joined.get(newer, ()), older)
    return joined


def older_than(update: str, supersedes: Supersedence) -> set[str]:
    """Give everything an update makes needless, directly and through what it supersedes."""
    seen: set[str] = set()
    waiting = [update]
    while waiting:
        for one in supersedes.get(waiting.pop(), ()):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    seen.discard(update)  # some sources' chains close into a ring
    return seen


def held_updates(
    installed: Iterable[str],
    supersedes: Supersedence,
    system: WindowsSystem | None = None,
    offers: Iterable[VendorUpdate] = (),
) -> frozenset[str]:
    """Give every update in effect, of those `installed` as reported; `offers` are the system's own updates."""
    reached = _builds_reached(system, offers)
    held = {name for name, is_reached in reached.items() if is_reached}
    for name in set(installed):
        if reached.get(name) is None and any(
            reached.get(one) is False for one in older_than(name, supersedes)
        ):
            continue  # it would have brought a build beyond the one there is
        if reached.get(name) is not False:
            held.add(name)
    for name in list(held):
        # What the build denies stays denied, whatever a chain says.
        held |= {one for one in older_than(name, supersedes) if reached.get(one) is not False}
    return frozenset(held)


def _builds_reached(system: WindowsSystem | None, offers: Iterable[VendorUpdate]) -> dict[str, bool]:
    """Say of each update that brings a build of this system's own release whether the system is at it."""
    if system is None or system.revision is None:
        return {}
    lowest: dict[str, int] = {}
    for one in offers:
        revision = _revision(one.fixed_build, system.build)
        if revision is not None:
            lowest[one.name] = min(revision, lowest.get(one.name, revision))
    return {name: revision <= system.revision for name, revision in lowest.items()}


def _revision(fixed_build: str | None, build: int) -> int | None:
    """Give the revision of a fixed build such as 10.0.19045.3930; None for another release's."""
    parts = (fixed_build or "").split(".")
    if len(parts) != 4 or parts[2] != str(build):
        return None
    return int(parts[3])


def missing_updates(
    offers: Iterable[VendorUpdate],
    held: frozenset[str],
    supersedes: Supersedence,
    *,
    cumulative: bool,
    catalog: OfferedUpdates | None = None,
) -> tuple[MissingUpdate, ...]:
    """Give the fewest updates that bring the system up to date, the ones that repair most first.

    `offers` are all updates of the system's products, `held` those in effect. What another missing update supersedes
    is left out, and so are servicing stacks and Security Only updates. Where updates are cumulative, also what
    repairs nothing that the others do not: hotpatches, and monthly updates a chain has lost. The vendor's `catalog`, where
    it is known, says what is not offered any more.
    """
    catalog = catalog or OfferedUpdates()
    offered: dict[str, list[VendorUpdate]] = {}
    for one in offers:
        offered.setdefault(one.name, []).append(one)
    repairs = {name: {flaw for one in said for flaw in one.vulnerabilities} for name, said in offered.items()}
    repaired = {flaw for name in held for flaw in repairs.get(name, ())} if cumulative else set()
    wanted = {
        name
        for name, said in offered.items()
        if name not in held and not _is_never_offered(said) and catalog.offers(said, cumulative=cumulative)
    }
    reach = {name: older_than(name, supersedes) for name in wanted}
    # Of a ring, in which each supersedes the other, none is needless because of the other.
    needless = {older for name in wanted for older in reach[name] if name not in reach.get(older, ())}
    top = sorted(wanted - needless - catalog.replaced)
    brings = {
        name: set().union(repairs[name], *(repairs.get(one, ()) for one in reach[name] - held)) - repaired
        for name in top
    }
    chosen: list[str] = []
    covered: set[str] = set()
    for name in sorted(top, key=lambda one: (-len(brings[one]), -number_of(one))):
        if not cumulative or brings[name] - covered:
            chosen.append(name)
            covered |= brings[name]
    return tuple(missing_update(name, offered[name], brings[name]) for name in chosen)


def _is_never_offered(said: Sequence[VendorUpdate]) -> bool:
    kinds = {_kind(one) for one in said} - {""}
    return bool(kinds) and all(kind in _SERVING or kind.endswith(_SECURITY_ONLY) for kind in kinds)


def _kind(update: VendorUpdate) -> str:
    return (update.kind or "").replace(" ", "").lower()


def number_of(name: str) -> int:
    """Give the number of an update; numbers grow with time."""
    digits = "".join(char for char in name if char.isdigit())
    return int(digits or 0)


def missing_update(name: str, said: Sequence[VendorUpdate], brings: Iterable[str]) -> MissingUpdate:
    """Put together what all sources say of an update that is missing."""
    days = [one.released for one in said if one.released is not None]
    return MissingUpdate(
        name=name,
        product=min(one.product.name for one in said),
        kind=next((one.kind for one in said if one.kind), None),
        released=min(days, default=None),
        fixed_build=next((one.fixed_build for one in said if one.fixed_build), None),
        repairs=tuple(sorted(brings)),
    )

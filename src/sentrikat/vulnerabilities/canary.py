"""What a run would change, whether that is what this feed usually does, and whether it may go live.

A run is one transaction, so its whole effect, findings included, is measured inside it before anybody sees it. What
looks wrong is a `Remark`; one that `holds` keeps a feed that was filled before from going live (`candidates`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from importlib.resources import files
from statistics import median
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

FEWEST_RECORDS = 20  # a share of fewer is chance
FEWEST_FINDINGS = 100
HISTORY = 10  # runs a volume is compared with
MOST_NAMES = 20  # of unfamiliar fields, kept and shown


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a run is suspicious; shares 0..1. The settings of the same names say why."""

    withdrawn_share: float = 0.05
    closing_share: float = 0.10
    opening_share: float = 1.0
    shrunken_share: float = 0.20
    quarantined_share: float = 0.05
    drift_share: float = 0.005
    largest_candidate: int = 1024**3  # bytes of documents kept of a held run
    undoable_for: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class FindingsChange:
    """What a run does to findings: of assets, and distinct pairs of component and flaw.

    `exploited` of the pairs are about flaws known to be exploited. `open_before` is None where too little moves
    to ask for it.
    """

    opened: int = 0
    closed: int = 0
    pairs_opened: int = 0
    pairs_closed: int = 0
    exploited: int = 0
    open_before: int | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a run changes, measured before it goes live."""

    records: int = 0  # that the run read
    records_before: int = 0  # held
    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    statements_opened: int = 0
    statements_closed: int = 0
    flaws: int = 0
    products: int = 0
    quarantined: int = 0
    findings: FindingsChange = field(default_factory=FindingsChange)

    def words(self) -> str:
        """Say it in one line: +412 / -77 findings, 3 exploited."""
        found = self.findings
        if not (
            found.pairs_opened
            or found.pairs_closed
            or found.opened
            or found.closed
            or self.withdrawn
            or self.statements_opened
            or self.statements_closed
        ):
            return "changed no finding and no statement"
        return (
            f"+{found.pairs_opened:,} / -{found.pairs_closed:,} findings, {found.exploited:,} exploited; on assets"
            f" +{found.opened:,} / -{found.closed:,}; {self.withdrawn:,} records withdrawn,"
            f" +{self.statements_opened:,} / -{self.statements_closed:,} statements about {self.flaws:,} flaws"
        )

    def as_json(self) -> dict[str, Any]:
        """Give it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Effect:
        """Read what `as_json` wrote."""
        return cls(**{**stored, "findings": FindingsChange(**stored["findings"])})


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is not as usual. `state` is what the feed is then called: shrunken or drifted."""

    code: str
    state: str
    words: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A flaw and a product that a healthy feed speaks of; without product: a flaw it has a fact about."""

    vulnerability: str
    ecosystem: str | None = None
    product: str | None = None

    def words(self) -> str:
        """Name it."""
        return f"{self.vulnerability} of {self.product}" if self.product else self.vulnerability


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a healthy feed brings: `whole` feeds bring everything each time, so their size can be compared."""

    whole: bool = False
    least_records: int = 0  # of a whole run while there is no history
    canaries: tuple[Pair, ...] = ()


@cache
def expectations() -> dict[str, Expectation]:
    """Give what is expected of each feed, from the reviewed file beside this module."""
    stored = json.loads(files("sentrikat.vulnerabilities").joinpath("expectations.json").read_text("utf-8"))
    return {
        name: Expectation(
            whole=one["whole"],
            least_records=one["least_records"],
            canaries=tuple(
                Pair(c["vulnerability"], c.get("ecosystem"), c.get("product")) for c in one["canaries"]
            ),
        )
        for name, one in stored["feeds"].items()
    }


def expectation_of(feed: str) -> Expectation:
    """Give what is expected of a feed; nothing of one the file does not name."""
    return expectations().get(feed, Expectation())


_PRESENT = text("""
select w.number from unnest(cast(:flaws as text[]), cast(:ecosystems as text[]), cast(:products as text[]))
    with ordinality as w(flaw, ecosystem, product, number)
join vulnerability n on n.name = w.flaw
where case when w.product is null
    then n.epss is not null and :source = 'epss'
        or exists (select from enrichment e where e.vulnerability_id = n.id and e.source = :source and e.valid_to is null)
    else exists (
        select from product p join affected_range r on r.product_id = p.id
        where p.ecosystem = w.ecosystem and p.name = w.product and r.source = :source and r.valid_to is null
          and r.vulnerability_id in (n.id, n.same_as_id)) end
""")


def present_canaries(session: Session, feed: str) -> frozenset[Pair]:
    """Give which of a feed's canaries are in what is held of it."""
    wanted = expectation_of(feed).canaries
    if not wanted:
        return frozenset()
    numbers = session.scalars(
        _PRESENT,
        {
            "source": feed,
            "flaws": [one.vulnerability for one in wanted],
            "ecosystems": [one.ecosystem for one in wanted],
            "products": [one.product for one in wanted],
        },
    )
    return frozenset(wanted[number - 1] for number in numbers)


# Since somebody last let an unusual run live: what they accepted is the new usual.
_VOLUMES = text("""
select records from feed_run
where feed = :feed and outcome = 'succeeded' and transport <> 'rollback' and records > 0
  and not coalesce((remarks->>'cut')::boolean, false)
  and id >= coalesce((select max(id) from feed_run where feed = :feed and remarks ? 'accepted_by'), 0)
order by id desc limit :limit
""")


def usual_volume(session: Session, feed: str) -> int | None:
    """Give how many records a whole run of this feed usually has; None where that says nothing."""
    if not expectation_of(feed).whole:
        return None
    volumes = session.scalars(_VOLUMES, {"feed": feed, "limit": HISTORY}).all()
    return int(median(volumes)) if volumes else None


@dataclass(frozen=True, slots=True)
class Noticed:
    """What is known of a run besides its effect."""

    whole: bool  # nothing of its documents was cut away
    filled: bool  # the feed held everything before, so less is less
    usual: int | None  # records
    canaries_before: frozenset[Pair]
    canaries_after: frozenset[Pair]
    unfamiliar: Mapping[
        str, int
    ]  # fields and words the parser does not know, with how many records have them


def judge(feed: str, effect: Effect, noticed: Noticed, limits: Limits) -> list[Remark]:
    """Say what is not as usual about a run, the gravest first."""
    return [
        *_withdrawals(effect, limits),
        *_volume(feed, effect, noticed, limits),
        *_missing(feed, noticed),
        *_movements(effect.findings, limits),
        *_drift(effect, noticed, limits),
    ]


def _withdrawals(effect: Effect, limits: Limits) -> list[Remark]:
    gone, before = effect.withdrawn, effect.records_before
    if gone < FEWEST_RECORDS or gone <= before * limits.withdrawn_share:
        return []
    words = f"{gone:,} of {before:,} records would be withdrawn; more than {limits.withdrawn_share:.0%} is unusual"
    return [Remark("withdrawn", "shrunken", words, holds=True)]


def _volume(feed: str, effect: Effect, noticed: Noticed, limits: Limits) -> list[Remark]:
    if not noticed.whole:
        return []
    if noticed.usual is None:
        least = expectation_of(feed).least_records
        if effect.records >= least:
            return []
        words = f"it holds {effect.records:,} records; a whole one has at least {least:,}"
        return [Remark("volume", "shrunken", words, holds=False)]
    missing = noticed.usual - effect.records
    if missing < FEWEST_RECORDS or missing <= noticed.usual * limits.shrunken_share:
        return []
    words = f"it holds {effect.records:,} records; its last runs had {noticed.usual:,}"
    return [Remark("volume", "shrunken", words, holds=True)]


def _missing(feed: str, noticed: Noticed) -> list[Remark]:
    lost = noticed.canaries_before - noticed.canaries_after
    if not lost and not (noticed.whole or noticed.filled):
        return []
    missing = lost or frozenset(expectation_of(feed).canaries) - noticed.canaries_after
    if not missing:
        return []
    named = ", ".join(sorted(one.words() for one in missing)[:3])
    words = f"{named}: a healthy feed speaks of {'it' if len(missing) == 1 else 'them'}, this one does not"
    # What was missing all along is told, and stands in the way of nothing.
    return [Remark("canary", "shrunken", words, holds=bool(lost))]


def _movements(found: FindingsChange, limits: Limits) -> list[Remark]:
    before = found.open_before
    if before is None:
        return []
    remarks = []
    if found.closed >= FEWEST_FINDINGS and found.closed > before * limits.closing_share:
        words = (
            f"{found.closed:,} of {before:,} open findings would close;"
            f" more than {limits.closing_share:.0%} at once is unusual"
        )
        remarks.append(Remark("closing", "shrunken", words, holds=True))
    if found.opened >= FEWEST_FINDINGS and found.opened > before * limits.opening_share:
        words = (
            f"{found.opened:,} findings would open beside {before:,};"
            f" more than {limits.opening_share:.0%} at once is unusual"
        )
        remarks.append(Remark("opening", "drifted", words, holds=True))
    return remarks


def _drift(effect: Effect, noticed: Noticed, limits: Limits) -> list[Remark]:
    remarks = []
    total = effect.records + effect.quarantined
    bad = effect.quarantined
    if bad >= FEWEST_RECORDS and bad > total * limits.drift_share:
        words = f"{bad:,} of {total:,} records break their form"
        remarks.append(Remark("quarantined", "drifted", words, holds=bad > total * limits.quarantined_share))
    strange = {
        name: count
        for name, count in noticed.unfamiliar.items()
        if count >= FEWEST_RECORDS and count > total * limits.drift_share
    }
    if strange:
        named = ", ".join(f"{name} ({count:,})" for name, count in sorted(strange.items())[:5])
        words = f"records have what this version does not know: {named}"
        remarks.append(Remark("unfamiliar", "drifted", words, holds=False))
    return remarks

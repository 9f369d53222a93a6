"""What the sources say, as four kinds of record, because they are different facts.

`Advisory`        these versions of this product have (or do not have) this flaw
`Enrichment`      a fact about the flaw itself: exploited since, likelihood, decision points, a published exploit
`CatalogueEntry`  a product exists, and is called so
`SameFlaw`        two names stand for one flaw, and nothing more is said

Feeds yield them, `vulnerabilities` and `catalogue` store them, `matching` judges by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sentrikat.domain.lifecycle import Cycle
from sentrikat.domain.ranges import VersionRange


@dataclass(frozen=True, slots=True, order=True)
class Product:
    """What an advisory talks about: a name within an ecosystem.

    ecosystem       name
    `debian:12`     source package; also ubuntu:22.04, alpine:3.18, rhel:9, almalinux:9, rocky:9,
                    sles:15.4, opensuse-leap:15.4, amzn:2023, wolfi: os-release ID, colon, VERSION_ID
                    (major version only where advisories are made per major: debian, rhel, almalinux, rocky);
                rhel-eus:9.2, also -aus, -tus, -e4s, -els: the streams that are repaired past their minor release
    `pypi`          PEP 503 name; also npm, maven (group:artifact), golang, cargo, nuget (lower case),
                    gem, composer (lower case vendor/name): the purl types
    `cpe:a`         vendor:product as they stand in the CPE 2.3 formatted string, escapes kept,
                    lower case; also cpe:o, cpe:h
    `cve5`          vendor:product in free words of a CVE record, lower case
    `msrc`          Microsoft's own product title, one per release, edition and architecture, lower case
    `update`        an update a vendor offers, such as kb5034122: only conditions name it
    `update-catalog` a Windows under Microsoft's title, of which the catalog says what it still offers
    """

    ecosystem: str
    name: str


class Status(StrEnum):
    """What a statement says of the versions it covers."""

    AFFECTED = "affected"
    UNAFFECTED = "unaffected"
    INVESTIGATING = "under_investigation"


class Remedy(StrEnum):
    """What the source says of a repair for this product."""

    FIXED = "fixed"  # `versions.fixed` names the first good version
    OPEN = "open"  # affected, no repair yet
    DEFERRED = "deferred"  # affected, repair postponed
    WILL_NOT_FIX = "will_not_fix"
    END_OF_LIFE = "end_of_life"  # the source no longer maintains this release
    NOT_AFFECTED = "not_affected"


@dataclass(frozen=True, slots=True)
class Term:
    """A platform named in a condition: any version of `product`, or only those in `versions`.

    `target` are the other CPE attributes the criterion fixes, see `Statement.target`.
    """

    product: Product
    versions: VersionRange | None = None
    target: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TermGroup:
    """Holds when any term holds (or, negated, when none does)."""

    terms: tuple[Term, ...]
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """The other things an asset must run for a statement to apply: every group must hold."""

    groups: tuple[TermGroup, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One source's word on a span of versions of one product.

    `versions`   without any end it covers every version; sources also use that form for
                 "nobody said which", so `described` is False where the source gave no bounds
                 for a product that has versions (a CPE with version `*` and no range)
    `target`     CPE attributes the source fixed beyond version: sorted (attribute, value) pairs out of
                 update, edition, language, sw_edition, target_sw, target_hw, other; values as in the
                 formatted string. `*` is left out, `-` (not applicable) is kept.
    `module`     rpm modularity label `name:stream` the statement is limited to; empty: to packages of no module
    `arch`       architectures the statement is limited to; empty: all
    `condition`  what else the asset must run
    `note`       the source's own words on why (urgency, vendor justification), short
    """

    product: Product
    status: Status
    versions: VersionRange
    described: bool = True
    remedy: Remedy | None = None
    target: tuple[tuple[str, str], ...] = ()
    module: str | None = None
    arch: tuple[str, ...] = ()
    condition: Condition | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """One CVSS vector with whose it is.

    `provider` is NVD, CNA name, CISA-ADP ...; `primary` as the source marks it; `score` 0.0..10.0.
    """

    version: str  # "2.0" | "3.0" | "3.1" | "4.0"
    vector: str
    score: float
    severity: str  # none | low | medium | high | critical
    provider: str
    primary: bool = False


@dataclass(frozen=True, slots=True)
class VendorUpdate:
    """An update a vendor offers for one of its products.

    `name`             as people call it: KB5034122
    `kind`             in the vendor's words: Security Only, Monthly Rollup, Servicing Stack Update
    `fixed_build`      the version the product has once it is installed
    `supersedes`       updates it makes needless, as this source names them: never the whole chain
    `vulnerabilities`  what it repairs in this product; CVE ids
    """

    name: str
    product: Product
    kind: str | None = None
    released: date | None = None
    fixed_build: str | None = None
    supersedes: tuple[str, ...] = ()
    vulnerabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advisory:
    """One record of one source about one or more flaws.

    `vulnerabilities`  the ids the statements are about: CVE ids where the record names them, else its
                       own id. A distribution advisory that repairs many CVEs names all of them here.
                       Empty where a record is about updates only.
    `aliases`          other ids of the *same* flaw, as the record asserts (never `related`)
    `rejected`         the id was withdrawn as not being a vulnerability
    """

    source: str
    id: str
    vulnerabilities: tuple[str, ...]
    statements: tuple[Statement, ...] = ()
    aliases: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    published: datetime | None = None
    modified: datetime | None = None
    withdrawn: datetime | None = None
    rejected: bool = False
    scores: tuple[Score, ...] = ()
    weaknesses: tuple[str, ...] = ()  # CWE-79
    references: tuple[str, ...] = ()
    updates: tuple[VendorUpdate, ...] = ()


@dataclass(frozen=True, slots=True)
class Exploitation:
    """Known to be exploited, says a catalogue. `due` is the catalogue's own date, kept as published.

    Whose catalogue is the record's source: each asserter has a row of its own, and only CISA's (`kev`) is the KEV
    that BOD 26-04 asks for.
    """

    since: date
    due: date | None
    ransomware: bool
    action: str
    name: str = ""
    vendor: str = ""
    product: str = ""
    notes: str = ""
    forensic_triage: bool | None = None


@dataclass(frozen=True, slots=True)
class Likelihood:
    """EPSS. `probability` 0..1: exploited in the next 30 days; `percentile` 0..1."""

    probability: float
    percentile: float
    model_version: str
    scored_on: date


@dataclass(frozen=True, slots=True)
class DecisionPoints:
    """SSVC as CISA publishes it; values lower case. None: not stated."""

    exploitation: str | None  # none | poc | active
    automatable: bool | None
    technical_impact: str | None  # partial | total
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PublishedExploit:
    """Code or a module that exploits the flaw is public. It is metadata and decides no verdict.

    `first_published`  None where the source does not say when it published
    `references`       pages about the exploits, the first few of `count`
    `verified`         the source tried at least one of them
    """

    count: int
    first_published: date | None
    references: tuple[str, ...]
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Enrichment:
    """A fact about a flaw from one source; exactly one of the four is set."""

    source: str
    vulnerability: str
    exploitation: Exploitation | None = None
    likelihood: Likelihood | None = None
    decision_points: DecisionPoints | None = None
    published_exploit: PublishedExploit | None = None


@dataclass(frozen=True, slots=True)
class SameFlaw:
    """`source` says that `name` and `alias` are one flaw; a list of names says nothing else of it."""

    source: str
    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A product exists. `title` is what people call it, `vendor` who makes it, in words.

    `target_software`  what its names are made for, as CPE writes it: windows, wordpress, `*` for anything;
                       empty: the source does not say
    `live`             False: the source deprecated every name it gave of the product
    `replaced_by`      the product that took the place of one that is not live
    """

    source: str
    product: Product
    title: str | None = None
    vendor: str | None = None
    end_of_life: date | None = None
    target_software: tuple[str, ...] = ()
    live: bool = True
    replaced_by: Product | None = None


@dataclass(frozen=True, slots=True)
class ReleaseCycles:
    """All releases of one product, as `source` lists them now: what is missing it no longer lists.

    `product` is the source's own name of it; `products` are those whose versions tell the cycle.
    """

    source: str
    product: str
    cycles: tuple[Cycle, ...]
    products: tuple[Product, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltFrom:
    """`source` says that in `release` the binary package `binary` is built from the source package `package`."""

    source: str
    release: str
    binary: str
    package: str


Record = Advisory | Enrichment | CatalogueEntry | SameFlaw | ReleaseCycles | BuiltFrom

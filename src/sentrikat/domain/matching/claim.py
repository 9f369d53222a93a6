"""A statement as the judge reads it, and what a component is taken to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sentrikat.domain.advisory import Condition, Product, Remedy, Status
from sentrikat.domain.versions import Scheme

# A release that another is made from, or that came after an ended one: what is said of it is heard after everything
# said of the release itself.
LATER_METHODS = ("later_package", "later_source")
PARENT_METHODS = ("parent_package", "parent_source", *LATER_METHODS)
PARENT_DISTANCE = 10  # more than the last rank of any source


class Strength(IntEnum):
    """How much a claim that covers the version weighs against others of the same source.

    Bounds beat blanket words: a record that says "all versions, but not from 5.2 on" means the exception, and
    one that says "not affected, but 4.0 to 4.3 are" means that exception.
    """

    NONE = 0  # names no versions, or is still being looked into: decides nothing
    BLANKET = 1  # affected, whatever the version
    EXEMPT = 2  # not affected
    BOUNDED = 3  # affected, and the source named which versions


@dataclass(frozen=True, slots=True)
class Claim:
    """One source's word on a span of versions of one product, with the span as keys `[lo, hi)`."""

    id: int
    vulnerability: str
    source: str
    advisory: str
    rank: int
    product: Product
    status: Status
    described: bool
    remedy: Remedy | None
    scheme: Scheme
    lo: bytes
    hi: bytes | None
    introduced: str | None = None
    introduced_excluded: bool = False
    fixed: str | None = None
    last_affected: str | None = None
    target: tuple[tuple[str, str], ...] = ()
    module: str | None = None
    condition: Condition | None = None
    condition_id: int | None = None
    note: str | None = None
    received_at: datetime | None = None

    def covers(self, version_key: bytes) -> bool:
        """Say whether the span holds a version."""
        return self.lo <= version_key and (self.hi is None or version_key < self.hi)

    @property
    def strength(self) -> Strength:
        """What the claim weighs where it covers a version."""
        if not self.described or self.status is Status.INVESTIGATING:
            return Strength.NONE
        if self.status is Status.UNAFFECTED:
            return Strength.EXEMPT
        return Strength.BLANKET if self.lo == b"" and self.hi is None else Strength.BOUNDED


@dataclass(frozen=True, slots=True)
class Identity:
    """What identification made of a component: a product, and the version as that product's key.

    `context` are the os family and the component's own CPE target attributes, see `target_context`.
    `judged` False: the identity only serves platform conditions.
    """

    product: Product
    scheme: Scheme
    version: str
    version_key: bytes
    method: str
    confidence: float
    cpe: str | None = None
    context: str = ""
    judged: bool = True

    @property
    def distance(self) -> int:
        """How much later than its source's rank a claim is heard that applies through this identity."""
        return PARENT_DISTANCE if self.method in PARENT_METHODS else 0

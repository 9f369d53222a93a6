"""What people know better than any search: software of this title, maker or bundle id is this product, or none.

Reviewed corrections ship with the product (catalogue.corrections), local ones belong to an organization
(inventory.corrections). Both use the same patterns: `*` stands for any text, letters count alike in both cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sentrikat.domain.inventory import APPLICATION_KINDS, Component

UNLISTED = "unlisted"  # no source speaks of it, as far as somebody knows
IGNORED = "ignored"  # it is not to be judged: in-house software, an installer's remains

CORRECTABLE = APPLICATION_KINDS | {"cpe"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which software a correction is about; what is None does not matter."""

    title: str | None = None
    vendor: str | None = None
    bundle_id: str | None = None

    def matches(self, component: Component) -> bool:
        """Say whether the correction is about a component."""
        if component.kind not in CORRECTABLE:
            return False
        pairs = (
            (self.title, component.name),
            (self.vendor, component.vendor),
            (self.bundle_id, component.bundle_id),
        )
        return any(self._given()) and all(
            wanted is None or _expression(wanted).fullmatch(said or "") is not None for wanted, said in pairs
        )

    def _given(self) -> tuple[str | None, ...]:
        return (self.title, self.vendor, self.bundle_id)


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    """Give a pattern as an expression; a value that is there may be empty only where the pattern allows it.

    Each part between stars is taken where it first occurs, and never looked for again (an atomic group): no later
    place could let more of the pattern fit. Else `*a*a*a*a*b` would try every way to lay its parts over a long name,
    and one organization's pattern would hold the worker of all for ever.
    """
    first, *rest = map(re.escape, pattern.strip().split("*"))
    if not rest:
        return re.compile(first, re.IGNORECASE)
    *middle, last = rest
    parts = "".join(f"(?>.*?{part})" for part in middle if part)
    return re.compile(f"{first}{parts}.*{last}", re.IGNORECASE | re.DOTALL)

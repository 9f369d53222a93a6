"""The order of priority: one order for every list, export and mail, and it can be explained.

Compare two findings column by column; the first that differs decides. Larger comes first.

    column        values                                         bits of `priority_rank`
    exploited     1 in CISA's or ENISA's catalog of exploited flaws 48
    ransomware    1 used in ransomware campaigns, else 0            47
    tier          emergency 4 .. routine 0                          44-46
    exposure      public 2, unknown 1, internal 0                   42-43
    epss          0..100000, hundred-thousandths; unknown 0         25-41
    cvss          0..100, tenths; unknown 50                        18-24
    criticality   of the asset, 0..4; unknown 2                     15-17
    sooner        0..32767, smaller for a later due date; none 0     0-14
    id            the finding's, last, so that the order is total   not in the rank

Why no "overdue" column: it would change at midnight with nothing having happened, so nothing could
be stored; and where 128 findings are overdue it says nothing. The due date is in the order as a date,
and the tier, which the same policy set, is in it near the top. So among overdue findings what matters
decides, and among equals the one that is overdue longest comes first.

"Exploited" does not ask whose catalog it is: attackers do not either, and an organization in Europe must not read a
flaw behind others because CISA, which lists what concerns agencies of the United States, has not listed it. Deadlines
do ask: BOD 26-04 knows CISA's KEV alone, so of two exploited flaws the one in KEV comes first by its tier. A published
exploit is no column: EPSS, which is one, already weighs it.

Version 1 looked at CISA's catalog only.

An unknown CVSS ranks as 5.0: new flaws are often unscored, and unscored is not harmless. An unknown
EPSS ranks as 0: FIRST scores every published CVE daily, so what has none is seldom a CVE at all.

SQL sorts lists by `priority DESC, id DESC`, pages with `(priority, id) < (:priority, :id)`, and the
rank is written when an input changes. (In SQL `<<` and `|` bind alike, from the left: parenthesize
each shift.) A change to this order is a new PRIORITY_ORDER_VERSION.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from typing import NamedTuple

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.prioritization.outcome import Outcome

PRIORITY_ORDER_VERSION = 2

EPSS_STEPS = 100_000  # FIRST publishes five decimals
CVSS_UNKNOWN = 5.0
CRITICALITY_UNKNOWN = 2
_FIRST_DAY = date(2010, 1, 1)
_LAST_STEP = 32_767  # days, so up to 2099


class Tier(IntEnum):
    """How urgent the binding outcome is, in five steps; the number is stored, the `word` is shown."""

    EMERGENCY = 4  # 3 days or less, and a forensic triage
    URGENT = 3  # 3 days or less
    EXPEDITED = 2  # up to 14 days
    SCHEDULED = 1  # up to 90 days
    ROUTINE = 0  # longer, at the next upgrade, or no deadline

    @property
    def word(self) -> str:
        """Give the word to show."""
        return self.name.lower()


class Exposure(StrEnum):
    """Whether an asset can be reached by everybody."""

    PUBLIC = "public"
    UNKNOWN = "unknown"
    INTERNAL = "internal"


_EXPOSURE_RANK = {Exposure.PUBLIC: 2, Exposure.UNKNOWN: 1, Exposure.INTERNAL: 0}


@dataclass(frozen=True, slots=True)
class PriorityInputs:
    """What the order looks at, for one finding. None: not known.

    `epss` 0..1, `cvss` 0..10, `criticality` of the asset 1 (low) .. 4 (mission-critical), `id` the finding's.
    """

    exploited: bool = False
    ransomware: bool = False
    tier: Tier = Tier.ROUTINE
    exposure: Exposure = Exposure.UNKNOWN
    epss: float | None = None
    cvss: float | None = None
    criticality: int | None = None
    due_on: date | None = None
    id: int = 0


class PriorityKey(NamedTuple):
    """The columns of the order; a larger tuple comes first."""

    exploited: int
    ransomware: int
    tier: int
    exposure: int
    epss: int
    cvss: int
    criticality: int
    sooner: int
    id: int


@dataclass(frozen=True, slots=True)
class Priority:
    """A place in the order, and the sentences that explain it, most important first."""

    key: PriorityKey
    reasons: tuple[str, ...]


def tier_of(outcome: Outcome | None, days: int | None = None) -> Tier:
    """Give the tier of the binding outcome; `days` says how many, where it prints a date instead."""
    if outcome is None:
        return Tier.ROUTINE
    allowed = outcome.days if outcome.days is not None else days
    if allowed is None or allowed > 90:
        return Tier.ROUTINE
    if allowed > 14:
        return Tier.SCHEDULED
    if allowed > 3:
        return Tier.EXPEDITED
    return Tier.EMERGENCY if outcome.forensic else Tier.URGENT


def priority(inputs: PriorityInputs) -> Priority:
    """Give a finding's place in the order, with reasons; InvalidInput for values outside their scale."""
    return Priority(_key(inputs), _reasons(inputs))


def priority_rank(inputs: PriorityInputs) -> int:
    """Give the place as one integer below 2**49, larger first: the key without `id`, packed as the table says."""
    key = _key(inputs)
    rank = key.exploited
    for value, width in (
        (key.ransomware, 1),
        (key.tier, 3),
        (key.exposure, 2),
        (key.epss, 17),
        (key.cvss, 7),
        (key.criticality, 3),
        (key.sooner, 15),
    ):
        rank = rank << width | value
    return rank


def _key(inputs: PriorityInputs) -> PriorityKey:
    return PriorityKey(
        exploited=int(inputs.exploited),
        ransomware=int(inputs.ransomware),
        tier=int(inputs.tier),
        exposure=_EXPOSURE_RANK[inputs.exposure],
        epss=_steps("epss", inputs.epss, 0.0, 1.0, EPSS_STEPS),
        cvss=_steps("cvss", inputs.cvss, CVSS_UNKNOWN, 10.0, 10),
        criticality=_criticality(inputs.criticality),
        sooner=_sooner(inputs.due_on),
        id=inputs.id,
    )


def _steps(name: str, value: float | None, unknown: float, highest: float, steps: int) -> int:
    given = unknown if value is None else value
    if not 0.0 <= given <= highest:
        raise InvalidInput(
            f"{name} must lie between 0 and {highest:g}, not {given}.", fields={name: "out of scale"}
        )
    return round(given * steps)


def _criticality(value: int | None) -> int:
    given = CRITICALITY_UNKNOWN if value is None else value
    if not 0 <= given <= 4:
        raise InvalidInput(
            f"Criticality must lie between 0 and 4, not {given}.", fields={"criticality": "0..4"}
        )
    return given


def _sooner(due_on: date | None) -> int:
    if due_on is None:
        return 0
    return min(max(_LAST_STEP - (due_on - _FIRST_DAY).days, 1), _LAST_STEP)


def _reasons(inputs: PriorityInputs) -> tuple[str, ...]:
    exposure = {
        Exposure.PUBLIC: "The asset is publicly exposed.",
        Exposure.UNKNOWN: "Whether the asset is exposed is not known.",
        Exposure.INTERNAL: "The asset is internal.",
    }
    reasons = ["Known to be exploited." if inputs.exploited else "Not known to be exploited."]
    if inputs.ransomware:
        reasons.append("Used in ransomware campaigns.")
    reasons += [f"Tier: {inputs.tier.word}.", exposure[inputs.exposure]]
    if inputs.epss is None:
        reasons.append("No EPSS score: ranked as least likely.")
    else:
        reasons.append(f"EPSS {inputs.epss:.5f}: likelihood of exploitation within 30 days.")
    if inputs.cvss is None:
        reasons.append(f"No CVSS score: ranked as {CVSS_UNKNOWN}, so that it is not lost at the end.")
    else:
        reasons.append(f"CVSS {inputs.cvss:.1f}.")
    if inputs.criticality is None:
        reasons.append("The criticality of the asset is not known: ranked as medium.")
    else:
        reasons.append(f"Criticality of the asset: {inputs.criticality} of 4.")
    reasons.append(f"Due on {inputs.due_on.isoformat()}." if inputs.due_on else "No due date.")
    return tuple(reasons)

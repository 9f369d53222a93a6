"""Which machine a report is of.

Three names speak: the machine id (of the installed system), the agent id (of the agent's installation) and the
host name. Each of them is copied or reused in practice: machine ids by cloned disks, agent ids by images made after
enrollment, host names by everybody. So one name alone never outweighs another that says the opposite:

    machine id agrees       same, unless agent id and host name both fail to agree: a clone
    machine id contradicts  same only if agent id and host name both agree: the system was installed anew
    machine id not known    the agent id decides; where that is not known either, the host name

Two clones therefore stay two assets whatever order they report in, at the price that a machine renamed
without an agent appears as a new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Values that stand for "none" or that whole series of boards share.
_NO_MACHINE_ID = frozenset(
    {
        "uninitialized",
        "none",
        "unknown",
        "not specified",
        "not settable",
        "default string",
        "to be filled by o.e.m.",
        "03000200040005000006000700080009",
        "12345678123456781234567812345678",
    }
)
_ONE_CHARACTER = re.compile(r"(.)\1*")


@dataclass(frozen=True, slots=True)
class Names:
    """What a machine is known by; None is not known. `key` is the asset's number, 0 for a report."""

    hostname: str
    agent_id: str | None = None
    machine_id: str | None = None
    key: int = 0


def usable_machine_id(machine_id: str | None) -> str | None:
    """Give a machine id in one spelling, or None where it is a placeholder."""
    if machine_id is None:
        return None
    known = machine_id.strip().strip("{}").lower()
    bare = known.replace("-", "")
    if not bare or bare in _NO_MACHINE_ID or _ONE_CHARACTER.fullmatch(bare):
        return None
    return known


def same_machine(report: Names, asset: Names) -> bool:
    """Say whether the report is of this asset; see the rules above."""
    machine = _agreement(report.machine_id, asset.machine_id)
    agent = _agreement(report.agent_id, asset.agent_id)
    host = report.hostname.lower() == asset.hostname.lower()
    if machine:
        return bool(agent) or host
    if machine is False:
        return bool(agent) and host
    return host if agent is None else agent


def choose(report: Names, assets: Iterable[Names]) -> Names | None:
    """Give the asset the report is of; of several the one that agrees most, then the oldest."""

    def rank(asset: Names) -> tuple[bool, bool, bool, int]:
        return (
            not _agreement(report.machine_id, asset.machine_id),
            not _agreement(report.agent_id, asset.agent_id),
            report.hostname.lower() != asset.hostname.lower(),
            asset.key,
        )

    return min((asset for asset in assets if same_machine(report, asset)), key=rank, default=None)


def _agreement(one: str | None, other: str | None) -> bool | None:
    return None if one is None or other is None else one == other

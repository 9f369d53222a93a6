"""Which machine a report is of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.inventory.sameness import Names, choose, same_machine, usable_machine_id

KNOWN = Names("web1", "agent-1", "machine-1", key=1)


@pytest.mark.parametrize(
    ("report", "same"),
    [
        # machine id agrees
        (Names("web1", "agent-1", "machine-1"), True),
        (Names("renamed", "agent-1", "machine-1"), True),  # renamed
        (Names("web1", "agent-2", "machine-1"), True),  # agent installed anew
        (Names("web1", None, "machine-1"), True),  # a report written by a script
        (Names("web2", "agent-2", "machine-1"), False),  # a cloned disk
        (Names("web2", None, "machine-1"), False),  # a clone or a renamed host: never guessed to be the same
        # machine id contradicts
        (Names("web1", "agent-1", "machine-2"), True),  # system installed anew, agent restored
        (Names("web1", "agent-2", "machine-2"), False),  # a new machine with a known name
        (Names("web2", "agent-1", "machine-2"), False),  # an image made after the agent was enrolled
        (Names("web1", None, "machine-2"), False),
        # machine id not known
        (Names("WEB1", "agent-1", None), True),
        (Names("renamed", "agent-1", None), True),
        (Names("web1", "agent-2", None), False),
        (Names("Web1", None, None), True),  # host names have no case
        (Names("web2", None, None), False),
    ],
)
def test_two_names_outweigh_one(report: Names, same: bool) -> None:
    assert same_machine(report, KNOWN) is same


def test_of_several_assets_the_one_that_agrees_most_is_chosen_then_the_oldest() -> None:
    assets = [
        Names("web1", None, None, key=1),
        Names("web1", "agent-1", None, key=2),
        Names("other", "agent-1", "machine-1", key=4),
        Names("other", "agent-1", "machine-1", key=3),
    ]

    assert choose(Names("web1", "agent-1", "machine-1"), assets) == assets[3]
    assert choose(Names("nobody"), assets) is None


FEW = st.sampled_from([None, "a", "b"])
MACHINES = st.builds(Names, st.sampled_from(["x", "y"]), FEW, FEW)


@given(st.lists(MACHINES, min_size=1, max_size=12))
def test_machines_that_report_in_turn_settle_on_assets_and_never_flap(machines: list[Names]) -> None:
    """After each machine has reported once, every further round finds the assets of the round before."""
    assets: list[Names] = []

    def round_of_reports() -> list[int]:
        found = []
        for report in machines:
            asset = choose(report, assets)
            if asset is None:
                asset = Names(report.hostname, report.agent_id, report.machine_id, key=len(assets) + 1)
                assets.append(asset)
            found.append(asset.key)
        return found

    round_of_reports()
    second = round_of_reports()

    assert round_of_reports() == second


@pytest.mark.parametrize(
    ("reported", "usable"),
    [
        ("3D1219C7C4C5404AAA1F6D2A48ADFDA4", "3d1219c7c4c5404aaa1f6d2a48adfda4"),
        ("{B5A1C2D3-0000-4000-8000-123456789ABC}", "b5a1c2d3-0000-4000-8000-123456789abc"),
        ("00000000-0000-0000-0000-000000000000", None),  # a board nobody programmed
        ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", None),
        ("03000200-0400-0500-0006-000700080009", None),  # one number for a whole series of boards
        ("uninitialized", None),  # systemd's own word in a golden image
        ("To be filled by O.E.M.", None),
        ("  ", None),
        (None, None),
    ],
)
def test_a_machine_id_that_many_machines_share_is_no_machine_id(
    reported: str | None, usable: str | None
) -> None:
    assert usable_machine_id(reported) == usable

"""What reports change, held against the plain meaning of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.inventory import Component, Installed
from sentrikat.inventory.difference import (
    Change,
    Present,
    by_identity,
    compare_part,
    compare_whole,
    removes_too_much,
)

START = datetime(2026, 6, 2, tzinfo=UTC)


class Shelf:
    """Install rows in memory, changed as the database would be."""

    def __init__(self) -> None:
        self.rows: dict[int, Present] = {}
        self.next = 0

    def apply(self, change: Change, at: datetime) -> None:
        for row in change.closed:
            del self.rows[row.install_id]
        for seen in change.seen:
            old = self.rows[seen.install_id]
            self.rows[seen.install_id] = Present(
                old.install_id,
                old.component_id,
                old.identity,
                old.kind,
                old.name,
                seen.binaries,
                seen.paths,
                old.first_seen_at,
            )
        for identity, item in change.added:
            self.next += 1
            component = item.component
            self.rows[self.next] = Present(
                self.next,
                self.next,
                identity,
                component.kind,
                component.name,
                tuple(item.binaries),
                tuple(item.paths),
                at,
            )

    def report(self, items: list[Installed], minute: int, *, complete: bool) -> Change:
        at = START + timedelta(minutes=minute)
        compare = compare_whole if complete else compare_part
        change = compare(list(self.rows.values()), by_identity(items), at)
        self.apply(change, at)
        return change

    def identities(self) -> set[bytes]:
        return {row.identity for row in self.rows.values()}


def package(name: str, version: str, kind: str = "deb") -> Installed:
    return Installed(Component(kind, "debian:12", name, version))


PACKAGES = st.builds(
    package, st.sampled_from("abcd"), st.sampled_from("123"), st.sampled_from(["deb", "pypi"])
)
REPORTS = st.lists(st.tuples(st.lists(PACKAGES, max_size=5), st.booleans()), min_size=1, max_size=6)


@given(REPORTS, st.lists(PACKAGES, max_size=5))
def test_after_a_complete_report_exactly_what_it_names_is_installed(
    before: list[tuple[list[Installed], bool]], last: list[Installed]
) -> None:
    shelf = Shelf()
    for minute, (items, complete) in enumerate(before):
        shelf.report(items, minute, complete=complete)
    shelf.report(last, len(before), complete=True)

    assert shelf.identities() == set(by_identity(last))
    assert shelf.report(last, len(before) + 1, complete=True).is_nothing()


@given(REPORTS)
def test_nothing_is_ever_installed_twice(reports: list[tuple[list[Installed], bool]]) -> None:
    shelf = Shelf()
    for minute, (items, complete) in enumerate(reports):
        shelf.report(items, minute, complete=complete)

        identities = [row.identity for row in shelf.rows.values()]
        assert len(identities) == len(set(identities))


@given(st.lists(PACKAGES, max_size=5), st.lists(PACKAGES, max_size=5))
def test_a_part_leaves_every_name_installed(before: list[Installed], part: list[Installed]) -> None:
    shelf = Shelf()
    shelf.report(before, 0, complete=True)
    names = {(row.kind, row.name) for row in shelf.rows.values()}
    shelf.report(part, 1, complete=False)

    assert names <= {(row.kind, row.name) for row in shelf.rows.values()}
    assert set(by_identity(part)) <= shelf.identities()


@given(st.permutations([[package(f"p{part}-{n}", "1") for n in range(10)] for part in range(4)]))
def test_parts_of_one_moment_add_up_in_any_order(parts: list[list[Installed]]) -> None:
    shelf = Shelf()
    for part in parts:
        shelf.report(part, 0, complete=False)

    assert len(shelf.rows) == 40


def test_the_guard_counts_names_and_not_versions() -> None:
    shelf = Shelf()
    shelf.report([package(f"p{n}", "1") for n in range(20)], 0, complete=True)
    rows = list(shelf.rows.values())

    def too_much(items: list[Installed]) -> bool:
        reported = by_identity(items)
        return removes_too_much(rows, reported, compare_whole(rows, reported, START + timedelta(minutes=1)))

    assert too_much([package(f"p{n}", "1") for n in range(8)])  # 12 of 20 gone: 60 %
    assert not too_much([package(f"p{n}", "1") for n in range(9)])
    assert not too_much([package(f"p{n}", "2") for n in range(20)])
    assert too_much([])

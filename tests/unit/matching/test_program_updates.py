"""Which updates of Microsoft's programs are in effect, and which is missing."""

from __future__ import annotations

from datetime import date

import pytest

from sentrikat.domain.advisory import Product, VendorUpdate
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.program_updates import (
    Program,
    held_of_line,
    missing_of_framework,
    missing_of_program,
    programs_of,
)

CU = "microsoft sql server 2019 (cu)"
CU13 = "microsoft exchange server 2019 cumulative update 13"
SERVER = "windows server 2019"


def update(
    name: str, day: str, build: str | None = None, title: str = CU, repairs: tuple[str, ...] = ()
) -> VendorUpdate:
    return VendorUpdate(
        name, Product("msrc", title), None, date.fromisoformat(day), build, vulnerabilities=repairs
    )


# SQL Server 2019's cumulative line as the MSRC gave it, the earliest without a build.
LINE = (
    update("KB4583459", "2021-01-12", repairs=("CVE-2021-1636",)),
    update("KB5029378", "2023-10-10", "15.0.4326.1", repairs=("CVE-2023-36417",)),
    update("KB5040948", "2024-07-09", "15.0.4382.1", repairs=("CVE-2024-37334",)),
    update("KB5046860", "2024-11-12", "15.0.4410.1", repairs=("CVE-2024-49043",)),
)


def sql_server(version: str) -> Program:
    return Program(frozenset({CU}), version, by_line=True)


@pytest.mark.parametrize(
    ("version", "held", "missing"),
    [
        ("15.0.4013.40", set(), "KB5046860"),
        ("15.0.4326.1", {"KB4583459", "KB5029378"}, "KB5046860"),  # the earlier one by its day
        ("15.0.4385.2", {"KB4583459", "KB5029378", "KB5040948"}, "KB5046860"),  # a build between repairs
        ("15.0.4430.1", {one.name for one in LINE}, None),  # newer than anything a list names
    ],
)
def test_a_line_is_told_by_its_build(version: str, held: set[str], missing: str | None) -> None:
    program = sql_server(version)

    found = held_of_line(program, (), LINE)

    assert found == held
    assert [one.name for one in missing_of_program(program, found, LINE, {})] == (
        [missing] if missing else []
    )


def test_a_missing_update_repairs_all_that_is_open_on_its_line() -> None:
    program = sql_server("15.0.4326.1")

    (found,) = missing_of_program(program, held_of_line(program, (), LINE), LINE, {})

    assert (found.fixed_build, found.repairs) == ("15.0.4410.1", ("CVE-2024-37334", "CVE-2024-49043"))


def test_a_reported_update_says_more_than_an_entry_that_keeps_its_version() -> None:
    """Exchange's entry stays at the cumulative update; its security updates stand beside it."""
    offers = (
        update("KB5030877", "2023-10-10", "15.02.1258.027", CU13),
        update("KB5049233", "2024-11-12", "15.02.1258.039", CU13),
    )
    program = Program(frozenset({CU13}), "15.2.1258.12", by_line=True)

    assert held_of_line(program, (), offers) == frozenset()
    assert held_of_line(program, ("KB5030877",), offers) == {"KB5030877"}
    assert held_of_line(program, ("KB5049233",), offers) == {"KB5030877", "KB5049233"}


def test_an_update_dated_by_its_flaw_is_not_taken_for_an_old_one() -> None:
    """WES-NG's first row of an update may bear the day of a flaw from years before; its number is newer."""
    late = update("KB5058722", "2023-01-10")

    assert "KB5058722" not in held_of_line(sql_server("15.0.4430.1"), (), (*LINE, late))


def framework(name: str, day: str, version: str, repairs: tuple[str, ...] = ()) -> VendorUpdate:
    return update(name, day, title=f"microsoft .net framework 3.5 and {version} on {SERVER}", repairs=repairs)


FRAMEWORKS = (
    framework("KB5041017", "2024-07-09", "4.7.2"),
    framework("KB5041017", "2024-07-09", "4.8"),
    framework("KB5066738", "2025-10-14", "4.7.2", ("CVE-2025-55248",)),
    framework("KB5066738", "2025-10-14", "4.8", ("CVE-2025-55248",)),
    framework("KB5087061", "2026-05-14", "4.7.2"),
    framework("KB5087066", "2026-05-14", "4.8"),
)


@pytest.mark.parametrize(
    ("installed", "missing"),
    [
        ((), None),  # nothing says which framework there is
        (("KB5041017",), "KB5066738"),  # of either framework; the newer ones are of one each
        (("KB5087061",), None),
        (("KB4486153",), None),  # no update of a framework
    ],
)
def test_the_framework_is_told_by_its_updates(installed: tuple[str, ...], missing: str | None) -> None:
    found = missing_of_framework(SERVER, installed, FRAMEWORKS, frozenset())

    assert (found.name if found else None) == missing


def test_an_update_of_windows_is_no_evidence_of_a_framework() -> None:
    assert missing_of_framework(SERVER, ("KB5041017",), FRAMEWORKS, frozenset({"KB5041017"})) is None


def test_office_by_installer_has_chains_and_no_line() -> None:
    office = Component(
        "windows", "windows", "Microsoft Office Standard 2016", "16.0.4266.1001", vendor="Microsoft"
    )
    (program,) = programs_of([office])
    title = "microsoft excel 2016 (64-bit edition)"
    offers = (update("KB5002684", "2025-02-11", title=title), update("KB5002673", "2025-01-14", title=title))

    assert title in program.titles
    assert held_of_line(program, ("KB5002673",), offers) == frozenset()
    found = missing_of_program(program, frozenset(), offers, {"KB5002684": ("KB5002673",)})
    assert [one.name for one in found] == ["KB5002684"]

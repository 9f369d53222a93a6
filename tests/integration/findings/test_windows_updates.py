"""Windows by build and by update: whose word counts, what clears a finding, and what follows when sources learn.

The numbers of the complaints are those of issues people filed about Wazuh's detection of Windows updates.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from sentrikat.domain.advisory import Advisory, Product, VendorUpdate
from sentrikat.findings.explain import explain
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from sentrikat.inventory.updates import missing_of_asset
from tests.builders import (
    advisory,
    new_organization,
    open_findings,
    open_flaws,
    publish,
    report,
    rows,
    runs_on,
    statement,
)

FLAW, OLD_FLAW = "CVE-2031-0001", "CVE-2030-0009"
TITLE = "windows 10 version 22h2 for x64-based systems"
OLD_TITLE = "windows 8.1 for x64-based systems"
WINDOWS_10 = {"family": "windows", "name": "Windows 10 Pro 22H2", "arch": "x86_64"}
WINDOWS_81 = {"family": "windows", "name": "Windows 8.1 Pro", "version": "6.3.9600", "arch": "x86_64"}


def without(*updates: str) -> Any:
    return runs_on(*[("update", one.lower()) for one in updates], negate=True)


def update(
    name: str, *older: str, build: str | None = None, repairs: Iterable[str] = (), title: str = TITLE
) -> VendorUpdate:
    return VendorUpdate(name, Product("msrc", title), None, None, build, older, tuple(repairs))


def updates(*held: VendorUpdate, source: str = "msrc", name: str = "2031-Jan") -> Advisory:
    return Advisory(source, name, (), updates=held)


def say(database: Database, clock: FrozenClock) -> None:
    """Microsoft repairs one flaw by KB5034122, build 3930, which supersedes KB5033372."""
    publish(
        database,
        clock,
        "msrc",
        advisory(
            FLAW,
            statement(
                "msrc", TITLE, fixed="10.0.19045.3930", condition=without("KB5034122"), note="KB5034122"
            ),
            source="msrc",
            named=f"2031-Jan/{FLAW}",
        ),
        advisory(
            OLD_FLAW,
            statement("msrc", OLD_TITLE, condition=without("KB5033420", "KB5033419"), note="KB5033420"),
            source="msrc",
            named=f"2030-Dec/{OLD_FLAW}",
        ),
        updates(
            update("KB5034122", "KB5033372", build="10.0.19045.3930", repairs=[FLAW]),
            update("KB5033372", build="10.0.19045.3803", repairs=[OLD_FLAW]),
        ),
    )


def send(
    database: Database,
    clock: FrozenClock,
    tenant: int,
    os: dict[str, Any],
    *installed: str,
    host: str = "pc-1",
) -> int:
    return report(database, clock, tenant, host, [], os=os, updates=installed).asset_id


@pytest.mark.parametrize(
    ("revision", "installed", "affected"),
    [
        ("2006", [], True),
        ("3930", [], False),  # the build is there, and the agent names no update (Wazuh 6838)
        ("4291", ["KB5036892"], False),  # a later cumulative update than any list names (14134)
        ("2006", ["KB5034122"], True),  # listed, but the build says that it is not in effect (16126)
        ("2006", ["KB890830"], True),  # another update
    ],
)
def test_build_and_revision_decide(
    database: Database, clock: FrozenClock, revision: str, installed: list[str], affected: bool
) -> None:
    say(database, clock)
    tenant = new_organization(database)

    send(database, clock, tenant, {**WINDOWS_10, "version": f"10.0.19045.{revision}"}, *installed)

    assert (FLAW in open_flaws(database, "pc-1")) is affected


@pytest.mark.parametrize(
    ("installed", "affected"),
    [
        ([], True),
        (["KB5033420"], False),
        (["KB5033419"], False),  # the Security Only update repairs as well as the rollup
        (["KB5034171"], False),  # supersedes it, two steps on
        (["KB4012216"], True),
    ],
)
def test_an_update_that_supersedes_the_repairing_one_clears_a_windows_without_revisions(
    database: Database, clock: FrozenClock, installed: list[str], affected: bool
) -> None:
    say(database, clock)
    publish(
        database,
        clock,
        "wesng",
        updates(update("KB5034171", "KB5034000", title=OLD_TITLE), source="wesng", name="KB5034171"),
        updates(update("KB5034000", "KB5033420", title=OLD_TITLE), source="wesng", name="KB5034000"),
    )
    tenant = new_organization(database)

    send(database, clock, tenant, WINDOWS_81, *installed)

    assert (OLD_FLAW in open_flaws(database, "pc-1")) is affected


def test_installing_the_update_closes_the_finding_of_this_asset_only(
    database: Database, clock: FrozenClock
) -> None:
    say(database, clock)
    tenant = new_organization(database)
    send(database, clock, tenant, WINDOWS_81, host="pc-1")
    send(database, clock, tenant, WINDOWS_81, host="pc-2")

    send(database, clock, tenant, WINDOWS_81, "KB5033420", host="pc-1")

    assert [row[0] for row in open_findings(database)] == ["pc-2"]
    assert rows(database, "select close_reason from finding where closed_at is not null") == [
        ("condition_gone",)
    ]


def test_what_is_solved_stays_solved_when_the_same_report_comes_again(
    database: Database, clock: FrozenClock
) -> None:
    """Wazuh 27340: solved, then active again, with nothing changed on the machine."""
    say(database, clock)
    tenant = new_organization(database)
    for _ in range(3):
        send(database, clock, tenant, WINDOWS_81, "KB5033420")
        say(database, clock)

    assert open_flaws(database, "pc-1") == set()
    assert rows(database, "select count(*) from finding") == [(0,)]


def test_a_chain_that_a_source_learns_later_clears_what_it_repairs(
    database: Database, clock: FrozenClock
) -> None:
    say(database, clock)
    tenant = new_organization(database)
    send(database, clock, tenant, WINDOWS_81, "KB5034171")
    assert open_flaws(database, "pc-1") == {OLD_FLAW}

    publish(
        database,
        clock,
        "wesng",
        updates(update("KB5034171", "KB5033420", title=OLD_TITLE), source="wesng", name="KB5034171"),
    )

    assert open_flaws(database, "pc-1") == set()


def test_microsoft_is_heard_before_nvd_on_windows(database: Database, clock: FrozenClock) -> None:
    """NVD files an old release as "all versions": whatever is installed, it would stay affected for good."""
    say(database, clock)
    publish(
        database, clock, "nvd", advisory(FLAW, statement("cpe:o", "microsoft:windows_10_22h2"), source="nvd")
    )
    tenant = new_organization(database)

    send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.4291"})

    assert open_flaws(database, "pc-1") == set()


def test_nvd_decides_where_microsoft_is_silent(database: Database, clock: FrozenClock) -> None:
    publish(
        database,
        clock,
        "nvd",
        advisory(
            FLAW, statement("cpe:o", "microsoft:windows_10_22h2", fixed="10.0.19045.3930"), source="nvd"
        ),
    )
    tenant = new_organization(database)

    send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.2006"})

    assert open_flaws(database, "pc-1") == {FLAW}


def test_another_architecture_is_another_product(database: Database, clock: FrozenClock) -> None:
    say(database, clock)
    tenant = new_organization(database)

    send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.2006", "arch": "arm64"})

    assert open_flaws(database, "pc-1") == set()


def test_an_unknown_update_level_is_not_taken_for_the_oldest(database: Database, clock: FrozenClock) -> None:
    say(database, clock)
    tenant = new_organization(database)

    send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045"})

    assert open_flaws(database, "pc-1") == set()


def test_an_explanation_names_the_update_and_the_builds(database: Database, clock: FrozenClock) -> None:
    say(database, clock)
    tenant = new_organization(database)
    asset = send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.2006"})

    with database.as_organization(tenant) as session:
        (answer,) = explain(session, tenant, asset, FLAW)

    words = " ".join(step.text for step in answer.chain)
    assert "fixed in KB5034122, build 10.0.19045.3930" in words
    assert "10.0.19045.2006 < 10.0.19045.3930" in words
    assert "Neither KB5034122 nor an update that supersedes it is installed." in words


def test_an_explanation_of_safety_names_the_update_in_effect(database: Database, clock: FrozenClock) -> None:
    say(database, clock)
    tenant = new_organization(database)
    asset = send(database, clock, tenant, WINDOWS_81, "KB5033419")

    with database.as_organization(tenant) as session:
        (answer,) = explain(session, tenant, asset, OLD_FLAW)

    assert answer.verdict == "not_affected"
    assert "KB5033419 is in effect on the asset" in " ".join(step.text for step in answer.chain)


def test_missing_updates_are_the_newest_ones_with_what_they_repair(
    database: Database, clock: FrozenClock
) -> None:
    say(database, clock)
    tenant = new_organization(database)
    behind = send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.2006"}, host="pc-1")
    current = send(database, clock, tenant, {**WINDOWS_10, "version": "10.0.19045.3930"}, host="pc-2")
    linux = report(database, clock, tenant, "web-1", []).asset_id

    with database.as_organization(tenant) as session:
        (found,) = missing_of_asset(session, tenant, behind)
        assert (found.name, found.repairs) == ("KB5034122", (OLD_FLAW, FLAW))
        assert missing_of_asset(session, tenant, current) == ()
        assert missing_of_asset(session, tenant, linux) == ()
        assert missing_of_asset(session, tenant + 1, behind) == ()


CU = "microsoft sql server 2019 (cu)"
REPAIRED_BY_CU = "CVE-2031-0300"


def sql_server(version: str) -> list[dict[str, Any]]:
    return [
        {
            "type": "windows",
            "name": "Microsoft SQL Server 2019 Setup (English)",
            "version": version,
            "vendor": "Microsoft Corporation",
        }
    ]


def say_of_sql_server(database: Database, clock: FrozenClock) -> None:
    """The first repair names no build; the ones after it do."""
    publish(
        database,
        clock,
        "msrc",
        advisory(
            REPAIRED_BY_CU,
            statement("msrc", CU, condition=without("KB4583459"), note="KB4583459"),
            source="msrc",
            named=f"2031-Jan/{REPAIRED_BY_CU}",
        ),
        Advisory(
            "msrc",
            "2031-Mar",
            (),
            updates=(
                VendorUpdate(
                    "KB4583459",
                    Product("msrc", CU),
                    None,
                    date(2031, 1, 14),
                    vulnerabilities=(REPAIRED_BY_CU,),
                ),
                VendorUpdate("KB5029378", Product("msrc", CU), None, date(2031, 2, 11), "15.0.4326.1"),
                VendorUpdate("KB5040948", Product("msrc", CU), None, date(2031, 3, 11), "15.0.4382.1"),
            ),
        ),
    )


def test_a_program_s_build_says_which_of_its_updates_are_in_effect(
    database: Database, clock: FrozenClock
) -> None:
    say_of_sql_server(database, clock)
    tenant = new_organization(database)
    os = {**WINDOWS_10, "version": "10.0.19045.3930"}

    asset = report(database, clock, tenant, "db-1", sql_server("15.0.4280.7"), os=os).asset_id
    assert open_flaws(database, "db-1") == {REPAIRED_BY_CU}

    report(database, clock, tenant, "db-1", sql_server("15.0.4326.1"), os=os)
    assert open_flaws(database, "db-1") == set()  # an update later on its line is in effect
    with database.as_organization(tenant) as session:
        assert [one.name for one in missing_of_asset(session, tenant, asset)] == ["KB5040948"]

    report(database, clock, tenant, "db-1", sql_server("15.0.4280.7"), os=os)
    assert open_flaws(database, "db-1") == {REPAIRED_BY_CU}  # rolled back


def test_what_the_catalog_calls_replaced_is_not_missing_and_clears_what_it_repaired(
    database: Database, clock: FrozenClock
) -> None:
    say(database, clock)
    publish(
        database,
        clock,
        "wesng",
        updates(
            update("KB3000001", repairs=["CVE-2031-0401"], title=OLD_TITLE),
            update("KB3000002", repairs=["CVE-2031-0402"], title=OLD_TITLE),
            source="wesng",
            name="old",
        ),
    )
    tenant = new_organization(database)
    asset = send(database, clock, tenant, WINDOWS_81)

    def missing() -> set[str]:
        with database.as_organization(tenant) as session:
            return {one.name for one in missing_of_asset(session, tenant, asset)}

    def catalog(product: str) -> Advisory:
        held = VendorUpdate(
            "KB5022352", Product("update-catalog", product), None, date(2031, 2, 11), None, ("KB3000001",)
        )
        other = VendorUpdate("KB3000002", Product("update-catalog", product), None, date(2031, 1, 14))
        return Advisory("msrc", f"update-catalog/{product}", (), updates=(held, other))

    assert missing() == {"KB3000001", "KB3000002"}
    publish(database, clock, "msrc", catalog("windows server 2012 r2"))
    assert missing() == {"KB3000001", "KB3000002"}  # said of another system
    publish(database, clock, "msrc", catalog(OLD_TITLE))
    assert missing() == {"KB3000002"}

    send(database, clock, tenant, WINDOWS_81, "KB5022352")
    assert rows(database, "select held_updates from asset where id = :asset", asset=asset) == [
        (["KB3000001", "KB5022352"],)
    ]

"""What a source says of a repair: kept apart from the verdict, shown with the finding, and asked for."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sentrikat.domain.advisory import Remedy, Status
from sentrikat.findings.explain import explain_finding
from sentrikat.findings.queries import FindingFilters, FindingRow, list_findings
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.sessions import Database
from tests.builders import WINDOWS, advisory, new_organization, publish, report, statement

UBUNTU = {"family": "linux", "name": "ubuntu", "version": "16.04"}
ROCKY = {"family": "linux", "name": "rocky", "version": "9.3"}


@pytest.fixture
def organization(database: Database, clock: FrozenClock) -> int:
    """A host whose one package has a flaw in each state of repair."""
    number = new_organization(database)
    said = {
        1: statement("ubuntu:16.04", "anvil", fixed="3.0+esm1", note="in Ubuntu Pro (esm-infra)"),
        2: statement("ubuntu:16.04", "anvil", remedy=Remedy.OPEN),
        3: statement("ubuntu:16.04", "anvil", remedy=Remedy.DEFERRED),
        4: statement("ubuntu:16.04", "anvil", remedy=Remedy.WILL_NOT_FIX),
        5: statement("ubuntu:16.04", "anvil", remedy=Remedy.END_OF_LIFE, note="end of standard support"),
        6: statement("ubuntu:16.04", "anvil", fixed="3.0", remedy=None),  # a source without a word for it
        7: statement("ubuntu:16.04", "anvil", fixed="3.1", remedy=Remedy.OPEN),  # built, not handed out
        8: statement("ubuntu:16.04", "anvil", status=Status.UNAFFECTED, remedy=Remedy.NOT_AFFECTED),
    }
    records = [advisory(f"CVE-2026-100{flaw}", one, source="ubuntu") for flaw, one in said.items()]
    assert publish(database, clock, "ubuntu", *records).outcome == "succeeded"
    software = {"type": "deb", "name": "anvil", "version": "2.0"}
    report(database, clock, number, "host", [software], os=UBUNTU)
    return number


def listed(database: Database, organization: int, remedy: str | None) -> dict[str, FindingRow]:
    with database.as_organization(organization) as session:
        page = list_findings(session, organization, FindingFilters(remedy=remedy))
    assert page.total == len(page.rows)
    return {one.vulnerability[-1]: one for one in page.rows}


@pytest.mark.parametrize(
    ("remedy", "flaws"),
    [
        (None, "1234567"),
        ("fixed", "16"),
        ("open", "27"),
        ("deferred", "3"),
        ("will_not_fix", "4"),
        ("end_of_life", "5"),
        ("none", "2345"),  # no version to go to, for whatever reason
    ],
)
def test_findings_are_narrowed_to_a_state_of_repair(
    database: Database, organization: int, remedy: str | None, flaws: str
) -> None:
    assert "".join(sorted(listed(database, organization, remedy))) == flaws


def test_a_finding_says_why_there_is_no_repair_and_where_there_is_one(
    database: Database, organization: int
) -> None:
    found = listed(database, organization, None)

    assert (found["1"].remedy, found["1"].note) == ("fixed", "in Ubuntu Pro (esm-infra)")
    assert found["6"].remedy == "fixed"
    assert "past the support of this release (end of life)" in found["5"].sentence
    assert "fixed in 3.1, which is not published yet" in found["7"].sentence
    with database.as_organization(organization) as session:
        said = {flaw: explain_finding(session, organization, one.id) for flaw, one in found.items()}
    assert any("in Ubuntu Pro (esm-infra)" in step.text for step in said["1"].chain)
    assert "moving to one that is supported" in said["5"].what_would_change[0]
    assert "will not be repaired" in said["4"].what_would_change[0]


def test_a_rebuild_that_is_silent_is_explained_by_its_parent(database: Database, clock: FrozenClock) -> None:
    organization = new_organization(database)
    parent = statement("rhel:9", "anvil", remedy=Remedy.WILL_NOT_FIX, note="Will not fix")
    publish(database, clock, "redhat", advisory("CVE-2026-1001", parent, source="redhat"))
    own = statement("rocky:9", "anvil", fixed="1.5-1.el9")
    publish(database, clock, "osv", advisory("CVE-2026-1002", own, source="osv", named="RLSA-2026:1"))
    overruled = statement("rhel:9", "anvil", fixed="2.0-9.el9")
    publish(
        database,
        clock,
        "redhat",
        advisory("CVE-2026-1001", parent, source="redhat"),
        advisory("CVE-2026-1002", overruled, source="redhat"),
    )
    report(
        database,
        clock,
        organization,
        "host",
        [{"type": "rpm", "name": "anvil", "version": "2.0-1.el9"}],
        os=ROCKY,
    )

    with database.as_organization(organization) as session:
        (row,) = list_findings(session, organization, FindingFilters()).rows
        explanation = explain_finding(session, organization, row.id)
        methods = session.scalars(text("select method from component_product order by method")).all()

    assert (row.vulnerability, row.remedy) == ("CVE-2026-1001", "will_not_fix")
    assert any("rhel:9" in step.text and "own data decides first" in step.text for step in explanation.chain)
    assert {"parent_package", "release_package"} <= set(methods)


def test_a_release_that_is_judged_no_more_is_explained_by_a_later_one(
    database: Database, clock: FrozenClock
) -> None:
    organization = new_organization(database)
    publish(
        database,
        clock,
        "debian",
        advisory("CVE-2026-1001", statement("debian:11", "anvil", fixed="2.0-1"), source="debian"),
    )
    report(
        database,
        clock,
        organization,
        "host",
        [{"type": "deb", "name": "anvil", "version": "1.0-1"}],
        os={"family": "linux", "name": "debian", "version": "10"},
    )

    with database.as_organization(organization) as session:
        (row,) = list_findings(session, organization, FindingFilters()).rows
        explanation = explain_finding(session, organization, row.id)
        state = session.scalar(text("select identified from component where name = 'anvil'"))

    assert (row.verdict, row.fixed_version) == ("affected", "2.0-1 of debian:11")
    assert state == "unsupported"  # nobody makes statements about the release itself
    assert any("debian:11" in step.text and "judged no more" in step.text for step in explanation.chain)
    assert explanation.what_would_change[0] == (
        "The support of this release has ended; moving to one that is supported, such as debian:11, which has 2.0-1,"
        " would close this finding."
    )


def test_a_version_read_out_of_the_title_is_the_one_that_is_shown_compared(
    database: Database, clock: FrozenClock
) -> None:
    """IntelliJ IDEA registers its branch, which is no number that statements name."""
    number = new_organization(database)
    said = statement("cpe:a", "jetbrains:intellij_idea", fixed="2023.3.3")
    assert (
        publish(database, clock, "nvd", advisory("CVE-2026-2001", said, source="nvd")).outcome == "succeeded"
    )
    software = {
        "type": "windows",
        "name": "IntelliJ IDEA 2023.2.1",
        "version": "232.9559.62",
        "vendor": "JetBrains s.r.o.",
    }
    report(database, clock, number, "host", [software], os=WINDOWS)

    with database.as_organization(number) as session:
        (row,) = list_findings(session, number, FindingFilters()).rows
        explained = explain_finding(session, number, row.id)

    assert row.sentence.startswith("host runs IntelliJ IDEA 2023.2.1 232.9559.62; ")
    assert row.sentence.endswith("; 2023.2.1 < 2023.3.3.")
    assert explained is not None
    (identity,) = (step.text for step in explained.chain if step.title == "Identity")
    assert identity.endswith("Its version is read as 2023.2.1.")

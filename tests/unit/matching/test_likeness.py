"""Candidates for a title: which is believed, and which only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.likeness import Candidate, Named, believed, likeness, rank


def candidate(name: str, *targets: str, titles: tuple[str, ...] = (), statements: int = 20) -> Candidate:
    vendor, _, product = name.partition(":")
    return Candidate(vendor, product, titles, targets or ("*",), statements)


PRODUCTS = (
    candidate("microsoft:sql_server"),
    candidate("microsoft:sql_server_2019"),
    candidate("microsoft:sql_server_management_studio"),
    candidate("microsoft:visual_studio_2019"),
    candidate("microsoft:help_file_viewer"),
    candidate("microsoft:powershell"),
    candidate("microsoft:powershell_extension", "visual_studio_code"),
    candidate("microsoft:jupyter", "visual_studio_code"),
    candidate("jupyter:jupyter"),
    candidate("microsoft:vscode-maven"),
    candidate("apache:maven"),
    candidate("vim:vim"),
    candidate("vim_project:vim", "visual_studio_code"),
    candidate("mattermost:mattermost_server"),
    candidate("boltcms:bolt"),
    candidate("mist:mist"),
    candidate("cisco:umbrella"),
    candidate("oracle:mysql_server"),
    candidate("oracle:mysql"),
    candidate("4d:4d"),
    candidate("git:git"),
    candidate("mail:mail", statements=1),
    candidate("jenkins:git", "jenkins"),
    candidate("zoom:zoom", "chrome"),
    candidate("acme:anvil_pro"),
    candidate("acme:etcher"),
    candidate("acme:etcher_pro"),
    candidate("acme:anvil_server"),
    candidate("example:report_viewer", titles=("Example Report Viewer",)),
)


def program(
    name: str, vendor: str | None = None, bundle: str | None = None, kind: str = "windows"
) -> Component:
    return Component(kind, kind, name, "1.0", vendor=vendor, bundle_id=bundle)


def taken_for(component: Component) -> str | None:
    best = believed(rank(Named.of(component), PRODUCTS))
    return best.candidate.name if best else None


@pytest.mark.parametrize(
    ("component", "product"),
    [
        (program("Visual Studio Community 2019", "Microsoft Corporation"), "microsoft:visual_studio_2019"),
        (program("Git", None), "git:git"),  # its own maker, and many speak of it
        (program("Anvil Professional", "Acme Inc."), None),  # “Pro” and “Professional” are not one word
        (program("Anvil Pro", "Acme Inc."), "acme:anvil_pro"),
        (program("Anvil Pro 2023", "Acme Inc."), "acme:anvil_pro"),  # the version says the year again
        (
            program("Etcher 2023", "Acme Inc."),
            "acme:etcher",
        ),  # and is not taken for its “Pro”, which is no rival
        (program("SQL Server Analyzer 2023", "Microsoft Corporation"), None),
        (program("PowerShell 2019", "Microsoft Corporation"), None),  # each year of Microsoft's is a product
        (program("Report Viewer for Windows", "Example"), "example:report_viewer"),
        (program("ms-vscode.powershell", "Microsoft", kind="application"), "microsoft:powershell_extension"),
        (program("ms-toolsai.jupyter", "Microsoft", kind="application"), "microsoft:jupyter"),
        (program("vscjava.vscode-maven", "Microsoft", kind="application"), "microsoft:vscode-maven"),
        (program("vscodevim.vim", "vscodevim", kind="application"), "vim_project:vim"),
    ],
    ids=lambda one: one.name if isinstance(one, Component) else str(one),
)
def test_evidence_of_name_and_maker_is_believed(component: Component, product: str | None) -> None:
    assert taken_for(component) == product


@pytest.mark.parametrize(
    "component",
    [
        # no telling word may be missing, on either side
        program("Microsoft Help Viewer 2.3", "Microsoft Corporation"),
        program("SQL Server 2019 XEvent", "Microsoft Corporation"),
        program("Mattermost Desktop", "Mattermost, Inc."),
        program("MySQL Workbench 8.0 CE", "Oracle Corporation"),
        # another maker
        program("Logi Bolt.app", None, "com.logitech.bolt", kind="macos"),
        program("Mist.app", None, "com.ninxsoft.mist", kind="macos"),
        program("Umbrella.app", None, "com.fancy.umbrella", kind="macos"),
        program("ada", "AdaCore"),
        # everybody's word, and hardly anybody speaks of the one product that is called so
        program("Mail", None),
        # two products are as likely
        program("Anvil", "Acme Inc."),
        # an extension is not the program it is named after, nor the other way around
        program("Zoom", "Zoom Video Communications, Inc."),
        program("somebody.git", None, kind="application"),
    ],
    ids=lambda one: one.name,
)
def test_what_is_not_beyond_doubt_is_left_to_people(component: Component) -> None:
    assert taken_for(component) is None


def test_the_evidence_is_said_in_words() -> None:
    found = likeness(
        Named.of(program("Help Viewer", "Microsoft Corporation")), candidate("microsoft:help_file_viewer")
    )

    assert "its name also says “file”" in found.evidence
    assert "the publisher is microsoft" in found.evidence


@given(st.text(max_size=60), st.one_of(st.none(), st.text(max_size=30)))
def test_any_title_can_be_scored(name: str, vendor: str | None) -> None:
    ranked = rank(Named.of(program(name, vendor)), PRODUCTS)

    assert all(0 <= one.score <= 1 for one in ranked)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)

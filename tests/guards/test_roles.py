"""What each role may do is one table, in the program and on paper; no command is without its permission."""

from __future__ import annotations

from itertools import pairwise

from sentrikat.domain.permissions import (
    INSTALLATION_ADMINISTRATOR,
    KEY_SCOPES,
    PERMISSION_WORDS,
    READ_ONLY,
    ROLE_PERMISSIONS,
    ROLE_WORDS,
    Permission,
    Role,
)
from tools.write_roles import TARGET, every_command, page


def test_every_command_declares_what_it_needs() -> None:
    """Put @needs(Permission.…) of sentrikat.cli.declared under @app.command()."""
    commands = dict(every_command())

    assert len(commands) > 30
    assert [words for words, permission in commands.items() if permission is None] == []


def test_the_page_of_roles_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run: python -m tools.write_roles"


def test_every_permission_and_role_has_its_words() -> None:
    assert set(PERMISSION_WORDS) == set(Permission)
    assert set(ROLE_WORDS) == set(ROLE_PERMISSIONS) == set(Role)


def test_each_role_holds_what_the_one_below_holds() -> None:
    ladder = [Role.VIEWER, Role.ANALYST, Role.MANAGER, Role.ADMINISTRATOR]
    held = [*(ROLE_PERMISSIONS[role] for role in ladder), INSTALLATION_ADMINISTRATOR]

    assert all(lower < higher for lower, higher in pairwise(held))
    assert set(Permission) == INSTALLATION_ADMINISTRATOR


def test_an_auditor_holds_all_that_only_reads_an_organization_and_nothing_else() -> None:
    own = {Permission.PROFILE}

    assert ROLE_PERMISSIONS[Role.AUDITOR] - own == READ_ONLY - {Permission.INSTALLATION_READ}


def test_no_key_manages_keys_members_or_the_installation() -> None:
    assert {
        Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE, Permission.INSTALLATION_MANAGE, Permission.PROFILE,
    }.isdisjoint(KEY_SCOPES)  # fmt: skip

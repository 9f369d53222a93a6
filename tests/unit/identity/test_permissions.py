from __future__ import annotations

import itertools

import pytest

from sentrikat.domain.errors import Forbidden
from sentrikat.domain.permissions import (
    INSTALLATION_ADMINISTRATOR,
    KEY_SCOPES,
    PERMISSION_WORDS,
    ROLE_PERMISSIONS,
    Caller,
    Permission,
    Role,
    permissions_of,
)

CHANGING = {
    Permission.INVENTORY_WRITE,
    Permission.REPORT_SUBMIT,
    Permission.KEYS_MANAGE,
    Permission.MEMBERS_MANAGE,
    Permission.INSTALLATION_MANAGE,
}


def test_every_role_and_every_permission_is_described() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert set(PERMISSION_WORDS) == set(Permission)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_viewers_and_auditors_change_nothing(role: Role) -> None:
    assert ROLE_PERMISSIONS[role].isdisjoint(CHANGING)


def test_each_step_up_only_adds() -> None:
    steps = [Role.VIEWER, Role.ANALYST, Role.MANAGER, Role.ADMINISTRATOR]
    held = [ROLE_PERMISSIONS[role] for role in steps]

    assert all(lower <= upper for lower, upper in itertools.pairwise(held))
    assert held[-1] < INSTALLATION_ADMINISTRATOR


def test_only_the_installation_administrator_runs_the_installation() -> None:
    assert all(Permission.INSTALLATION_MANAGE not in held for held in ROLE_PERMISSIONS.values())
    assert Permission.INSTALLATION_MANAGE in permissions_of(None, installation_admin=True)


def test_a_key_can_never_make_keys_or_members() -> None:
    forbidden = {Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE, Permission.INSTALLATION_MANAGE}

    assert KEY_SCOPES.isdisjoint(forbidden)


def test_a_stranger_may_nothing() -> None:
    assert permissions_of(None, installation_admin=False) == frozenset()


def test_a_missing_scope_is_named() -> None:
    key = Caller(1, "key:3", frozenset({Permission.REPORT_SUBMIT}))

    with pytest.raises(Forbidden, match="findings:read") as refused:
        key.require(Permission.FINDINGS_READ)
    assert refused.value.code == "key_scope"

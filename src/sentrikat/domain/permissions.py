"""Who may do what: permissions, the roles that hold them, and the caller who asks.

A role is a set of permissions within one organization: a built-in one, or one the organization has made. An
API key holds the permissions it was made with, which are written as its scopes. Every door asks
`caller.require(...)` or lets its route declare it; a generated test sweeps all routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sentrikat.domain.errors import Forbidden


class Permission(StrEnum):
    """One thing that can be allowed. The value is also the scope of an API key."""

    PROFILE = "profile"  # see and change one's own account
    INVENTORY_READ = "inventory:read"
    INVENTORY_WRITE = "inventory:write"  # exposure and criticality of assets
    FINDINGS_READ = "findings:read"
    FINDINGS_TRIAGE = "findings:triage"  # decide what becomes of a finding, or of what is possibly affected
    KNOWLEDGE_READ = "knowledge:read"  # vulnerabilities and feeds
    REPORT_SUBMIT = "agent:report"
    REPORT_READ = "reports:read"  # what became of a report that was sent in
    KEYS_READ = "keys:read"  # which keys there are, never a secret
    KEYS_MANAGE = "keys:manage"
    AUDIT_READ = "audit:read"
    MEMBERS_READ = "members:read"
    MEMBERS_MANAGE = "members:manage"
    INSTALLATION_READ = "installation:read"  # every account and organization
    INSTALLATION_MANAGE = "installation:manage"  # organizations, accounts, feeds


class Role(StrEnum):
    """What a member of an organization is there."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


_READING = frozenset(
    {
        Permission.PROFILE,
        Permission.INVENTORY_READ,
        Permission.FINDINGS_READ,
        Permission.KNOWLEDGE_READ,
        Permission.REPORT_READ,
    }
)
_OVERSEEING = frozenset({Permission.KEYS_READ, Permission.AUDIT_READ, Permission.MEMBERS_READ})
_ANALYZING = _READING | {Permission.INVENTORY_WRITE, Permission.FINDINGS_TRIAGE}
_MANAGING = _ANALYZING | {Permission.REPORT_SUBMIT}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _READING,
    Role.ANALYST: _ANALYZING,
    Role.MANAGER: _MANAGING,
    Role.ADMINISTRATOR: _MANAGING | _OVERSEEING | {Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE},
    # Sees everything of the organization including the log, changes nothing.
    Role.AUDITOR: _READING | _OVERSEEING,
}

ROLE_WORDS: dict[Role, str] = {
    Role.VIEWER: "Reads what is installed and what is wrong with it.",
    Role.ANALYST: "Reads, and decides about findings and software.",
    Role.MANAGER: "An analyst who also brings inventory in.",
    Role.ADMINISTRATOR: "Does all that, and decides who else may.",
    Role.AUDITOR: "Reads everything, the audit log, members and keys included, and changes nothing.",
}

# What runs the installation belongs to no organization. It is held by installation administrators only.
INSTALLATION: frozenset[Permission] = frozenset(
    {Permission.INSTALLATION_READ, Permission.INSTALLATION_MANAGE}
)
# An installation administrator may enter every organization as its administrator, and run the installation.
INSTALLATION_ADMINISTRATOR: frozenset[Permission] = ROLE_PERMISSIONS[Role.ADMINISTRATOR] | INSTALLATION

# What a role of an organization's own may be made of. Everybody holds their own profile, which is not chosen.
CHOOSABLE: frozenset[Permission] = frozenset(Permission) - INSTALLATION - {Permission.PROFILE}

# Whoever holds one of these decides what others may, whatever their role is called.
ADMINISTERING: frozenset[Permission] = frozenset({Permission.KEYS_MANAGE, Permission.MEMBERS_MANAGE})

# With one of these alone nothing of the organization can be changed; a guard test holds the routes to it.
READ_ONLY: frozenset[Permission] = (_READING | _OVERSEEING | {Permission.INSTALLATION_READ}) - {
    Permission.PROFILE
}

# What a key may be given. Keys cannot make keys or members: a stolen one must not outlive its revocation.
KEY_SCOPES: frozenset[Permission] = frozenset(
    {
        Permission.REPORT_SUBMIT,
        Permission.REPORT_READ,
        Permission.INVENTORY_READ,
        Permission.INVENTORY_WRITE,
        Permission.FINDINGS_READ,
        Permission.FINDINGS_TRIAGE,
        Permission.KNOWLEDGE_READ,
        Permission.AUDIT_READ,
    }
)

# A key that may do no more than this is an agent's: it lies on many machines and has a budget of its own.
AGENT_SCOPES: frozenset[Permission] = frozenset({Permission.REPORT_SUBMIT, Permission.REPORT_READ})

PERMISSION_WORDS: dict[Permission, str] = {
    Permission.PROFILE: "see and change your own account",
    Permission.INVENTORY_READ: "read assets and their software",
    Permission.INVENTORY_WRITE: "change the exposure and criticality of assets, and say what their software is",
    Permission.FINDINGS_READ: "read findings and their explanations",
    Permission.FINDINGS_TRIAGE: "decide about findings and what is possibly affected",
    Permission.KNOWLEDGE_READ: "read vulnerabilities and the state of the feeds",
    Permission.REPORT_SUBMIT: "send agent reports and SBOMs",
    Permission.REPORT_READ: "read what became of a report",
    Permission.KEYS_READ: "see which API keys there are",
    Permission.KEYS_MANAGE: "create and revoke API keys",
    Permission.AUDIT_READ: "read the audit log",
    Permission.MEMBERS_READ: "see who is a member of the organization",
    Permission.MEMBERS_MANAGE: "add and remove members, and give them roles",
    Permission.INSTALLATION_READ: "see every account and organization of the installation",
    Permission.INSTALLATION_MANAGE: "run the installation: accounts, organizations, feeds",
}


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A role that an organization has made for itself."""

    id: int
    name: str
    permissions: frozenset[Permission]

    def __str__(self) -> str:
        return self.name


MemberRole = Role | CustomRole
CUSTOM = "custom"  # stands for the word of a built-in role where a member has one of the organization's own


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, in which organization, and what they may.

    `actor` is what the audit log keeps: `user:12`, `key:3`, `system` or `cli`. `organization_id` 0 is the
    installation itself.
    """

    organization_id: int
    actor: str
    permissions: frozenset[Permission]
    address: str | None = None

    @property
    def key_id(self) -> int | None:
        """Give the API key that asks, if one does."""
        kind, _, number = self.actor.partition(":")
        return int(number) if kind == "key" else None

    def may(self, permission: Permission) -> bool:
        """Say whether the caller holds `permission`."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise Forbidden unless the caller holds `permission`."""
        if self.may(permission):
            return
        words = PERMISSION_WORDS[permission]
        if self.actor.startswith("key:"):
            raise Forbidden(
                f"This API key may not {words}: it lacks the scope {permission.value}.",
                hint="Create a key with that scope under API keys. Nothing was changed.",
                code="key_scope",
            )
        raise Forbidden(
            f"Your role in this organization does not let you {words}.",
            hint=f"An administrator of the organization can change your role ({permission.value} is missing). "
            "Nothing was changed.",
        )

    def holds(self, permissions: frozenset[Permission]) -> bool:
        """Say whether the caller holds each of `permissions`; everybody has a profile of their own."""
        return permissions - {Permission.PROFILE} <= self.permissions

    def require_own(self, permissions: frozenset[Permission], undone: str, what: str) -> None:
        """Raise Forbidden unless the caller holds each of `permissions`: nobody gives or takes more than that.

        `undone` says what did not happen, `what` names whatever holds the permissions.
        """
        if self.holds(permissions):
            return
        beyond = sorted(permissions - self.permissions - {Permission.PROFILE})
        raise Forbidden(
            f"{undone}: {what} lets people {'; '.join(PERMISSION_WORDS[one] for one in beyond)}, and your role does not.",
            hint=f"Somebody who holds {', '.join(beyond)} as well can do it. Nothing was changed.",
            code="more_than_own",
        )


COMMAND_LINE = Caller(0, "cli", INSTALLATION_ADMINISTRATOR)
SYSTEM = Caller(0, "system", INSTALLATION_ADMINISTRATOR)


def chosen_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """Read the permissions of a custom role as they are stored; words that this release does not know say nothing."""
    return frozenset(permission for permission in CHOOSABLE if permission.value in frozenset(words))


def administers(role: MemberRole | None) -> bool:
    """Say whether a role lets people decide what others may in the organization."""
    return not ADMINISTERING.isdisjoint(permissions_of(role, installation_admin=False))


def permissions_of(role: MemberRole | None, *, installation_admin: bool) -> frozenset[Permission]:
    """Give what a person may in an organization beside their own profile; nothing for a stranger."""
    if installation_admin:
        return INSTALLATION_ADMINISTRATOR
    if isinstance(role, CustomRole):
        return role.permissions
    return ROLE_PERMISSIONS[role] if role is not None else frozenset()

"""Which groups of a provider give what here, as values: no database, no network."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sentrikat.domain.permissions import Role

EVERYBODY = "*"  # a rule for everyone the provider vouches for
_AROUND_COMMA = re.compile(r"\s*(?<!\\),\s*")
_AROUND_EQUALS = re.compile(r"\s*=\s*")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """Members of a group get a role in an organization, or run the installation, or both."""

    group: str  # as `normal_group` writes it, or EVERYBODY
    organization_id: int | None = None
    role: Role | None = None
    installation_admin: bool = False


@dataclass(frozen=True, slots=True)
class Entitled:
    """What a person's groups give them; nothing at all is no way in."""

    roles: dict[int, Role] = field(default_factory=dict)  # organization -> role
    installation_admin: bool = False

    def __bool__(self) -> bool:
        return bool(self.roles) or self.installation_admin


def entitled(rules: Sequence[GroupRule], groups: Collection[str]) -> Entitled:
    """Say what the rules give to somebody in these groups.

    For each organization the first rule that matches decides, so an operator can read the list from the top.
    """
    roles: dict[int, Role] = {}
    administers = False
    for rule in rules:
        if applies(rule, groups):
            administers = administers or rule.installation_admin
            if rule.organization_id is not None and rule.role is not None:
                roles.setdefault(rule.organization_id, rule.role)
    return Entitled(roles, administers)


def applies(rule: GroupRule, groups: Collection[str]) -> bool:
    """Say whether a rule speaks for somebody in these groups, written as `normal_group` does."""
    return rule.group == EVERYBODY or rule.group in groups


def normal_group(name: str) -> str:
    """Give the one spelling of a group's name or DN: directories compare neither case nor spaces around signs."""
    name = " ".join(name.split()).casefold()
    if "=" not in name:
        return name
    return _AROUND_EQUALS.sub("=", _AROUND_COMMA.sub(",", name))

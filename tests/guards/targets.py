"""What the parameters of addresses stand for: things of our organization, made anew where a call may end them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import text

from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import Estate, session_of

_KEY = """
insert into api_key (organization_id, name, prefix, secret_hash, scopes, created_at, created_by)
values (:acme, 'to revoke', substr(md5(random()::text), 1, 10), '\\x00', '{}', :now, 'cli') returning id
"""
_USER = """
with made as (
    insert into user_account (login, display_name, password_hash, password_changed_at, created_at)
    values ('made-' || substr(md5(random()::text), 1, 12), 'Made', 'x', :now, :now) returning id
)
insert into membership (organization_id, user_id, role, created_at)
select :acme, id, 'viewer', :now from made returning user_id
"""
_ROLE = """
insert into custom_role (organization_id, name, folded_name, permissions, created_at)
select :acme, made, made, '{inventory:read}', :now from (select 'made-' || md5(random()::text) as made) m returning id
"""
_CORRECTION = """
insert into title_correction (organization_id, title, meaning, reason, author, created_at)
values (:acme, 'No Such Title', 'ignored', 'to withdraw', 'cli', :now) returning id
"""

# What is sent where an empty request would be refused before anybody looks whose thing it names.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/api/v1/assets/{asset_id}"): {"exposure": "public"},
    ("POST", "/assets/{asset_id}"): {"exposure": "public"},
    ("POST", "/api/v1/api-keys/{key_id}/rotation"): {"overlap_hours": 1},
    ("PATCH", "/api/v1/members/{user_id}"): {"role": "analyst"},
    ("POST", "/members/{user_id}/role"): {"role": "analyst"},
    ("PATCH", "/api/v1/roles/{role_id}"): {"description": "Other."},
    ("PATCH", "/api/v1/users/{user_id}"): {"disabled": True},
    ("POST", "/users/{user_id}/disabled"): {"wanted": "yes"},
    ("POST", "/users/{user_id}/installation-admin"): {"wanted": "yes"},
    ("PATCH", "/api/v1/organizations/{organization_id}"): {"time_zone": "Europe/Zurich"},
}


class Targets:
    """Fills the parameters of an address."""

    def __init__(self, database: Database, estate: Estate, now: datetime) -> None:
        self._database = database
        self._estate = estate
        self._now = now
        acme = {"acme": estate.acme}
        with database.as_system() as session:
            finding = session.scalar(
                text("select min(id) from finding where organization_id = :acme and closed_at is null"), acme
            )
            receipt = session.scalar(text("select min(id) from receipt where organization_id = :acme"), acme)
            component = session.scalar(
                text(
                    "select min(component_id) from install where organization_id = :acme and component_id not in"
                    " (select component_id from install where organization_id <> :acme)"
                ),
                acme,
            )
        self._values: dict[str, Callable[[], object]] = {
            "asset_id": lambda: estate.assets["web-03"],
            "finding_id": lambda: finding,
            "receipt_id": lambda: receipt,
            "component_id": lambda: component,
            "organization_id": lambda: estate.acme,
            "vulnerability": lambda: "CVE-2023-5217",
            "name": lambda: "CVE-2023-5217",
            "digest": lambda: "0",
            "decision": lambda: "approve",
            "verdict": lambda: "approve",
            "bundle_id": lambda: 1,
            "provider_id": lambda: 1,
            "key_id": lambda: self._made(_KEY),
            "user_id": lambda: self._made(_USER),
            "role_id": lambda: self._made(_ROLE),
            "correction_id": lambda: self._made(_CORRECTION),
            "session_id": self._session,
        }

    def address(self, path: str) -> str:
        """Give the address of a route with things of ours filled in."""
        names = re.findall(r"{(\w+)}", path)
        if unknown := [name for name in names if name not in self._values]:
            raise KeyError(f"{path}: say in tests/guards/targets.py what {', '.join(unknown)} stands for")
        values = {name: self._values[name]() for name in names}
        if "/feeds/" in path and "name" in values:
            values["name"] = "kev"
        return path.format(**values)

    def _made(self, statement: str) -> int:
        with self._database.as_system() as session:
            return int(session.scalar(text(statement), {"acme": self._estate.acme, "now": self._now}) or 0)

    def _session(self) -> int:
        session_of(self._database, FrozenClock(self._now), self._estate, "viewer")
        with self._database.as_system() as session:
            return int(session.scalar(text("select max(id) from web_session")) or 0)

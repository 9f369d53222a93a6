"""Everybody who may stand before a route: who they are, what they hold, and what they send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from sentrikat.api.router import API_PREFIX
from sentrikat.domain.permissions import (
    COMMAND_LINE,
    INSTALLATION_ADMINISTRATOR,
    KEY_SCOPES,
    ROLE_PERMISSIONS,
    Caller,
    Permission,
    Role,
)
from sentrikat.identity import accounts, api_keys, custom_roles
from sentrikat.identity.models import UserAccount
from sentrikat.identity.passwords import hash_password
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.flows.estate import PASSWORD, PEPPER, Estate, key, session_of

OWN = frozenset({Permission.PROFILE})
# What the custom role of the caller "custom" is made of.
CHOSEN = frozenset({Permission.INVENTORY_READ, Permission.FINDINGS_READ})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of caller. `held` is None where the credential lets nobody in."""

    name: str
    words: str
    held: frozenset[Permission] | None
    headers: dict[str, str]
    ours: bool = False  # a member of the organization whose things are asked for, or above it
    key: bool = False
    login: str | None = None

    def let_in(self, path: str) -> bool:
        """Say whether the credential counts at an address: pages know no keys."""
        return self.held is not None and (not self.key or path.startswith(API_PREFIX))

    def may(self, path: str, permission: Permission) -> bool:
        """Say whether the caller holds what a route asks for."""
        return self.held is not None and self.let_in(path) and permission in self.held


def callers(database: Database, client: TestClient, estate: Estate) -> list[Kind]:
    """Make them all; their credentials are valid or invalid as of noon."""
    noon = client.app.state.clock.now()  # type: ignore[attr-defined]  # the application's
    clock = FrozenClock(noon)
    found = [Kind("anonymous", "sends nothing", None, {})]
    for role in Role:
        headers = browser(client, session_of(database, clock, estate, role.value))
        held = ROLE_PERMISSIONS[role] | OWN
        found.append(
            Kind(role.value, f"{role.value} of the organization", held, headers, True, login=role.value)
        )
    words = f"member with a role of the organization's own: {', '.join(sorted(CHOSEN))}"
    headers = browser(client, _with_custom_role(database, clock, estate))
    found.append(Kind("custom", words, CHOSEN | OWN, headers, True, login="custom"))
    headers = browser(client, session_of(database, clock, estate, "admin"))
    found.append(
        Kind(
            "installation",
            "installation administrator",
            INSTALLATION_ADMINISTRATOR,
            headers,
            True,
            login="admin",
        )
    )
    headers = browser(client, session_of(database, clock, estate, "theirs"))
    found.append(
        Kind(
            "foreign",
            "administrator of another organization, with ids of ours",
            ROLE_PERMISSIONS[Role.ADMINISTRATOR] | OWN,
            headers,
            login="theirs",
        )
    )
    headers = browser(client, session_of(database, clock, estate, "nowhere"))
    found.append(Kind("no member", "signed in, member of no organization", OWN, headers, login="nowhere"))
    # The session is opened after the account was disabled, so that more than its ending is tested.
    disabled = {"Cookie": f"sentrikat_session={_of_disabled(database, clock, estate)}"}
    found.append(Kind("disabled", "session of a disabled administrator", None, disabled))
    old = session_of(database, FrozenClock(noon - timedelta(hours=13)), estate, "administrator")
    found.append(Kind("expired", "session that has timed out", None, {"Cookie": f"sentrikat_session={old}"}))
    found += _keys(database, clock, estate)
    return found


def browser(client: TestClient, cookie: str) -> dict[str, str]:
    """Give what a signed-in browser sends, its token included."""
    headers = {"Cookie": f"sentrikat_session={cookie}"}
    return {**headers, "X-CSRF-Token": client.get("/api/v1/me", headers=headers).json()["csrf_token"]}


def _keys(database: Database, clock: FrozenClock, estate: Estate) -> list[Kind]:
    whole = key(database, clock, estate, *KEY_SCOPES)
    narrow = key(database, clock, estate, Permission.REPORT_SUBMIT)
    # Made by their own administrator: the log of an organization names whoever acted in it.
    theirs = Caller(
        estate.other, f"user:{estate.users['theirs']}", ROLE_PERMISSIONS[Role.ADMINISTRATOR] | OWN
    )
    with database.as_organization(estate.other) as session:
        foreign = api_keys.create_key(
            session,
            theirs,
            pepper=PEPPER,
            name="theirs",
            scopes=KEY_SCOPES,
            expires_at=clock.now() + timedelta(days=1),
            now=clock.now(),
        )
    expired = key(database, FrozenClock(clock.now() - timedelta(days=3)), estate, *KEY_SCOPES)
    revoked = key(database, clock, estate, *KEY_SCOPES)
    with database.as_organization(estate.acme) as session:
        api_keys.revoke_key(session, estate.caller(), revoked.id, now=clock.now())

    def kind(
        name: str, words: str, secret: str, held: frozenset[Permission] | None, *, ours: bool = False
    ) -> Kind:
        return Kind(name, words, held, {"Authorization": f"Bearer {secret}"}, ours, key=True)

    return [
        kind("key", "key with every scope", whole.secret, KEY_SCOPES, ours=True),
        kind("narrow key", "key with agent:report alone", narrow.secret, frozenset({Permission.REPORT_SUBMIT}), ours=True),
        kind("foreign key", "key of another organization, with ids of ours", foreign.secret, KEY_SCOPES),
        kind("expired key", "key whose time is over", expired.secret, None),
        kind("revoked key", "key that was revoked", revoked.secret, None),
    ]  # fmt: skip


def _with_custom_role(database: Database, clock: FrozenClock, estate: Estate) -> str:
    with database.as_system() as session:
        role = custom_roles.create_role(
            session, estate.caller(), name="Zqours chosen", permissions=CHOSEN, now=clock.now()
        )
        user = _account(session, clock, estate, "custom")
        accounts.set_role(session, COMMAND_LINE, user, estate.acme, role.role, now=clock.now())
    return session_of(database, clock, estate, "custom")


def _of_disabled(database: Database, clock: FrozenClock, estate: Estate) -> str:
    with database.as_system() as session:
        user = _account(session, clock, estate, "disabled")
        accounts.set_role(session, COMMAND_LINE, user, estate.acme, Role.ADMINISTRATOR, now=clock.now())
        accounts.disable_account(session, COMMAND_LINE, user, now=clock.now())
    return session_of(database, clock, estate, "disabled")


def _account(session: Session, clock: FrozenClock, estate: Estate, login: str) -> UserAccount:
    user = UserAccount(
        login=login,
        display_name=login.capitalize(),
        password_hash=hash_password(PASSWORD),
        password_changed_at=clock.now(),
        created_at=clock.now(),
    )
    session.add(user)
    session.flush()
    estate.users[login] = user.id
    return user

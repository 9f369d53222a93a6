"""How a door learns who is asking: from a session cookie or from an API key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sentrikat.domain.errors import Forbidden, SentriKatError
from sentrikat.domain.permissions import INSTALLATION, Caller, Permission, administers, permissions_of
from sentrikat.identity import web_sessions
from sentrikat.identity.admission import SignInMethod, SignInRules
from sentrikat.identity.queries import OrganizationRow, organizations_of
from sentrikat.identity.web_sessions import SessionLimits, SignedInSession


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a signed-in person: who, in which organization, and which others they may enter.

    `organization` is None for somebody who is a member of none; such a caller may do nothing but see
    their own account.
    """

    caller: Caller
    session: SignedInSession
    organization: OrganizationRow | None
    organizations: tuple[OrganizationRow, ...]

    def require_fresh(self, minutes: int, now: datetime) -> None:
        """Raise StepUpRequired unless the person proved who they are within the last `minutes`."""
        if now - self.session.authenticated_at > timedelta(minutes=minutes):
            raise StepUpRequired(
                f"Nothing was changed: this asks for your password or second factor, last given more than "
                f"{minutes} minutes ago.",
                hint="Confirm that it is you at /confirm, then repeat the change.",
            )

    def require_factor(self, rules: SignInRules) -> None:
        """Raise SecondFactorRequired from an administrator who should have given a second factor and did not.

        Sign-in asks for it; this is for who became an administrator since, or was one when the rule was made.
        """
        administering = self.session.installation_admin or any(
            administers(one.role) for one in self.organizations
        )
        method, emergency = SignInMethod(self.session.method), self.session.break_glass
        if self.session.factor is None and rules.demands_factor(
            method, break_glass=emergency, administers=administering
        ):
            raise SecondFactorRequired(
                "Nothing was changed: administrators need a second factor here, and you signed in without one.",
                hint="Set one up under Profile, or sign in again and give its code; then repeat the change.",
            )


def visit_of_cookie(
    session: Session, token: str | None, limits: SessionLimits, *, address: str | None, now: datetime
) -> Visit | None:
    """Give the visit a cookie stands for, or None when nobody is signed in with it.

    Needs a session that sees all organizations. The role is read anew on every request, so a change of
    role or a lost membership counts from the next click.
    """
    if not token or len(token) > 200:
        return None
    signed_in = web_sessions.resume(session, token, limits, now)
    if signed_in is None:
        return None
    organizations = organizations_of(
        session, signed_in.user_id, installation_admin=signed_in.installation_admin
    )
    chosen = next((o for o in organizations if o.id == signed_in.organization_id), None)
    organization = chosen or (organizations[0] if organizations else None)
    if organization is not None:
        held = permissions_of(organization.role, installation_admin=signed_in.installation_admin)
    else:
        # Without any organization there is nothing to read, but one can be made.
        held = INSTALLATION if signed_in.installation_admin else frozenset()
    caller = Caller(
        organization_id=organization.id if organization is not None else 0,
        actor=f"user:{signed_in.user_id}",
        permissions=held | {Permission.PROFILE},
        address=address,
    )
    return Visit(caller, signed_in, organization, tuple(organizations))


class NotAuthenticated(SentriKatError):
    """Nobody is signed in, or the key lets nobody in."""

    code = "not_authenticated"


class SecondFactorRequired(Forbidden):
    """The person is known and may, but not with a password alone."""

    code = "second_factor_required"


class StepUpRequired(Forbidden):
    """The person is known and may, but must prove again who they are."""

    code = "step_up_required"

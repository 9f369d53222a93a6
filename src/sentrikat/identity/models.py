"""Organizations, people, and the credentials of people and agents."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.infra.database.base import Base
from sentrikat.infra.encryption import ENCRYPTED

Moment = TIMESTAMP(timezone=True)
TOTP_PURPOSE = "totp.secret"


class Organization(Base):
    """A tenant. Its own row is visible to itself only."""

    __tablename__ = "organization"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    time_zone: Mapped[str] = mapped_column(Text, server_default="UTC")  # IANA name
    created_at: Mapped[datetime] = mapped_column(Moment)


class UserAccount(Base):
    """A person. Not of one organization: memberships say where they may do what."""

    __tablename__ = "user_account"
    __table_args__ = (
        UniqueConstraint("provider_id", "external_id"),
        CheckConstraint("(provider_id is null) = (external_id is null)", name="provider"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    login: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    display_name: Mapped[str] = mapped_column(Text)
    email: Mapped[str | None] = mapped_column(Text)  # lower case; not unique: families of accounts share one
    password_hash: Mapped[str | None] = mapped_column(Text)  # bcrypt, cost 12; None: a directory knows it
    password_changed_at: Mapped[datetime] = mapped_column(Moment)
    # Somebody else has seen the password: it opens the door once, to choose another one.
    must_change_password: Mapped[bool] = mapped_column(server_default="false")
    installation_admin: Mapped[bool] = mapped_column(server_default="false")
    # May always sign in with the local password, also when local sign-in is closed to everybody else.
    break_glass: Mapped[bool] = mapped_column(server_default="false")
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(Moment)
    # The directory or SAML provider that vouches for the person, and its immutable name for them.
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("identity_provider.id"))
    external_id: Mapped[str | None] = mapped_column(Text)
    # `installation_admin` was given by a group rule, and goes when the rule no longer speaks for them.
    admin_by_rule: Mapped[bool] = mapped_column(server_default="false")


class StoredRole(Base):
    """A role that an organization has made for itself."""

    __tablename__ = "custom_role"
    __table_args__ = (
        UniqueConstraint("organization_id", "id"),  # memberships name both, so none has another's role
        UniqueConstraint("organization_id", "folded_name"),
        CheckConstraint("cardinality(permissions) > 0", name="permissions"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str] = mapped_column(Text)
    folded_name: Mapped[str] = mapped_column(Text)  # as names are compared: without case
    description: Mapped[str] = mapped_column(Text, server_default="")
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(Moment)


class Membership(Base):
    """A person's role in an organization: a built-in one by its word, or one of its own by `custom_role_id`."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint(
            "role in ('viewer','analyst','manager','administrator','auditor','custom')", name="role"
        ),
        CheckConstraint("(role = 'custom') = (custom_role_id is not null)", name="custom_role"),
        ForeignKeyConstraint(
            ["organization_id", "custom_role_id"], ["custom_role.organization_id", "custom_role.id"]
        ),
    )

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    # Given by a group rule of this provider, which also changes and ends it; None: by a person.
    provider_id: Mapped[int | None] = mapped_column(ForeignKey("identity_provider.id"))
    custom_role_id: Mapped[int | None] = mapped_column(BigInteger)


class WebSession(Base):
    """A signed-in browser. Only a hash of the cookie is stored."""

    __tablename__ = "web_session"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    organization_id: Mapped[int | None] = mapped_column(BigInteger)  # the one being looked at
    csrf_secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_used_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    previous_visit_at: Mapped[datetime | None] = mapped_column(Moment)  # the sign-in before this one
    address: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)
    method: Mapped[str] = mapped_column(Text, server_default="password")  # how they proved who they are
    provider_id: Mapped[int | None] = mapped_column(BigInteger)  # which directory or provider vouched for it
    # The last time they proved it, by password or second factor: what is sensitive asks for a recent one.
    authenticated_at: Mapped[datetime] = mapped_column(Moment)
    factor: Mapped[str | None] = mapped_column(Text)  # the second factor that was given
    # The seed shown to this browser for a second factor that it has not confirmed yet.
    pending_secret: Mapped[bytes | None] = mapped_column(LargeBinary, info={ENCRYPTED: TOTP_PURPOSE})


class HalfOpenSignIn(Base):
    """Somebody has proven who they are, and something is still asked before a session is opened."""

    __tablename__ = "half_open_sign_in"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    method: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[int | None] = mapped_column(BigInteger)
    csrf_secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    address: Mapped[str | None] = mapped_column(Text)
    user_agent: Mapped[str | None] = mapped_column(Text)
    next_path: Mapped[str] = mapped_column(Text)  # where they were going
    factor: Mapped[str | None] = mapped_column(Text)
    pending_secret: Mapped[bytes | None] = mapped_column(LargeBinary, info={ENCRYPTED: TOTP_PURPOSE})


class TotpFactor(Base):
    """A person's confirmed second factor: the seed shared with the app on their phone."""

    __tablename__ = "totp_factor"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    secret: Mapped[bytes] = mapped_column(LargeBinary, info={ENCRYPTED: TOTP_PURPOSE})
    last_step: Mapped[int] = mapped_column(BigInteger)  # the step of the last code taken: none is taken twice
    created_at: Mapped[datetime] = mapped_column(Moment)


class RecoveryCode(Base):
    """A code that stands in for a lost second factor, once; only its hash is stored."""

    __tablename__ = "recovery_code"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class PasswordReset(Base):
    """A mailed link that lets a person choose a new password; only the hash of its token is stored."""

    __tablename__ = "password_reset"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    bound_to: Mapped[bytes] = mapped_column(LargeBinary)  # hash of the password's hash: a new one voids it
    expires_at: Mapped[datetime] = mapped_column(Moment)


class SecurityNotice(Base):
    """Something about signing in that installation administrators are told of."""

    __tablename__ = "security_notice"
    __table_args__ = (Index("ix_security_notice_kind_login_at", "kind", "login", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    login: Mapped[str] = mapped_column(Text)
    # None: there is no such account; kept all the same, so that both take as long.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    address: Mapped[str | None] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class SignInAttempt(Base):
    """Sign-ins that failed or are being checked, for the throttle; kept across a crash."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_sign_in_attempt_subject_at", "subject", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subject: Mapped[str] = mapped_column(Text)  # login:name | address:1.2.3.4
    at: Mapped[datetime] = mapped_column(Moment)


class RateBucket(Base):
    """How full a client's buckets were at its last request (identity.budgets); written by `rate_take` alone.

    Unlogged: no request waits for the disk, and a crash empties every bucket.
    """

    __tablename__ = "rate_bucket"
    __table_args__ = ({"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 50}},)

    client: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    hour_level: Mapped[float] = mapped_column(Double)
    day_level: Mapped[float] = mapped_column(Double)


class ApiKey(Base):
    """A key of an agent or a program, or a person's token, for one organization; only its hash is stored."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text, unique=True)  # shown in lists; finds the row
    # HMAC-SHA-256 with the pepper; plain SHA-256 in keys of before, until they are used again.
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    peppered: Mapped[bool] = mapped_column(server_default="false")
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Networks it may be used from, as "192.0.2.0/24"; none: from anywhere.
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    max_assets: Mapped[int | None] = mapped_column(Integer)  # new ones beyond are refused
    # Of a token: whose it is. It may never do more than its owner may at that moment.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    rotated_from: Mapped[int | None] = mapped_column(BigInteger)  # the key it takes the place of
    family: Mapped[int | None] = mapped_column(BigInteger)  # the first key of that line; None: itself
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_from: Mapped[str | None] = mapped_column(Text)  # address
    created_by: Mapped[str] = mapped_column(Text)  # actor, as in the audit log


class IdentityProvider(Base):
    """A directory or SAML provider that people may sign in with. `settings` has one form per kind."""

    __tablename__ = "identity_provider"
    __table_args__ = (CheckConstraint("kind in ('ldap','saml')", name="kind"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, unique=True)
    position: Mapped[int]  # directories are asked in this order
    enabled: Mapped[bool] = mapped_column(server_default="true")
    provisioning: Mapped[bool] = mapped_column(server_default="true")  # make accounts at the first sign-in
    settings: Mapped[dict[str, Any]]  # checked by the form of the kind, identity/provider_settings.py
    # The password of a directory's service account. SAML providers have none: our keys are in saml_key.
    secret: Mapped[bytes | None] = mapped_column(LargeBinary, info={ENCRYPTED: "identity_provider.secret"})
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_sync_at: Mapped[datetime | None] = mapped_column(Moment)  # the last one that went through
    last_sync: Mapped[dict[str, Any] | None]  # what it saw and did
    last_error: Mapped[str | None] = mapped_column(Text)  # None: it answered the last time it was asked
    last_error_at: Mapped[datetime | None] = mapped_column(Moment)


class IdentityGroupRule(Base):
    """Members of a provider's group get a role in an organization, or run the installation."""

    __tablename__ = "identity_group_rule"
    __table_args__ = (
        UniqueConstraint("provider_id", "position"),
        CheckConstraint("(organization_id is null) = (role is null)", name="organization_and_role"),
        CheckConstraint("organization_id is not null or installation_admin", name="gives_something"),
        CheckConstraint("role in ('viewer','analyst','manager','administrator','auditor')", name="role"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("identity_provider.id", ondelete="CASCADE"))
    position: Mapped[int]  # for one organization, the first rule that matches decides
    group_name: Mapped[str] = mapped_column(Text)  # a name or DN, as `normal_group` writes it; * is everybody
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    role: Mapped[str | None] = mapped_column(Text)
    installation_admin: Mapped[bool] = mapped_column(server_default="false")

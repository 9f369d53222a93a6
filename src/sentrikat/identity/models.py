"""Organizations, people, and the credentials of people and agents."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.infra.database.base import Base

Moment = TIMESTAMP(timezone=True)


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

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    login: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    display_name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str] = mapped_column(Text)  # bcrypt, cost 12
    password_changed_at: Mapped[datetime] = mapped_column(Moment)
    # Somebody else has seen the password: it opens the door once, to choose another one.
    must_change_password: Mapped[bool] = mapped_column(server_default="false")
    installation_admin: Mapped[bool] = mapped_column(server_default="false")
    disabled_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(Moment)


class Membership(Base):
    """A person's role in an organization."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint("role in ('viewer','analyst','manager','administrator','auditor')", name="role"),
    )

    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)


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


class SignInAttempt(Base):
    """Sign-ins that failed or are being checked, for the throttle; kept across a crash."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_sign_in_attempt_subject_at", "subject", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    subject: Mapped[str] = mapped_column(Text)  # login:name | address:1.2.3.4
    at: Mapped[datetime] = mapped_column(Moment)


class ApiKey(Base):
    """A key of an agent or a program, scoped to one organization; only its hash is stored."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text, unique=True)  # shown in lists; finds the row
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)  # SHA-256: the secret has 256 random bits
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    last_used_at: Mapped[datetime | None] = mapped_column(Moment)
    created_by: Mapped[str] = mapped_column(Text)  # actor, as in the audit log

"""What SAML keeps: our keys, questions that wait for an answer, what was answered, sessions at providers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from sentrikat.identity.models import Moment
from sentrikat.infra.database.base import Base
from sentrikat.infra.encryption import ENCRYPTED

KEY_PURPOSE = "saml_key.private_key"


class SamlKey(Base):
    """A key pair of ours. One signs; during a change there is one before or after it, which opens as well."""

    __tablename__ = "saml_key"
    __table_args__ = (CheckConstraint("state in ('next','current','previous')", name="state"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    state: Mapped[str] = mapped_column(Text, unique=True)  # at most one of each
    certificate: Mapped[str] = mapped_column(Text)  # DER in base64
    private_key: Mapped[bytes] = mapped_column(LargeBinary, info={ENCRYPTED: KEY_PURPOSE})
    created_at: Mapped[datetime] = mapped_column(Moment)


class SamlRequest(Base):
    """A question of ours that a person is at the provider with, and then the answer, until it is fetched."""

    __tablename__ = "saml_request"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    request_id: Mapped[str] = mapped_column(Text, unique=True)  # AuthnRequest/@ID or LogoutRequest/@ID
    provider_id: Mapped[int] = mapped_column(
        ForeignKey("identity_provider.id", ondelete="CASCADE"), index=True
    )
    # Hash of the browser's cookie; None: nobody asked (started at the provider), or a logout.
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    again: Mapped[bool] = mapped_column(
        server_default="false"
    )  # they must authenticate even if they just did
    # The session that asks again who sits there; only the same person may answer.
    web_session_id: Mapped[int | None] = mapped_column(ForeignKey("web_session.id", ondelete="CASCADE"))
    next_path: Mapped[str] = mapped_column(Text, server_default="/")
    address: Mapped[str | None] = mapped_column(Text, index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    ticket_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)  # fetches `person`, once
    person: Mapped[dict[str, Any] | None]  # whom the provider vouched for


class SamlUsed(Base):
    """Messages that were taken once and are not taken again, for as long as they would be valid."""

    __tablename__ = "saml_used"
    __table_args__ = (Index("ix_saml_used_expires_at", "expires_at"),)

    provider_id: Mapped[int] = mapped_column(
        ForeignKey("identity_provider.id", ondelete="CASCADE"), primary_key=True
    )
    message_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)  # SHA-256 of its ID
    expires_at: Mapped[datetime] = mapped_column(Moment)


class SamlSession(Base):
    """A person's session at a provider, so that either side can end it at the other."""

    __tablename__ = "saml_session"
    __table_args__ = (Index("ix_saml_session_provider_id_name_id", "provider_id", "name_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("identity_provider.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), index=True)
    # None: a second factor was still asked; then every session this person has from the provider is meant.
    web_session_id: Mapped[int | None] = mapped_column(
        ForeignKey("web_session.id", ondelete="CASCADE"), index=True
    )
    name_id: Mapped[str] = mapped_column(Text)
    name_id_detail: Mapped[dict[str, Any]]  # format and qualifiers, which a logout must repeat
    session_index: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)

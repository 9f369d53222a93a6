"""What the flows of SAML have in common: an application with two providers, and a browser that walks between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from sentrikat.audit.models import AuditEntry
from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.models import IdentityGroupRule, IdentityProvider, WebSession
from sentrikat.identity.providers import create_provider
from sentrikat.identity.saml.configuration import SamlConfiguration
from sentrikat.identity.saml.idp_metadata import read_metadata
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database import Database
from tests.peers.simplesamlphp import Form, SimpleSamlPhp

PUBLIC = "https://kat.example.org"


def configured(metadata: bytes, extra: str = "", **changes: Any) -> SamlConfiguration:
    """A provider as its metadata says; `extra` is a certificate that counts beside its own."""
    read = read_metadata(metadata)
    return SamlConfiguration(
        **{
            "entity_id": read.entity_id,
            "sso_url": read.sso_url,
            "certificates": (*read.certificates, *((extra,) if extra else ())),
            "slo_url": read.slo_url,
            "login_attribute": "uid",
            **changes,
        }
    )


def add_provider(
    database: Database,
    configuration: SamlConfiguration,
    name: str,
    clock: FrozenClock,
    rules: Mapping[str, tuple[int, str]],
) -> int:
    """A provider with group rules: group -> organization, role."""
    with database.as_system() as session:
        provider = create_provider(
            session,
            COMMAND_LINE,
            lambda: pytest.fail("a SAML provider has no secret"),
            kind="saml",
            name=name,
            settings=configuration.to_json(),
            now=clock.now(),
        ).id
        for position, (group, (organization, role)) in enumerate(rules.items()):
            session.add(
                IdentityGroupRule(
                    provider_id=provider,
                    position=position,
                    group_name=group,
                    organization_id=organization,
                    role=role,
                )
            )
    return provider


@dataclass
class Scene:
    """The application, the peer, and one browser that visits both."""

    client: TestClient
    database: Database
    clock: FrozenClock
    peer: SimpleSamlPhp
    provider: int
    abroad: httpx2.Client

    def start(self, **query: str) -> str:
        """Begin at the sign-in page; give the address at the provider."""
        answer = self.client.get(f"/saml/{self.provider}/start", params=query)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def answered(self, address: str, login: str = "jane") -> Form:
        """Sign in at the provider, and give what it sends back through the browser."""
        return self.peer.sign_in(self.abroad, address, login)

    def post(self, encoded: str, provider: int | None = None, **fields: str) -> httpx2.Response:
        """Bring an answer to our door."""
        return self.client.post(
            f"/saml/{provider or self.provider}/acs", data={"SAMLResponse": encoded, **fields}
        )

    def sign_in(self, login: str = "jane", **query: str) -> httpx2.Response:
        """The whole way; give the last answer of ours."""
        form = self.answered(self.start(**query), login)
        assert urlsplit(form.action).path == f"/saml/{self.provider}/acs"
        answer = self.post(form.fields["SAMLResponse"])
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.headers["location"])

    def who(self) -> str | None:
        """Who is signed in with the browser."""
        answer = self.client.get("/api/v1/me")
        return answer.json()["login"] if answer.status_code == 200 else None

    def sessions(self) -> int:
        """How many sessions there are that a provider vouched for."""
        with self.database.as_system() as session:
            return len(session.scalars(select(WebSession.id).where(WebSession.method == "saml")).all())

    def last_entry(self) -> AuditEntry:
        """The newest entry of the installation's log."""
        with self.database.as_system() as session:
            entry = session.scalars(
                select(AuditEntry)
                .where(AuditEntry.organization_id == 0)
                .order_by(AuditEntry.id.desc())
                .limit(1)
            ).one()
            session.expunge(entry)
            return entry

    def last_error(self) -> str | None:
        """What administrators read beside the provider."""
        with self.database.as_system() as session:
            found: str | None = session.scalar(
                select(IdentityProvider.last_error).where(IdentityProvider.id == self.provider)
            )
            return found

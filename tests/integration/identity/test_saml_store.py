"""What SAML keeps in PostgreSQL is exact, however many processes ask at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import func, select

from sentrikat.domain.permissions import COMMAND_LINE
from sentrikat.identity.providers import create_provider
from sentrikat.identity.saml.configuration import SamlConfiguration
from sentrikat.identity.saml.journey import purge, use_once
from sentrikat.identity.saml.keys import key_pairs
from sentrikat.identity.saml.models import SamlKey, SamlUsed
from sentrikat.identity.saml.refusal import Reason, SamlRefused
from sentrikat.infra.database import Database
from sentrikat.infra.encryption import Vault
from tests.identity_provider import IDP, keys

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def provider(database: Database) -> int:
    """A SAML provider."""
    configuration = SamlConfiguration(
        entity_id=IDP, sso_url="https://idp.example.org/sso", certificates=(keys("idp").certificate.body,)
    )
    with database.as_system() as session:
        return create_provider(
            session,
            COMMAND_LINE,
            lambda: pytest.fail("a SAML provider has no secret"),
            kind="saml",
            name="Company",
            settings=configuration.to_json(),
            now=NOW,
        ).id


def test_of_many_that_bring_one_assertion_at_once_one_is_let_in(database: Database, provider: int) -> None:
    def bring(_number: int) -> bool:
        try:
            with database.as_system() as session:
                use_once(session, provider, "_one", NOW + timedelta(minutes=5), "The assertion")
        except SamlRefused as refused:
            return refused.reason is not Reason.REPLAYED  # nothing else may refuse it
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(bring, range(16))) == [False] * 15 + [True]


def test_an_assertion_is_remembered_until_its_age_refuses_it(database: Database, provider: int) -> None:
    with database.as_system() as session:
        use_once(session, provider, "_old", NOW, "The assertion")
        use_once(session, provider, "_new", NOW + timedelta(seconds=1), "The assertion")
        purge(session, NOW)

        assert session.scalar(select(func.count()).select_from(SamlUsed)) == 1
        with pytest.raises(SamlRefused):
            use_once(session, provider, "_new", NOW, "The assertion")


def test_browsers_that_come_first_together_make_one_key(database: Database) -> None:
    vault = Vault([Fernet.generate_key().decode()])

    def first(_number: int) -> str:
        with database.as_system() as session:
            return key_pairs(session, vault, NOW)[0].certificate.fingerprint

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(first, range(4)))) == 1
    with database.as_system() as session:
        stored = session.scalars(select(SamlKey.private_key)).one()
    assert b"PRIVATE KEY" not in stored

"""Every column whose name or type speaks of a secret is encrypted, a hash, or excused here with a reason."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import LargeBinary, String, Text

from sentrikat.infra.encryption import ENCRYPTED
from sentrikat.infra.key_rotation import secret_columns
from sentrikat.migrations import all_metadata

SPEAKS = re.compile(r"secret|token|password|passphrase|key|seed|credential|private|code|bound_to|hash")

HASHED = {
    "api_key.secret_hash": "SHA-256 of 256 random bits",
    "half_open_sign_in.token_hash": "SHA-256 of 256 random bits",
    "password_reset.token_hash": "SHA-256 of 256 random bits",
    "password_reset.bound_to": "hash of a password's hash",
    "recovery_code.code_hash": "hash of a random code",
    "saml_request.browser_hash": "SHA-256 of a random cookie",
    "saml_request.ticket_hash": "SHA-256 of a random ticket",
    "saml_used.message_hash": "SHA-256 of a message's name",
    "user_account.password_hash": "bcrypt",
    "web_session.token_hash": "SHA-256 of 256 random bits",
}
PUBLIC = {
    "audit_checkpoint.key_id": "names a public key",
    "audit_entry.previous_hash": "the chain is shown to whoever reads the log",
    "audit_entry.hash": "the chain is shown to whoever reads the log",
    "flaw_name.key": "a vulnerability's name",
    "pace.key": "names an address that is asked slowly",
    "component_product.version_key": "a version, in the order of versions",
    "half_open_sign_in.csrf_secret": "opens nothing without the cookie, of which only the hash is here",
    "web_session.csrf_secret": "opens nothing without the cookie, of which only the hash is here",
}


def _speaking() -> set[str]:
    return {
        f"{table.name}.{column.name}"
        for table in all_metadata().sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary | Text | String) and SPEAKS.search(column.name)
    }


def test_each_is_encrypted_hashed_or_public() -> None:
    encrypted = {one.name for one in secret_columns(all_metadata())}

    assert encrypted
    assert _speaking() - encrypted == {*HASHED, *PUBLIC}


@pytest.mark.parametrize("column", secret_columns(all_metadata()), ids=lambda one: str(one.name))
def test_an_encrypted_column_can_be_rotated(column: object) -> None:
    """Rotation walks tables by primary key, and a value's purpose is what it was sealed with."""
    found = next(one for one in secret_columns(all_metadata()) if one == column)
    assert list(found.table.primary_key.columns)
    assert isinstance(found.column.type, LargeBinary)
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", found.column.info[ENCRYPTED])

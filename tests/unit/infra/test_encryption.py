"""Secrets of the database: what opens them, what does not, and where the key is kept."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sentrikat.domain.errors import InvalidInput
from sentrikat.infra import encryption
from sentrikat.infra.encryption import (
    KEY_FILE,
    FileVault,
    SecretUnreadable,
    Vault,
    open_vault,
    read_keys,
    write_keys,
)
from sentrikat.infra.settings import Settings

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_secret_comes_back_as_it_went_in(secret: str) -> None:
    vault = Vault([NEW])
    assert vault.decrypt(vault.encrypt(secret, purpose="a"), purpose="a") == secret


def test_the_same_secret_looks_different_each_time() -> None:
    vault = Vault([NEW])
    assert vault.encrypt("x", purpose="a") != vault.encrypt("x", purpose="a")


def test_an_old_key_still_reads_and_rotation_makes_it_needless() -> None:
    old = Vault([OLD]).encrypt("x", purpose="a")
    rotated = Vault([NEW, OLD]).rotate(old, purpose="a")
    assert Vault([NEW]).decrypt(rotated, purpose="a") == "x"
    with pytest.raises(SecretUnreadable, match="no key"):
        Vault([NEW]).decrypt(old, purpose="a")


def test_a_secret_moved_to_another_place_is_refused() -> None:
    vault = Vault([NEW])
    with pytest.raises(SecretUnreadable, match="another purpose"):
        vault.decrypt(vault.encrypt("x", purpose="provider.secret"), purpose="totp.secret")


@pytest.mark.parametrize("altered", [b"", b"x", b"gAAAAA", "ä".encode()])
def test_what_is_no_token_is_refused(altered: bytes) -> None:
    with pytest.raises(SecretUnreadable):
        Vault([NEW]).decrypt(altered, purpose="a")


def test_a_changed_byte_is_refused() -> None:
    token = bytearray(Vault([NEW]).encrypt("x", purpose="a"))
    token[20] ^= 1
    with pytest.raises(SecretUnreadable):
        Vault([NEW]).decrypt(bytes(token), purpose="a")


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "not a key"]])
def test_a_wrong_key_is_refused_without_being_repeated(keys: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Vault(keys)
    assert not any(key in str(refused.value) for key in keys)
    assert NEW not in repr(Vault([NEW]))


def test_the_first_need_makes_a_key_that_only_the_owner_reads(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var")
    token = open_vault(settings).encrypt("x", purpose="a")
    file = tmp_path / "var" / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [KEY_FILE]
    assert open_vault(settings).decrypt(token, purpose="a") == "x"


def test_keys_of_the_settings_count_before_the_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, encryption_keys=SecretStr(f"{NEW}, {OLD}"))
    assert Vault([NEW]).decrypt(open_vault(settings).encrypt("x", purpose="a"), purpose="a") == "x"
    assert not (tmp_path / KEY_FILE).exists()


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(read_keys, [tmp_path / KEY_FILE] * 8)
    assert len({tuple(keys) for keys in found}) == 1


def test_a_file_that_is_replaced_while_it_is_opened_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / KEY_FILE
    write_keys(file, [OLD])

    def read_and_be_overtaken(path: Path) -> list[str]:
        found = read_keys(path)
        write_keys(path, [NEW, *found])
        return found

    monkeypatch.setattr(encryption, "read_keys", read_and_be_overtaken)
    vault = FileVault(file)

    assert vault.decrypt(Vault([NEW]).encrypt("seed", purpose="x"), purpose="x") == "seed"
    assert Vault([NEW]).decrypt(vault.encrypt("seed", purpose="x"), purpose="x") == "seed"

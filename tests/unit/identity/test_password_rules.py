"""Which passwords are refused, and which are nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidInput
from sentrikat.identity.password_rules import (
    COMMON,
    LONGEST_CHOSEN,
    WIDTH,
    is_common,
    problem_of,
    require_good,
)


def problem(
    password: str, *, min_length: int = 8, words: tuple[str, ...] = (), list_file: Path | None = None
) -> str | None:
    return problem_of(password, login="jane.doe", min_length=min_length, words=words, list_file=list_file)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short", "has 5 characters"),
        ("x" * (LONGEST_CHOSEN + 1), "at most"),
        ("my-jane.doe-password", "login name"),
        ("aaaaaaaabbbb", "five different"),
        ("password123", "most used"),  # itself in the list
        ("qwertyuiop", "most used"),
        ("Password2026!", "most used"),  # with little added
        ("P@ssw0rd!!", "most used"),  # disguised
        ("Pa$$word1", "most used"),
        ("!!Sunshine99", "most used"),
        ("dragondragon", "most used"),  # twice
        ("MonkeyMonkeyMonkey1", "most used"),
        ("SentriKat2026!", "sentrikat"),
        ("5entrikat-admin", "sentrikat"),
        ("Acme-Rockets-2026", "Acme Rockets"),
        ("AcmeRockets#1", "Acme Rockets"),
    ],
)
def test_what_others_would_try_first_is_refused(password: str, why: str) -> None:
    found = problem(password, words=("Acme Rockets", "Other Ltd"))

    assert found is not None
    assert why in found


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",  # a few words
        "all lower case is fine",  # no rules about kinds of characters
        "1029384756 47 nordlicht",
        "acme pays for lunch today",  # names the house, and much more
        "sunshine over the harbor",  # a common word among others
        "пароль из шести слов тут",
        "🦊🐻🐼🐨🐯🦁🐮🐷🐸🐵🐔🐧",
        "with spaces at the end   ",
        "0123456789abcdefghijklmnopqrstuv" * 4,  # 128: the longest that a password manager makes
    ],
)
def test_long_and_unusual_ones_are_taken_whatever_they_are_made_of(password: str) -> None:
    assert problem(password, min_length=12, words=("Acme Rockets",)) is None


def test_the_customer_s_own_list_counts_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "refused.txt"
    file.write_text("Hausverwaltung Zentrale\n\n", encoding="utf-8")
    assert problem("hausverwaltung zentrale 1", list_file=file) is not None
    assert problem("maschinenraum zwei drei", list_file=file) is None

    file.write_text("Maschinenraum Zwei Drei\n", encoding="utf-8")
    assert problem("maschinenraum zwei drei", list_file=file) is not None


def test_the_refusal_names_the_field_and_not_the_password() -> None:
    with pytest.raises(InvalidInput) as refused:
        require_good("password123", login="jane", min_length=8)

    assert refused.value.code == "password_rejected"
    assert "new_password" in refused.value.fields
    assert "password123" not in str(refused.value)


def test_the_list_is_sorted_and_small() -> None:
    content = COMMON.read_bytes()
    hashes = [content[i : i + WIDTH] for i in range(0, len(content), WIDTH)]

    assert hashes == sorted(set(hashes))
    assert 25_000 < len(hashes) <= 30_000
    assert b"password" not in content
    assert is_common("123456")
    assert not is_common("correct horse battery")


@given(st.text(max_size=80))
def test_no_text_breaks_the_rules(password: str) -> None:
    assert problem(password) is None or isinstance(problem(password), str)

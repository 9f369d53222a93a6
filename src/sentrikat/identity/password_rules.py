"""Which passwords are refused when somebody chooses one: what others would try first.

NIST SP 800-63B, 5.1.1.2: a least length, a list of known passwords, words of the context; no rules about kinds
of characters, no expiry. A password is compared as it is and as people disguise it: `P@ssword2026!` is `password`.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path

from sentrikat.domain.errors import InvalidInput

COMMON = Path(__file__).parent / "data" / "common_passwords.bin"  # made by tools/build_common_passwords.py
WIDTH = 5  # bytes of a hash that are kept
PRODUCT = ("sentrikat",)

LONGEST_CHOSEN = 128  # characters; no password manager makes longer ones (ASVS 2.1.2)

_LEAST_LEFT = 8  # characters that must remain when the words of the context are taken out
_LONGEST_WORD = 64
_DISGUISES = str.maketrans("@4301!5$7", "aaeoiisst")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")


def require_good(
    password: str, *, login: str, min_length: int, words: Iterable[str] = (), list_file: Path | None = None
) -> None:
    """Raise InvalidInput for a password that is too short, too long, or what others would try first.

    words       names that belong to the place: organizations
    list_file   the customer's own list, one password a line
    """
    problem = problem_of(password, login=login, min_length=min_length, words=words, list_file=list_file)
    if problem is not None:
        raise InvalidInput(
            f"The password was not accepted. {problem}",
            hint="Take a few random words; nothing was changed.",
            code="password_rejected",
            fields={"new_password": problem},
        )


def problem_of(
    password: str, *, login: str, min_length: int, words: Iterable[str], list_file: Path | None
) -> str | None:
    """Say what is wrong with a password, or None."""
    if len(password) < min_length:
        return f"It has {len(password)} characters; at least {min_length} are needed."
    if len(password) > LONGEST_CHOSEN:
        return f"It has {len(password)} characters; at most {LONGEST_CHOSEN} are allowed."
    if login.casefold() in password.casefold() and len(login) >= 3:
        return "It contains the login name."
    if len(set(password)) < 5:
        return "It consists of fewer than five different characters."
    forms = set(_forms(password))
    if any(is_common(form) for form in forms):
        return "It is one of the most used passwords, or one of them with little added."
    if list_file is not None and not forms.isdisjoint(_listed(list_file, list_file.stat().st_mtime_ns)):
        return "It stands in the list of passwords that this installation refuses."
    if left := _mostly_context(password, (*PRODUCT, *words)):
        return f"It is little more than the name “{left}”."
    return None


def is_known(password: str, list_file: Path | None) -> bool:
    """Say whether a password is one that others would try: listed here or by the customer, also disguised."""
    forms = set(_forms(password))
    if any(is_common(form) for form in forms):
        return True
    return list_file is not None and not forms.isdisjoint(_listed(list_file, list_file.stat().st_mtime_ns))


def is_common(form: str) -> bool:
    """Say whether a password stands in the list that is shipped."""
    hashes, wanted = _common(), fingerprint(form)
    at = bisect_left(hashes, wanted)
    return at < len(hashes) and hashes[at] == wanted


def fingerprint(form: str) -> bytes:
    """Give what is kept of a password."""
    return hashlib.sha256(form.encode("utf-8", "surrogatepass")).digest()[:WIDTH]


def _forms(password: str) -> Iterator[str]:
    plain = password.casefold()
    for one in (plain, plain.translate(_DISGUISES)):
        yield one
        bare = _ENDS.sub("", one)
        if len(bare) >= 4:
            yield bare
        for text in (one, bare):
            # passwordpassword: the shortest part that the whole is made of.
            at = (text + text).find(text, 1)
            if 4 <= at < len(text):
                yield text[:at]
    # Pa$$word1 ends in what would be taken for a letter: the ends go first, then the disguise.
    bare = _ENDS.sub("", plain).translate(_DISGUISES)
    if len(bare) >= 4:
        yield bare


def _mostly_context(password: str, words: Iterable[str]) -> str | None:
    text = password.casefold()
    for word in words:
        name = word.casefold().strip()[:_LONGEST_WORD]
        for spelling in {name, name.replace(" ", ""), *name.split()}:
            if len(spelling) < 4:
                continue
            for one in (text, text.translate(_DISGUISES)):
                if spelling in one and len(re.sub(r"[\W\d_]", "", one.replace(spelling, ""))) < _LEAST_LEFT:
                    return word
    return None


@cache
def _common() -> list[bytes]:
    content = COMMON.read_bytes()
    return [content[i : i + WIDTH] for i in range(0, len(content), WIDTH)]


@lru_cache(maxsize=1)
def _listed(file: Path, _changed_at: int) -> frozenset[str]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return frozenset(line.strip().casefold() for line in lines if line.strip())

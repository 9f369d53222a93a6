"""Who vouches for a bundle: envelopes, chains of roots, and the golden bundles of the contract."""

from __future__ import annotations

import base64
import itertools
import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.domain.errors import Conflict, InvalidInput
from sentrikat.domain.signed_statement import (
    LARGEST_INTEGER,
    PublicKey,
    canonical,
    opened,
    public_half,
    signed,
    to_sign,
)
from sentrikat.feeds.bundle import root as roots
from sentrikat.feeds.bundle.keyring import Keyring
from sentrikat.feeds.bundle.manifest import BundleRefused
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.bundle.root import Root, RootRefused
from sentrikat.feeds.bundle.trust import Gate
from tests.unit.feeds.samples import SAMPLES

NOW = datetime(2026, 6, 2, 12, tzinfo=UTC)
ORIGIN = "0123456789abcdef" * 2
CONTRACT = SAMPLES.parents[1] / "contracts" / "feed-bundle"
SEALED = CONTRACT / "sealed"
KEY, NEXT, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2, 3))


# -- envelopes ----------------------------------------------------------------------------


def test_what_is_signed_is_the_encoding_that_dsse_publishes() -> None:
    """The test vector of the protocol's own page."""
    assert to_sign("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_signature_holds_for_its_kind_and_payload_alone() -> None:
    envelope = signed("a/b", b"payload", [KEY])
    keys = {public_half(KEY).id: public_half(KEY)}

    assert opened(envelope.encoded(), "a/b").signers(keys) == frozenset(keys)
    assert not signed("a/b", b"payload", [OTHER]).signers(keys)
    with pytest.raises(ValueError, match="it signs 'a/b' and not 'a/c'"):
        opened(envelope.encoded(), "a/c")
    for altered in (
        {**json.loads(envelope.encoded()), "payload": base64.b64encode(b"other").decode()},
        {**json.loads(envelope.encoded()), "payloadType": "a/c"},
    ):
        assert not opened(orjson.dumps(altered), altered["payloadType"]).signers(keys)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_a_value_error(content: bytes) -> None:
    try:
        opened(content, "a/b")
    except (ValueError, TypeError):
        return


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | TEXTS,
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inside, max_size=4)
    ),
    max_leaves=12,
)


@given(value=st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), VALUES, max_size=5))
def test_canonical_bytes_are_those_of_rfc_8785(value: dict[str, Any]) -> None:
    """For ASCII names and whole numbers the standard library's compact form, sorted, is the RFC's."""
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert canonical(value) == expected.encode()


@pytest.mark.parametrize("value", [{"a": 1.5}, {"a": 2**53}, {"ä": 1}, {"a": [{"b": -(2**60)}]}])
def test_what_two_readers_may_see_differently_is_not_signed(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="that a signed document may"):
        canonical(value)


# -- roots --------------------------------------------------------------------------------


def chain_of(*keys: Ed25519PrivateKey) -> list[Any]:
    """A chain in which each key is followed by the next."""
    chain = [roots.first_root(ORIGIN, "Example", keys[0], NOW)]
    for old, new in itertools.pairwise(keys):
        chain.append(roots.next_root(roots.decoded(chain[-1].payload), old, new, NOW))
    return chain


def test_a_chain_is_followed_to_its_newest_root() -> None:
    chain = chain_of(KEY, NEXT, OTHER)
    first = roots.first_of(chain)

    newest = roots.newest(first, roots.read_chain(roots.encoded_chain(chain)))

    assert (newest.version, newest.keys) == (3, (public_half(OTHER),))
    assert roots.newest(newest, chain) == newest, "who is there already stays"
    assert roots.newest(newest, chain[:1]) == newest, "and never goes back"


def forged(
    version: int, *signers: Ed25519PrivateKey, key: Ed25519PrivateKey = OTHER, origin: str = ORIGIN
) -> Any:
    return signed(roots.KIND, Root(origin, version, "Example", NOW, (public_half(key),)).encoded(), signers)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        (forged(2, OTHER), "root 2 is not signed by a key of root 1"),
        (forged(2, KEY), "root 2 is not signed by its own key"),  # a key that nobody proved to hold
        (forged(3, KEY, OTHER), "root 2 is missing before root 3"),
        (forged(1, KEY, OTHER), "another one than the root 1 pinned here"),
        (forged(2, KEY, OTHER, origin="f" * 32), "it mixes the origins"),
    ],
)
def test_a_link_that_does_not_hold_refuses_the_chain(link: Any, reason: str) -> None:
    chain = chain_of(KEY)

    with pytest.raises(RootRefused, match=reason):
        roots.newest(roots.first_of(chain), [*chain, link])


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": 2},
        {"threshold": True},
        {"version": 0},
        {"version": "1"},
        {"origin": "x"},
        {"keys": {}},
        {"keys": {"0" * 64: "00" * 32}},  # a key under another's name
        {"keys": {"0" * 64: "00" * 31}},
        {"keys": {"0" * 64: "zz"}},
        {"format": "x"},
        {"made_at": None},
        {"name": ""},
    ],
)
def test_a_root_of_another_form_is_refused(change: dict[str, Any]) -> None:
    root = json.loads(roots.first_root(ORIGIN, "Example", KEY, NOW).payload) | change

    with pytest.raises(RootRefused):
        roots.first_of([signed(roots.KIND, orjson.dumps(root), [KEY])])


@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_chain_or_refused(content: bytes) -> None:
    try:
        roots.read_chain(content)
    except RootRefused:
        return


def test_a_root_fulfils_the_contract() -> None:
    schema = json.loads((CONTRACT / "root.schema.json").read_text())

    for envelope in chain_of(KEY, NEXT):
        jsonschema.validate(json.loads(envelope.payload), schema)


def test_a_public_key_has_its_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PublicKey(b"short")


# -- the keyring --------------------------------------------------------------------------


def test_a_key_is_readable_by_its_owner_only_and_made_once(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    root = ring.create("Example", NOW)

    assert stat.S_IMODE(ring.key_file.stat().st_mode) == 0o600
    assert ring.root() == root
    with pytest.raises(Conflict, match="holds one already"):
        ring.create("Example", NOW)


def test_a_rotation_keeps_the_origin_and_lets_the_old_key_go(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    before = ring.create("Example", NOW)
    old, _ = ring.signer()

    after = ring.rotate(NOW)

    assert (after.origin, after.version) == (before.origin, 2)
    assert public_half(old) not in after.keys
    assert sorted(path.name for path in ring.folder.iterdir()) == ["roots.json", "signing.pem"]


def test_files_of_two_backups_sign_nothing(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "keys")
    ring.create("Example", NOW)
    older = ring.key_file.read_bytes()
    ring.rotate(NOW)
    ring.key_file.write_bytes(older)

    with pytest.raises(InvalidInput, match=r"is not the one that roots\.json names"):
        ring.signer()


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_that_is_missing_or_broken_is_a_clear_error(tmp_path: Path, content: bytes | None) -> None:
    ring = Keyring(tmp_path)
    if content is not None:
        ring.key_file.write_bytes(content)
        ring.roots_file.write_bytes(b"[]")

    with pytest.raises(InvalidInput, match="Nothing was signed"):
        ring.signer()


# -- the golden bundles -------------------------------------------------------------------


def gate() -> Gate:
    """What a reader has pinned: root 2."""
    chain = roots.read_chain((SEALED / "roots.json").read_bytes())
    pinned = roots.newest(roots.first_of(chain), chain)
    assert pinned.version == 2
    return Gate({pinned.origin: pinned})


@pytest.mark.parametrize(
    ("name", "version"), [("good-full", 2), ("good-delta", 2), ("good-after-rotation", 3)]
)
def test_a_golden_bundle_passes(name: str, version: int) -> None:
    asked = gate()
    with BundleReader(SEALED / f"{name}.bundle", gate=asked) as reader:
        assert reader.manifest.feeds == {"euvd", "exploitdb"}
        assert asked.root is not None
        assert asked.root.version == version


REFUSED = {
    "bad-altered-document": "not the document the manifest names",
    "bad-altered-manifest": "is not the one that was signed",
    "bad-bomb": "larger than the manifest says",
    "bad-claims-more-than-the-file": "claims 4,294,967,294 bytes, and the whole file has",
    "bad-cut": "was not imported",
    "bad-deflated": "packed in a way no bundle uses",
    "bad-foreign-key-under-our-roots": "and Example connected site signs with",
    "bad-foreign-origin": r"\(Somebody else\), and this server trusts Example connected site",
    "bad-path-climbs": "does not name",
    "bad-signed-by-replaced-key": "which root 2 of Example connected site replaced by",
    "bad-symlink": "is a link or a folder",
    "bad-twice": "holds one file twice",
    "bad-unsigned": "is not signed",
}


@pytest.mark.parametrize("path", sorted(SEALED.glob("bad-*.bundle")), ids=lambda path: path.stem)
def test_a_golden_bad_bundle_is_refused_for_its_reason(path: Path) -> None:
    with pytest.raises(BundleRefused, match=REFUSED[path.stem]), BundleReader(path, gate=gate()):
        pass


def test_whoever_trusts_nobody_takes_nothing() -> None:
    with (
        pytest.raises(BundleRefused, match="this server trusts nobody yet"),
        BundleReader(SEALED / "good-full.bundle", gate=Gate({})),
    ):
        pass

"""Bundles: what goes in comes out, and an altered one gives nothing at all."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import zstandard

from sentrikat.domain.errors import Conflict
from sentrikat.feeds import kev, osv, registry
from sentrikat.feeds.adapter import Document, FeedState, FetchOptions, Validators
from sentrikat.feeds.bundle.manifest import BundleRefused, Manifest, decoded
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.bundle.writer import Chosen, write_bundle
from sentrikat.feeds.transports.bundle import BundleTransport
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import SAMPLES, advisories, sample, zipped

MADE = datetime(2026, 6, 1, 12, tzinfo=UTC)
MAY = "kev/known_exploited_vulnerabilities_2026-05-30.json"
CONTRACT = SAMPLES.parents[1] / "contracts" / "feed-bundle"


def chosen() -> list[Chosen]:
    archive = zipped(path.read_bytes() for path in sorted((SAMPLES / "osv").glob("*.json")))
    return [
        Chosen(
            registry.feed("kev"),
            document(sample(MAY), kev.URL).remembering(released="2026-05-29T19:00:06.342900+00:00"),
        ),
        Chosen(registry.feed("osv"), document(archive, osv.archive_url("PyPI"))),
    ]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "feeds.bundle"
    write_bundle(path, chosen(), MADE)
    return path


def rewritten(path: Path, change: Callable[[dict[str, bytes]], Any]) -> Path:
    """Write the bundle again with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    def changed(members: dict[str, bytes]) -> None:
        manifest = orjson.loads(members["manifest.json"])
        change(manifest)
        members["manifest.json"] = orjson.dumps(manifest)

    return changed


def test_an_import_from_a_bundle_is_the_run_that_the_network_gives(bundle: Path) -> None:
    with BundleReader(bundle) as reader:
        (catalogue,) = kev.fetch(BundleTransport(reader, "kev"), FeedState(), FetchOptions())
        (archive,) = osv.fetch(BundleTransport(reader, "osv"), FeedState(), FetchOptions())

        assert catalogue.read() == sample(MAY)
        assert catalogue.url == kev.URL
        assert len(advisories(osv.parse, archive)) == 28


def test_the_state_of_a_bundle_is_the_state_of_the_server_that_made_it(bundle: Path) -> None:
    with BundleReader(bundle) as reader:
        found = list(kev.fetch(BundleTransport(reader, "kev"), FeedState(), FetchOptions()))
        state = FeedState().after(found)

        assert state.of(kev.URL) == chosen()[0].document.validators
        assert list(kev.fetch(BundleTransport(reader, "kev"), state, FetchOptions())) == []


def test_a_bundle_with_an_older_catalogue_than_the_one_held_is_refused(bundle: Path) -> None:
    state = FeedState(cursors={"released": "2026-06-10T00:00:00+00:00"})

    with BundleReader(bundle) as reader, pytest.raises(Conflict):
        list(kev.fetch(BundleTransport(reader, "kev"), state, FetchOptions()))


def test_a_cut_document_leaves_no_trace_in_the_state() -> None:
    whole = document(b"x", kev.URL).remembering(released="2026")
    cut = Document(**{name: getattr(whole, name) for name in whole.__slots__} | {"cut": True})

    assert FeedState().after([cut]) == FeedState()
    assert FeedState().after([whole]).cursors == {"released": "2026"}


def test_the_same_documents_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bundle(tmp_path / name, chosen(), MADE)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_failed_writing_leaves_the_old_bundle_and_nothing_else(bundle: Path) -> None:
    before = bundle.read_bytes()

    def failing() -> Any:
        yield chosen()[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_bundle(bundle, failing(), MADE)

    assert bundle.read_bytes() == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_the_manifest_says_whose_data_it_is(bundle: Path) -> None:
    with BundleReader(bundle) as reader:
        assert {one.feed: one.license for one in reader.manifest.attributions} == {
            "kev": "CC0-1.0",
            "osv": "CC-BY-4.0",
        }
        assert reader.manifest.made_at == MADE


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99, 0.999])
def test_a_bundle_cut_anywhere_is_refused(bundle: Path, share: float) -> None:
    content = bundle.read_bytes()
    bundle.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(BundleRefused, match="was not imported"), BundleReader(bundle):
        pass


def test_a_bundle_with_any_bit_turned_is_refused_or_the_same(bundle: Path) -> None:
    """Bits of the zip's own bookkeeping (times, flags) carry no data; every other one refuses it."""
    content = bundle.read_bytes()
    with BundleReader(bundle) as reader:
        manifest = reader.manifest
    for place in range(0, len(content), 997):
        bundle.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            with BundleReader(bundle) as reader:
                assert reader.manifest == manifest
        except BundleRefused:
            pass


def _other_document(members: dict[str, bytes]) -> None:
    members["documents/00000.zst"] = zstandard.compress(sample(MAY).replace(b'"Known"', b'"Unkno"'))


def _bomb(members: dict[str, bytes]) -> None:
    members["documents/00000.zst"] = zstandard.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_other_document, "not the document the manifest names"),
        (_bomb, "larger than the manifest says"),
        (lambda members: members.pop("documents/00001.zst"), "is missing"),
        (lambda members: members.pop("manifest.json"), "no manifest"),
        (lambda members: members.update({"../../etc/cron.d/x": b"x"}), "does not name"),
        (lambda members: members.update({"manifest.json": b"{}"}), "not a feed bundle"),
        (lambda members: members.update({"manifest.json": b"\xff"}), "was not imported"),
        (with_manifest(lambda m: m.update(version=2)), "format version 2"),
        (with_manifest(lambda m: m["documents"][0].update(member="../../../x")), "must not have"),
        (with_manifest(lambda m: m["documents"][0].update(member="documents/00001.zst")), "twice"),
        (with_manifest(lambda m: m["documents"][0].update(sha256="0" * 64)), "not the document"),
        (with_manifest(lambda m: m["documents"][0].update(bytes=-1)), "not a size"),
        (with_manifest(lambda m: m["documents"][0].update(bytes=1 << 60)), "unpacks to"),
        (with_manifest(lambda m: m["documents"][0].update(url="file:///etc/passwd")), "must not have"),
        (with_manifest(lambda m: m.pop("made_at")), "made_at"),
    ],
)
def test_an_altered_bundle_is_refused_before_anything_comes_out(
    bundle: Path, change: Callable[[dict[str, bytes]], Any], reason: str
) -> None:
    rewritten(bundle, change)

    with pytest.raises(BundleRefused, match=reason), BundleReader(bundle):
        pass


def test_a_signature_beside_the_manifest_is_left_to_whoever_checks_it(bundle: Path) -> None:
    rewritten(bundle, lambda members: members.update({"manifest.sig": b"signature"}))

    with BundleReader(bundle) as reader:
        assert hashlib.sha256(reader.manifest_bytes).digest()
        assert decoded(reader.manifest_bytes).encoded() == reader.manifest_bytes


def test_what_was_unpacked_is_gone_with_the_reader(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    with BundleReader(bundle, folder) as reader:
        reader.document(reader.manifest.documents[0])
        assert list(folder.iterdir())

    assert list(folder.iterdir()) == []


def schema() -> Any:
    return json.loads((CONTRACT / "manifest.schema.json").read_text())


@pytest.mark.parametrize("path", sorted((CONTRACT / "good").glob("*.json")), ids=lambda path: path.stem)
def test_the_contract_and_the_reader_take_the_good_manifests(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text()), schema(), format_checker=jsonschema.FormatChecker())

    assert isinstance(decoded(path.read_bytes()), Manifest)


@pytest.mark.parametrize("path", sorted((CONTRACT / "bad").glob("*.json")), ids=lambda path: path.stem)
def test_the_contract_and_the_reader_refuse_the_bad_manifests(path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()), schema(), format_checker=jsonschema.FormatChecker())
    with pytest.raises(BundleRefused):
        decoded(path.read_bytes())


def test_the_golden_bundle_is_read() -> None:
    with BundleReader(CONTRACT / "good" / "small.bundle") as reader:
        assert {one.feed for one in reader.manifest.documents} == {"kev", "osv"}


def test_a_writer_of_today_fulfils_the_contract(bundle: Path) -> None:
    with BundleReader(bundle) as reader:
        jsonschema.validate(orjson.loads(reader.manifest_bytes), schema())
        assert reader.manifest.documents[0].validators != Validators()

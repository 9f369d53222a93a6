"""SBOMs of several makers become one kind of inventory. The documents are short ones of our own."""

from __future__ import annotations

import copy
import io
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.inventory import Inventory, OperatingSystem, Software
from sentrikat.inventory.readers import Reading, read, read_report

SAMPLES = Path(__file__).parents[2] / "samples" / "inventory"
REPOSITORY = Path(__file__).parents[3]
LARGE = Path(os.environ.get("SENTRIKAT_SHARED", REPOSITORY.parent / "shared")) / "data" / "inventory"


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((SAMPLES / name).read_bytes())
    return document


def reading(document: dict[str, Any], hostname: str | None = None) -> Reading:
    return read_report(orjson.dumps(document), hostname=hostname)


def named(inventory: Inventory) -> dict[str, Software]:
    return {software.name: software for software in inventory.software}


def test_an_image_as_trivy_describes_it() -> None:
    found = reading(sample("trivy.cdx.json"))
    inventory = found.inventory

    assert found.form == "cyclonedx"
    assert inventory.hostname == "registry.example.org/shop:3.4"
    assert (inventory.os.family, inventory.os.name, inventory.os.version) == ("linux", "debian", "12.1")
    assert inventory.collected_at == datetime(2026, 5, 18, 6, 15, tzinfo=UTC)
    library = named(inventory)["libssl3"]
    assert (library.type, library.version, library.arch) == ("deb", "3.0.9-1", "amd64")
    assert (library.source_name, library.source_version) == ("openssl", "3.0.9-1")
    assert named(inventory)["login"].source_version == "1:4.13+dfsg1-1"  # put together from epoch and release
    assert named(inventory)["nodejs"].module == "nodejs:18:9020020230327152102:rhel9"
    assert named(inventory)["nodejs"].release == "rhel:9"
    assert named(inventory)["django"].path == "app/requirements.txt"
    assert set(found.remarks) == {"files left out: 1", "components of scope “excluded” left out: 1"}


def test_an_image_as_syft_describes_it() -> None:
    inventory = reading(sample("syft.cdx.json")).inventory

    assert (inventory.os.name, inventory.os.version) == ("alpine", "3.18.2")
    assert named(inventory)["libcrypto3"].source_name == "openssl"
    assert named(inventory)["@angular/core"].type == "npm"
    assert named(inventory)["Legacy Tool"] == Software(
        "cpe", "Legacy Tool", "1.0", vendor="Example", cpe="cpe:2.3:a:example:legacy_tool:1.0:*:*:*:*:*:*:*"
    )


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_every_version_of_cyclonedx_is_read(version: str) -> None:
    document = sample("syft.cdx.json") | {"specVersion": version}

    assert len(reading(document).inventory.software) == 4


def test_components_inside_components_are_found_at_every_depth() -> None:
    component: dict[str, Any] = {"type": "library", "name": "innermost", "purl": "pkg:npm/innermost@1.0.0"}
    for depth in range(20):
        component = {"type": "library", "name": f"at-{depth}", "components": [component]}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}

    assert len(reading(document, "host").inventory.software) == 21


def test_the_system_is_what_most_packages_come_from_when_nothing_says_it() -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "components": [
            {"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1?distro=debian-12"},
            {"type": "library", "name": "b", "purl": "pkg:deb/debian/b@1?distro=debian-12"},
            {"type": "library", "name": "c", "purl": "pkg:deb/ubuntu/c@1?distro=ubuntu-22.04"},
            {"type": "library", "name": "d", "purl": "pkg:deb/ubuntu/d@1"},
        ],
    }
    inventory = reading(document, "host").inventory

    assert inventory.os == OperatingSystem("linux", name="debian", version="12")
    assert {name: s.release for name, s in named(inventory).items()} == {
        "a": None,
        "b": None,
        "c": "ubuntu:22.04",
        "d": "ubuntu",  # of which release is not said: Debian's must not judge it
    }


def test_a_package_url_that_cannot_be_read_costs_only_itself() -> None:
    document = sample("syft.cdx.json")
    document["components"].append({"type": "library", "name": "odd", "version": "1", "purl": "pkg:nonsense"})

    found = reading(document)

    assert named(found.inventory)["odd"].type == "application"
    assert found.remarks == ("package URLs that could not be read, whose packages are kept by name: 1",)


def test_the_same_document_filed_under_two_names_is_two_reports() -> None:
    body = orjson.dumps(sample("syft.cdx.json"))

    ids = {read(body, hostname=name).report_id for name in ("one", "two", "one")}

    assert len(ids) == 2


def test_an_spdx_2_document_is_read() -> None:
    found = reading(sample("image.spdx.json"))
    inventory = found.inventory

    assert found.form == "spdx"
    assert inventory.hostname == "registry.example.org/mail"
    assert inventory.os == OperatingSystem("linux", name="debian", version="11")
    assert named(inventory)["exim4-base"].source_name == "exim4"
    assert named(inventory)["exim4-base"].vendor == "Debian Exim4 Maintainers"
    assert named(inventory)["OldTool"].cpe == "cpe:2.3:a:example:oldtool:2.0:*:*:*:*:*:*:*"
    assert named(inventory)["nameless-version"].version is None  # NOASSERTION
    assert found.remarks == ("source archives left out: 1",)


def test_an_spdx_3_document_is_read() -> None:
    found = reading(sample("service.spdx3.json"))

    assert found.form == "spdx"
    assert found.inventory.hostname == "order-service"
    assert found.inventory.collected_at == datetime(2026, 5, 18, 6, 15, tzinfo=UTC)
    assert named(found.inventory)["org.apache.logging.log4j:log4j-core"].version == "2.14.1"
    assert named(found.inventory)["openssl"].cpe == "cpe:2.3:a:openssl:openssl:3.0.2:*:*:*:*:*:*:*"
    assert found.remarks == ("files left out: 1",)


@pytest.mark.parametrize(
    ("document", "path", "says"),
    [
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.9"},
            "specVersion",
            "is 1.9, and 1.2 to 1.7 are understood",
        ),
        ({"bomFormat": "CycloneDX", "specVersion": 1.6}, "specVersion", "is a number"),
        ({"bomFormat": "OtherBOM", "specVersion": "1.6"}, "bomFormat", "is not “CycloneDX”"),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}},
            "components",
            "is an object, not a list",
        ),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library"}]},
            "components[0].name",
            "is missing or empty",
        ),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a", "version": 1}]},
            "components[0].version",
            "is a number, not a string",
        ),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a\x00"}]},
            "components[0].name",
            "holds a control character",
        ),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": ["a"]},
            "components[0]",
            "is a string, not an object",
        ),
        (
            {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"timestamp": "yesterday"}},
            "metadata.timestamp",
            "is not a moment",
        ),
        ({"spdxVersion": "SPDX-1.2"}, "spdxVersion", "is SPDX-1.2"),
        ({"spdxVersion": "SPDX-2.3", "packages": [7]}, "packages[0]", "is a number, not an object"),
        ({"@context": "https://example.org/other", "@graph": []}, "@context", "does not name SPDX 3.0"),
        ({"hello": "world"}, "", "is of no known form"),
    ],
)
def test_a_document_that_breaks_its_form_is_refused_with_path_and_reason(
    document: dict[str, Any], path: str, says: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        reading(document, "host")

    assert path in refused.value.fields
    assert says in refused.value.fields[path]


def test_a_document_without_a_subject_needs_a_name_to_be_filed_under() -> None:
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}

    with pytest.raises(InvalidInput) as refused:
        reading(document)

    assert list(refused.value.fields) == ["metadata.component.name"]
    assert reading(document, "host").inventory.hostname == "host"


@pytest.mark.parametrize("hostname", ["", "  ", "h" * 254, "a\x00b"])
def test_a_name_to_file_under_must_be_a_name(hostname: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        reading(sample("syft.cdx.json"), hostname)

    assert list(refused.value.fields) == ["hostname"]


DOCUMENTS = ["trivy.cdx.json", "syft.cdx.json", "image.spdx.json", "service.spdx3.json"]
WILD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 7, 1.5, "", "x", "pkg:", "pkg:deb/x@%", "cpe:", "a\x00b", "v" * 2000, [], {}, [[]]]
)


@settings(max_examples=300)
@given(st.data())
def test_a_document_with_one_wild_value_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    document = copy.deepcopy(sample(data.draw(st.sampled_from(DOCUMENTS))))
    owners: list[Any] = []

    def collect(value: object) -> None:
        if isinstance(value, dict | list) and value:
            owners.append(value)
            for inside in value.values() if isinstance(value, dict) else value:
                collect(inside)

    collect(document)
    owner = data.draw(st.sampled_from(owners))
    key = data.draw(st.sampled_from(sorted(owner) if isinstance(owner, dict) else range(len(owner))))
    owner[key] = data.draw(WILD)
    try:
        reading(document, "host")
    except InvalidInput as refused:
        assert refused.fields  # noqa: PT017  # both outcomes are right, a third is not


def test_real_boms_are_read() -> None:
    archive = LARGE / "cyclonedx-bom-examples.tar.zst"
    if not archive.exists():
        pytest.skip(f"needs {archive.name}")
    plain = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes()).read()
    sizes: dict[str, int] = {}
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for member in tar:
            if member.name.endswith(".json") and (file := tar.extractfile(member)) is not None:
                inventory = read(file.read(), hostname="host")
                sizes[member.name.split("/SBOM/")[-1]] = len(inventory.software)

    assert len(sizes) >= 60
    assert sizes["keycloak-10.0.2/bom.json"] == 904
    assert sizes["juice-shop/v11.1.2/bom.json"] == 841

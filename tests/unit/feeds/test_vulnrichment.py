"""CVE JSON 5 records, with what CISA adds to them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, DecisionPoints, Enrichment, Product, Remedy, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.domain.ranges import VersionRange
from sentrikat.domain.versions import Scheme
from sentrikat.feeds import overrides, vulnrichment
from sentrikat.feeds.adapter import Quarantined
from sentrikat.feeds.formats.cve5_record import records
from sentrikat.feeds.transports.memory import document
from tests.unit.feeds.samples import SAMPLES, advisories, as_document, sample


def tarball(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def repository(folder: str) -> dict[str, bytes]:
    return {
        f"repository-main/data/{path.name}": path.read_bytes()
        for path in sorted((SAMPLES / folder).glob("CVE-*.json"))
    }


def recorded(identifier: str) -> Advisory:
    (found, *_) = records(orjson.loads(sample(f"cve5/{identifier}.json")), "vulnrichment")
    assert isinstance(found, Advisory)
    return found


def record(*affected: dict[str, Any], **cna: Any) -> Any:
    return {
        "cveMetadata": {"cveId": "CVE-2024-1111", "state": "PUBLISHED"},
        "containers": {"cna": {"affected": list(affected), **cna}},
    }


def products(*affected: dict[str, Any]) -> dict[Product, VersionRange]:
    (found, *_) = records(record(*affected), "vulnrichment")
    assert isinstance(found, Advisory)
    return {one.product: one.versions for one in found.statements}


def test_the_repository_is_read_as_it_streams_by() -> None:
    files = repository("cve5") | {"repository-main/README.md": b"# Text"}

    found = list(vulnrichment.parse(document(tarball(files), vulnrichment.URL)))

    assert len([one for one in found if isinstance(one, Advisory)]) == len(files) - 1
    assert not [one for one in found if isinstance(one, Quarantined)]


@pytest.mark.parametrize("content", [b"", b"[]", tarball({}), tarball(repository("cve5"))[:5_000]])
def test_a_cut_or_empty_repository_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(vulnrichment.parse(document(content, vulnrichment.URL)))


@pytest.mark.parametrize(
    ("options", "points"),
    [
        (
            [{"Exploitation": "none"}, {"Automatable": "no"}, {"Technical Impact": "partial"}],
            DecisionPoints("none", False, "partial"),
        ),
        # the same words in other cases occur in the same repository
        (
            [{"Exploitation": "Active"}, {"Automatable": "Yes"}, {"Technical Impact": "Total"}],
            DecisionPoints("active", True, "total"),
        ),
        ([{"Exploitation": "PoC"}], DecisionPoints("poc", None, None)),
        ([{"Exploitation": "maybe"}], DecisionPoints(None, None, None)),  # no such value: not stated
    ],
)
def test_decision_points_are_read_whatever_their_case(
    options: list[dict[str, str]], points: DecisionPoints
) -> None:
    content = record(metrics=[{"other": {"type": "ssvc", "content": {"options": options}}}])

    (_, found) = records(content, "vulnrichment")

    assert isinstance(found, Enrichment)
    assert found.decision_points == points


def test_free_words_and_cpe_names_each_make_a_statement() -> None:
    found = products(
        {
            "vendor": "Example Corp",
            "product": "Widget  Server",
            "cpes": ["cpe:2.3:a:example:widget_server:*:*:*:*:*:*:*:*"],
            "versions": [
                {"status": "affected", "version": "1.0", "lessThan": "1.5", "versionType": "semver"}
            ],
        }
    )

    span = VersionRange(Scheme.GENERIC, "1.0", fixed="1.5")
    assert found == {
        Product("cve5", "example corp:widget server"): span,
        Product("cpe:a", "example:widget_server"): span,
    }


@pytest.mark.parametrize(
    ("collection", "package", "product", "scheme"),
    [
        ("https://pypi.python.org/", "Apache_Airflow", Product("pypi", "apache-airflow"), Scheme.PEP440),
        ("https://repo.maven.apache.org/maven2", "org.x:y", Product("maven", "org.x:y"), Scheme.MAVEN),
        ("https://registry.npmjs.org", "left-pad", Product("npm", "left-pad"), Scheme.SEMVER),
        ("https://packagist.org", "A/B", Product("composer", "a/b"), Scheme.COMPOSER),
        ("https://pkg.go.dev", "example.org/x", Product("golang", "example.org/x"), Scheme.GO),
    ],
)
def test_a_package_of_a_collection_is_a_product_of_its_language(
    collection: str, package: str, product: Product, scheme: Scheme
) -> None:
    found = products(
        {
            "vendor": "n/a",
            "product": "n/a",
            "collectionURL": collection,
            "packageName": package,
            "versions": [{"status": "affected", "version": "0", "lessThan": "1.2.3"}],
        }
    )

    assert found == {product: VersionRange(scheme, fixed="1.2.3")}


def test_a_package_url_is_a_product_of_its_language() -> None:
    found = products({"packageURL": "pkg:npm/%40angular/core", "versions": []})

    assert list(found) == [Product("npm", "@angular/core")]


def test_an_rpm_of_red_hat_is_judged_as_a_package_and_never_as_the_system() -> None:
    """Its CPE names the whole Red Hat Enterprise Linux, its versions only the package."""
    found = products(
        {
            "vendor": "Red Hat",
            "product": "Red Hat Enterprise Linux 9",
            "packageName": "kernel",
            "collectionURL": "https://access.redhat.com/downloads/content/package-browser/",
            "cpes": ["cpe:/o:redhat:enterprise_linux:9::baseos"],
            "versions": [
                {"status": "unaffected", "version": "0:5.14.0-427.el9", "lessThan": "*", "versionType": "rpm"}
            ],
            "defaultStatus": "affected",
        }
    )

    assert found == {Product("rhel:9", "kernel"): VersionRange(Scheme.RPM, fixed="0:5.14.0-427.el9")}


@pytest.mark.parametrize("vendor", ["n/a", "N/A", "unknown", ""])
def test_a_product_without_a_name_makes_no_statement(vendor: str) -> None:
    assert (
        products({"vendor": vendor, "product": "n/a", "versions": [{"status": "affected", "version": "n/a"}]})
        == {}
    )


def test_unaffected_by_default_is_a_statement() -> None:
    (found, *_) = records(
        record({"vendor": "Red Hat", "product": "Satellite", "defaultStatus": "unaffected"}), "vulnrichment"
    )

    assert isinstance(found, Advisory)
    (statement,) = found.statements
    assert (statement.status, statement.remedy) == (Status.UNAFFECTED, Remedy.NOT_AFFECTED)


def test_cpe_applicability_is_read_like_a_configuration_of_nvd() -> None:
    found = {one.product.name for one in recorded("CVE-2021-34506").statements}

    assert "microsoft:edge_chromium" in found


def test_a_score_names_its_assessor() -> None:
    found = recorded("CVE-2023-41267")

    assert all(one.provider and one.primary is (one.provider != "CISA-ADP") for one in found.scores)


def test_a_rejected_record_states_nothing() -> None:
    content = record(
        {"vendor": "a", "product": "b"}, rejectedReasons=[{"lang": "en", "value": "Not a flaw."}]
    )
    content["cveMetadata"]["state"] = "REJECTED"

    (found,) = records(content, "vulnrichment")

    assert isinstance(found, Advisory)
    assert (found.rejected, found.statements, found.description) == (True, (), "Not a flaw.")


def test_overrides_are_configurations_under_their_own_name() -> None:
    files = repository("overrides")

    found = advisories(overrides.parse, document(tarball(files), overrides.URL))

    assert len(found) == len(files)
    assert {one.source for one in found} == {"overrides"}
    # "null:null", which never is vulnerable, is how an override takes a wrong configuration of NVD away.
    assert [one.id for one in found if not one.statements] == ["CVE-1999-0037"]


def test_a_single_override_is_read_like_an_archive_of_one() -> None:
    content = orjson.loads(sample("overrides/CVE-2025-0167.json"))

    (found,) = advisories(overrides.parse, as_document(content))

    assert found.id == "CVE-2025-0167"


def test_an_archive_without_overrides_is_refused() -> None:
    with pytest.raises(FeedFormatError):
        list(
            overrides.parse(document(tarball({"repository-main/schema/override.json": b"{}"}), overrides.URL))
        )

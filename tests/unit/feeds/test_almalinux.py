"""AlmaLinux: an erratum as statements about packages of a release and its module streams."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Product, Remedy, Status
from sentrikat.domain.errors import FeedFormatError, Unavailable
from sentrikat.feeds import almalinux
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, as_document, sample

OPTIONS = FetchOptions(now=datetime(2026, 11, 1, tzinfo=UTC))
ERRATA = sample("almalinux/errata.full.json")


def errata() -> dict[str, Advisory]:
    return {one.id: one for one in advisories(almalinux.parse, document(ERRATA))}


def changed(**change: Any) -> Any:
    whole = orjson.loads(ERRATA)
    whole["data"][0] |= change
    return whole


def test_an_erratum_names_its_flaws_and_the_first_good_build_of_each_package() -> None:
    found = errata()["ALSA-2023:0001/9"]

    assert found.vulnerabilities == ("CVE-2023-0001", "CVE-2023-0002")
    assert found.aliases == ()
    assert found.published == datetime(2023, 5, 4, tzinfo=UTC)
    assert [(one.product, one.versions.fixed) for one in found.statements] == [
        (Product("almalinux:9", "anvil"), "4.16.4-103.el9_1"),
        (Product("almalinux:9", "anvil-tools"), "1:2.0-3.el9_1"),
    ]
    assert {(one.status, one.remedy, one.module, one.note) for one in found.statements} == {
        (Status.AFFECTED, Remedy.FIXED, None, "severity: moderate")
    }


def test_a_module_build_is_limited_to_its_stream_and_the_usual_architecture_speaks_for_it() -> None:
    """The release is that of the packages here: the erratum's page is not named."""
    (statement,) = errata()["ALSA-2021:0002/8"].statements

    assert statement.product == Product("almalinux:8", "furnace")
    assert statement.module == "furnace:1.0"
    assert statement.versions.fixed == "2:1.3-2.module_el8.3.0+2044+12421f43"


def test_what_repairs_no_flaw_is_no_advisory() -> None:
    assert sorted(errata()) == ["ALSA-2021:0002/8", "ALSA-2023:0001/9"]


def test_a_security_erratum_without_a_cve_is_about_itself() -> None:
    whole = changed(references=[{"id": "x", "type": "self", "href": "https://errata.almalinux.org/9/x.html"}])
    found = {one.id: one for one in advisories(almalinux.parse, as_document(whole))}

    assert found["ALSA-2023:0001/9"].vulnerabilities == ("ALSA-2023:0001",)


def test_the_bare_list_of_older_files_is_read_too() -> None:
    found = advisories(almalinux.parse, as_document(orjson.loads(ERRATA)["data"]))

    assert {one.id for one in found} == set(errata())


def test_an_erratum_of_two_releases_is_one_record_for_each() -> None:
    """Ids of records are unique within a feed, and the files of two releases hold the same erratum."""
    nine = advisories(almalinux.parse, document(ERRATA))
    eight = advisories(almalinux.parse, document(ERRATA.replace(b"org/9/", b"org/8/")))

    assert {one.id for one in nine} & {one.id for one in eight} == {"ALSA-2021:0002/8"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "RHSA-2023:0001"}, "no id of an erratum"),
        ({"packages": "anvil"}, "packages"),
        ({"packages": [{"name": "anvil", "version": "1", "arch": "x86_64"}]}, "release"),
        (
            {"packages": [{"name": "a", "version": "1", "release": "1", "arch": "x86_64", "module": "a"}]},
            "stream",
        ),
        (
            {"references": [], "packages": [{"name": "a", "version": "1", "release": "1", "arch": "x86_64"}]},
            "neither",
        ),
        ({"issued_date": "yesterday"}, "issued_date"),
        ({"issued_date": 1e300}, "issued_date"),
    ],
)
def test_an_erratum_of_another_shape_is_set_aside(change: dict[str, Any], says: str) -> None:
    aside = [one for one in almalinux.parse(as_document(changed(**change))) if isinstance(one, Quarantined)]

    assert len(aside) == 1
    assert says in aside[0].reason


@pytest.mark.parametrize("whole", [{}, [], {"data": []}, {"errata": [1]}])
def test_a_file_without_errata_is_refused(whole: Any) -> None:
    with pytest.raises(FeedFormatError):
        list(almalinux.parse(as_document(whole)))


def test_every_release_that_changed_is_fetched_and_one_to_come_may_be_missing() -> None:
    transport = DictTransport(
        {f"{almalinux.BASE}{release}/errata.full.json": ERRATA for release in ("8", "9")}
    )
    documents = list(almalinux.fetch(transport, FeedState(), OPTIONS))
    state = FeedState().after(documents)

    assert len(documents) == 2
    assert list(almalinux.fetch(transport, state, OPTIONS)) == []
    transport.documents[f"{almalinux.BASE}9/errata.full.json"] = ERRATA + b"\n"
    assert [one.url for one in almalinux.fetch(transport, state, OPTIONS)] == [
        f"{almalinux.BASE}9/errata.full.json"
    ]
    del transport.documents[f"{almalinux.BASE}8/errata.full.json"]
    with pytest.raises(Unavailable):
        list(almalinux.fetch(transport, state, OPTIONS))

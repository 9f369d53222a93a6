"""Software known by title: what it is taken for, and above all what it is not mistaken for."""

from __future__ import annotations

import time

import pytest

from sentrikat.domain.advisory import Product
from sentrikat.domain.inventory import Component
from sentrikat.domain.matching.likeness import Candidate, Named, rank
from sentrikat.domain.matching.titles import maker_of, title_words
from sentrikat.inventory.titles import TitleIndex

# CPE products as NVD has them, among them every one that a shorter title was once mistaken for.
NAMES = (
    "mist:mist",
    "google:chrome",
    "mozilla:firefox",
    "7-zip:7-zip",
    "notepad-plus-plus:notepad\\+\\+",
    "isc:bind",
    "haxx:curl",
    "python:python",
    "python:requests",
    "mysql:mysql",
    "oracle:mysql",
    "oracle:mysql_server",
    "oracle:mysql_workbench",
    "microsoft:sql_server",
    "microsoft:sql_server_management_studio",
    "mattermost:mattermost",
    "mattermost:mattermost_server",
    "mattermost:mattermost_desktop",
    "bolt:bolt",
    "boltcms:bolt",
    "logitech:options",
    "adobe:acrobat_reader_dc",
    "videolan:vlc_media_player",
    "zoom:zoom",
    "git:git",
    "go:go",
    "acme:viewer",
    "other:viewer",
)
INDEX = TitleIndex.of((Product("cpe:a", name), 10) for name in NAMES)


def taken_for(
    name: str, version: str | None = "1.0", vendor: str | None = None, bundle: str | None = None
) -> set[str]:
    component = Component("windows", "windows", name, version, vendor=vendor, bundle_id=bundle)
    return {one.product.name for one in INDEX.identities(component, "windows")}


@pytest.mark.parametrize(
    ("name", "version", "vendor", "product"),
    [
        ("Google Chrome", "120.0.6099.110", "Google LLC", "google:chrome"),
        ("Google Chrome", "120.0.6099.110", None, "google:chrome"),  # the title names the maker
        ("Mozilla Firefox (x64 en-US)", "121.0", "Mozilla", "mozilla:firefox"),
        ("Mozilla Firefox 121.0 (x64 de)", "121.0", None, "mozilla:firefox"),
        ("7-Zip 22.01 (x64)", "22.01", "Igor Pavlov", "7-zip:7-zip"),
        ("Notepad++ (64-bit x64)", "8.5", "Notepad++ Team", "notepad-plus-plus:notepad\\+\\+"),
        (
            "SQL Server Management Studio",
            "19.1",
            "Microsoft Corporation",
            "microsoft:sql_server_management_studio",
        ),
    ],
)
def test_a_title_with_evidence_of_its_maker_is_told(
    name: str, version: str, vendor: str | None, product: str
) -> None:
    assert taken_for(name, version, vendor) == {product}


@pytest.mark.parametrize(
    ("name", "vendor", "never"),
    [
        ("bindfs", None, {"isc:bind"}),
        ("curlftpfs", None, {"haxx:curl"}),
        ("python3-requests", None, {"python:python"}),
        (
            "MySQL Workbench 8.0 CE",
            "Oracle Corporation",
            {"mysql:mysql", "oracle:mysql", "oracle:mysql_server"},
        ),
        ("Microsoft SQL Server Management Studio - 19.1", "Microsoft Corporation", {"microsoft:sql_server"}),
        ("Mattermost Desktop", "Mattermost, Inc.", {"mattermost:mattermost_server", "mattermost:mattermost"}),
        ("Mattermost.app", "Mattermost, Inc.", {"mattermost:mattermost_server"}),
        ("Logi Bolt", "Logitech", {"bolt:bolt", "boltcms:bolt"}),
        ("Logi Bolt.app", None, {"bolt:bolt", "boltcms:bolt"}),
        ("Mist", "ninxsoft", {"mist:mist"}),  # another maker's program of the same name
    ],
)
def test_a_title_is_not_mistaken_for_a_product_it_only_resembles(
    name: str, vendor: str | None, never: set[str]
) -> None:
    assert taken_for(name, vendor=vendor) & never == set()


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("Viewer", None),  # two makers, and no evidence of either
        ("Go", None),  # too short to stand alone
        ("Zoom Lens Helper", "Somebody Else"),
        ("Utterly Unknown", "Nobody"),
        ("", None),
        ("(x64)", None),
    ],
)
def test_without_evidence_a_title_stays_unidentified(name: str, vendor: str | None) -> None:
    assert taken_for(name, vendor=vendor) == set()


def test_of_two_makers_the_evidence_tells() -> None:
    assert taken_for("Viewer", vendor="Acme Inc.") == {"acme:viewer"}
    assert taken_for("Viewer.app", bundle="com.other.viewer") == {"other:viewer"}


def test_without_a_version_that_can_be_compared_there_is_no_identity() -> None:
    assert taken_for("Google Chrome", None) == set()


@pytest.mark.parametrize(
    ("title", "version", "words"),
    [
        ("7-Zip 22.01 (x64)", "22.01", ["7-zip"]),
        ("Mozilla Firefox 121.0 (x64 en-US)", "121.0", ["mozilla", "firefox"]),
        ("Microsoft Visual C++ 2015-2022 Redistributable (x64) - 14.36.32532", "14.36.32532", None),
        ("Git version 2.43.0", "2.43.0", ["git"]),
        ("Python 3.11.4 (64-bit)", "3.11.4150.0", ["python"]),
        ("Logi Bolt.app", "1.2", ["logi", "bolt"]),
        ("Windows", "10", ["windows"]),  # nothing else would be left
    ],
)
def test_versions_architectures_and_languages_are_no_part_of_a_name(
    title: str, version: str, words: list[str] | None
) -> None:
    found = title_words(Component("windows", "windows", title, version))

    if words is not None:
        assert found == words
    assert version not in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("foxit", "foxitsoftware"),
        ("Foxit Software", "foxit"),
        ("audacityteam", "Audacity"),
        ("torproject", "Tor Project"),
        ("zohocorp", "ZOHO Corp"),
        ("notepad\\+\\+", "notepad-plus-plus"),
        ("curl", "haxx"),
    ],
)
def test_spellings_of_one_maker_are_one_word(one: str, other: str) -> None:
    assert maker_of(one) == maker_of(other)


@pytest.mark.parametrize(
    ("one", "other"), [("mist", "ninxsoft"), ("cis", "cisco"), ("team", "steam"), ("ab", "abtech")]
)
def test_names_that_only_begin_alike_are_two_makers(one: str, other: str) -> None:
    assert maker_of(one) != maker_of(other)


def test_names_of_one_maker_come_together_and_the_one_with_most_flaws_is_shown() -> None:
    index = TitleIndex.of(
        [(Product("cpe:a", "foxit:phantompdf"), 2), (Product("cpe:a", "foxitsoftware:phantompdf"), 549)]
    )

    chosen = index.choose(
        Component("windows", "windows", "Foxit PhantomPDF", "10.1", vendor="Foxit Software Inc.")
    )

    assert [one.name for one in chosen.products] == ["foxitsoftware:phantompdf", "foxit:phantompdf"]


def test_a_name_of_cve_records_alone_does_not_keep_the_cpe_name_away() -> None:
    component = Component("windows", "windows", "ADSelfService Plus", "6.3", vendor="ZOHO Corp")
    index = TitleIndex.of([(Product("cve5", "zoho:adselfservice plus"), 3)])
    assert index.is_open(component)
    index.ranked[component] = rank(
        Named.of(component), [Candidate("zohocorp", "adselfservice_plus", (), ("*",), 40)]
    )

    assert [one.name for one in index.choose(component).products] == [
        "zohocorp:adselfservice_plus",
        "zoho:adselfservice plus",
    ]


@pytest.mark.parametrize(
    ("title", "vendor", "product"),
    [
        ("thunderbird", None, "mozilla:thunderbird"),  # established, and nobody says otherwise
        ("thunderbird", "Acme Corp", None),  # somebody else's
        ("player", None, None),  # a word of many makers' products
        ("nova", None, None),  # few flaws: one more program of an ordinary name
        ("horizon", None, None),  # as many are filed under others
    ],
)
def test_an_established_name_is_believed_where_nobody_names_the_maker(
    title: str, vendor: str | None, product: str | None
) -> None:
    known = {
        "mozilla:thunderbird": 1500,
        "vmware:player": 89,
        "openstack:nova": 40,
        "openstack:horizon": 70,
        "opennms:horizon": 60,
    }
    index = TitleIndex.of(
        ((Product("cpe:a", name), flaws) for name, flaws in known.items()),
        rare=frozenset({"thunderbird", "nova", "horizon"}),
    )

    chosen = index.choose(Component("windows", "windows", title, "1.0", vendor=vendor)).products

    assert [one.name for one in chosen] == ([product] if product else [])


def test_the_last_part_of_an_application_id_is_the_title_and_the_second_its_maker() -> None:
    firefox = Component("flatpak", "linux", "org.mozilla.firefox", "110.0")

    assert [one.name for one in INDEX.choose(firefox).products] == ["mozilla:firefox"]


def test_who_packs_what_others_make_is_no_maker() -> None:
    index = TitleIndex.of([(Product("cpe:a", "openbsd:openssh"), 116)])

    packed = Component("application", "linux", "openssh", "9.7p1-2", vendor="Arch Linux")
    assert [one.name for one in index.choose(packed).products] == ["openbsd:openssh"]
    another = Component("application", "linux", "openssh", "9.7p1-2", vendor="Acme Corp")
    assert index.choose(another).products == ()


def test_a_name_of_a_thousand_digits_is_read_in_no_time() -> None:
    """Whoever holds an agent's key can send twenty thousand of them."""
    began = time.process_time()
    for number in range(40):
        title_words(Component("windows", "", f"x {'0' * 1000}!{number}"))

    assert time.process_time() - began < 1

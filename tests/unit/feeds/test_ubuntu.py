"""Ubuntu's CVE tracker: states of a source package, and Ubuntu Pro's beside the release's own."""

from __future__ import annotations

import pytest

from sentrikat.domain.advisory import Product, Remedy, Statement, Status
from sentrikat.domain.errors import FeedFormatError
from sentrikat.feeds import ubuntu
from sentrikat.feeds.adapter import FeedState, FetchOptions, Quarantined
from sentrikat.feeds.formats.ubuntu_tracker import read, statements
from sentrikat.feeds.transports.memory import DictTransport, document
from tests.unit.feeds.samples import advisories, sample, tarred

SAMPLE = sample("ubuntu/CVE-2026-10001")


def archive(**files: bytes) -> bytes:
    return tarred({f"ubuntu-cve-tracker-master/active/{name}": body for name, body in files.items()})


def of(*lines: str) -> list[Statement]:
    return list(statements(read("\n".join(["Candidate: CVE-2026-10001", *lines, ""]))))


def test_a_file_of_the_tracker_is_read_whole() -> None:
    (found,) = advisories(ubuntu.parse, document(archive(**{"CVE-2026-10001": SAMPLE}), ubuntu.URL))

    assert found.description == "The hammer writes past the anvil."
    assert found.published is not None
    assert {(one.product.ecosystem, one.product.name): one.remedy for one in found.statements} == {
        ("ubuntu:12.10", "anvil"): Remedy.END_OF_LIFE,
        ("ubuntu:14.04", "anvil"): Remedy.OPEN,  # Ubuntu Pro went on, and knows it as needed
        ("ubuntu:16.04", "anvil"): Remedy.FIXED,
        ("ubuntu:20.04", "anvil"): Remedy.FIXED,
        ("ubuntu:22.04", "anvil"): Remedy.NOT_AFFECTED,
        ("ubuntu:24.04", "anvil"): Remedy.DEFERRED,
        ("ubuntu:22.04", "compat-anvil"): Remedy.FIXED,
        ("ubuntu:24.04", "compat-anvil"): Remedy.OPEN,
    }


def test_a_repair_that_only_ubuntu_pro_brings_is_a_bound_and_says_so() -> None:
    """Who has Ubuntu Pro has the version; who has not stays affected by what is installed."""
    (found,) = of(
        "xenial_anvil: ignored (end of standard support, was needed)",
        "esm-infra/xenial_anvil: released (2.2-1ubuntu1.4+esm1)",
    )

    assert found.versions.fixed == "2.2-1ubuntu1.4+esm1"
    assert found.note == "in Ubuntu Pro (esm-infra)"


@pytest.mark.parametrize(
    ("line", "status", "remedy", "fixed"),
    [
        ("jammy_anvil: released (1:2.4-1ubuntu3.2)", Status.AFFECTED, Remedy.FIXED, "1:2.4-1ubuntu3.2"),
        ("jammy_anvil: needed", Status.AFFECTED, Remedy.OPEN, None),
        ("jammy_anvil: needs-triage", Status.AFFECTED, Remedy.OPEN, None),
        ("jammy_anvil: deferred (2024-06-17)", Status.AFFECTED, Remedy.DEFERRED, None),
        # built, and not handed out yet: the version will have it
        ("jammy_anvil: pending (2.4-1ubuntu3.3)", Status.AFFECTED, Remedy.OPEN, "2.4-1ubuntu3.3"),
        ("jammy_anvil: not-affected (2.6-1)", Status.UNAFFECTED, Remedy.NOT_AFFECTED, None),
        ("hirsute_anvil: ignored (end of life)", Status.AFFECTED, Remedy.END_OF_LIFE, None),
        # kernels end before their release does
        (
            "jammy_linux-oem-5.17: ignored (superseded by linux-oem-6.1)",
            Status.AFFECTED,
            Remedy.END_OF_LIFE,
            None,
        ),
        (
            "esm-infra/xenial_anvil: ignored (ESM criteria, was needed)",
            Status.AFFECTED,
            Remedy.WILL_NOT_FIX,
            None,
        ),
        ("jammy_anvil: ignored (not a security issue)", Status.UNAFFECTED, Remedy.NOT_AFFECTED, None),
    ],
)
def test_each_status_means_one_thing(line: str, status: Status, remedy: Remedy, fixed: str | None) -> None:
    (found,) = of(line)

    assert (found.status, found.remedy, found.versions.fixed) == (status, remedy, fixed)


@pytest.mark.parametrize(
    "line",
    [
        "jammy_anvil: DNE",  # the release has no such package
        "devel_anvil: needed",  # no release yet
        "upstream_anvil: released (2.6)",
        "fips-updates/focal_anvil: needed",  # another build of the package
        "vivid/stable-phone-overlay_anvil: needed",
    ],
)
def test_what_no_host_has_makes_no_statement(line: str) -> None:
    assert of(line) == []


def test_the_release_has_the_word_while_it_is_maintained() -> None:
    """Ubuntu Pro starts from the release's package: a plain repair is in both."""
    (found,) = of("focal_anvil: released (2.4-1)", "esm-infra/focal_anvil: not-affected (2.4-1)")

    assert found.versions.fixed == "2.4-1"


def test_released_without_a_version_describes_none() -> None:
    (found,) = of("lucid_anvil: released")

    assert not found.described


def test_a_file_of_another_flaw_or_status_is_set_aside() -> None:
    good = archive(
        **{
            "CVE-2026-10001": SAMPLE,
            "CVE-2026-10002": SAMPLE,
            "CVE-2026-10003": SAMPLE.replace(b"10001", b"10003"),
        }
    )
    kinds = [type(one) for one in ubuntu.parse(document(good))]
    assert kinds.count(Quarantined) == 1

    with pytest.raises(ValueError, match="status"):
        of("jammy_anvil: nonsense")


@pytest.mark.parametrize("content", [tarred({"README": b"nothing"}), b"", b"{}", SAMPLE])
def test_an_archive_without_flaws_is_refused(content: bytes) -> None:
    with pytest.raises(FeedFormatError):
        list(ubuntu.parse(document(content)))


def test_an_unchanged_snapshot_is_not_fetched_again() -> None:
    transport = DictTransport({ubuntu.URL: archive(**{"CVE-2026-10001": SAMPLE})})
    first = list(ubuntu.fetch(transport, FeedState(), FetchOptions()))

    assert len(first) == 1
    assert list(ubuntu.fetch(transport, FeedState().after(first), FetchOptions())) == []


def test_a_release_is_named_by_its_number() -> None:
    (found,) = of("noble_anvil: needed")

    assert found.product == Product("ubuntu:24.04", "anvil")

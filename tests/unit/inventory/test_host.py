"""Package databases and program lists of machines, read as text; large real outputs where they are at hand."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from sentrikat.domain.inventory import Software
from sentrikat.inventory.host import linux, macos, packages, scan_host, windows
from sentrikat.inventory.host.commands import CommandError, run
from sentrikat.inventory.host.languages import parse_metadata, python_packages
from sentrikat.inventory.host.report import report_body
from sentrikat.inventory.readers import read

MOMENT = datetime(2026, 8, 22, 9, 30, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[3]
LARGE = Path(os.environ.get("SENTRIKAT_SHARED", REPOSITORY.parent / "shared")) / "data" / "inventory"


def nothing(_command: Sequence[str]) -> bytes:
    raise CommandError("no commands here")


def unexpected(warning: str) -> None:
    pytest.fail(warning)


STATUS = """\
Package: libssl3
Status: install ok installed
Source: openssl
Architecture: amd64
Version: 3.0.11-1~deb12u2
Description: a library
 Version: this line is no field

Package: linux-image-6.1.0-18-amd64
Status: install ok installed
Source: linux-signed-amd64 (6.1.76+1)
Architecture: amd64
Version: 6.1.76-1

Package: apache2
Status: deinstall ok config-files
Version: 2.4.57-2

Package: removed
Status: purge ok not-installed

Package: waiting
Status: install ok triggers-pending
Architecture: all
Version: 1.0
"""


def test_dpkg_packages_that_are_removed_but_configured_are_not_installed() -> None:
    names = [software.name for software in packages.parse_dpkg_status(STATUS)]

    assert names == ["libssl3", "linux-image-6.1.0-18-amd64", "waiting"]


def test_dpkg_names_the_source_and_its_version_where_it_differs() -> None:
    library, kernel, waiting = packages.parse_dpkg_status(STATUS)

    assert (library.source_name, library.source_version) == ("openssl", None)
    assert (kernel.source_name, kernel.source_version) == ("linux-signed-amd64", "6.1.76+1")
    assert (waiting.source_name, waiting.arch) == ("waiting", "all")


def test_apk_packages_carry_their_origin() -> None:
    text = (
        "C:Q1\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\no:openssl\nF:lib\n\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n"
    )

    assert list(packages.parse_apk_installed(text)) == [
        Software("apk", "libcrypto3", "3.1.4-r5", "x86_64", source_name="openssl"),
        Software("apk", "musl", "1.2.4-r2", "x86_64", source_name="musl"),
    ]


def test_rpm_packages_carry_epoch_source_and_module() -> None:
    text = (
        "openssl-libs\t1\t3.0.7\t24.el9\tx86_64\tRed Hat, Inc.\topenssl-3.0.7-24.el9.src.rpm\t(none)\n"
        "nodejs\t1\t18.17.1\t1.module+el9\tx86_64\tRed Hat\tnodejs-18.17.1-1.module+el9.src.rpm\tnodejs:18:90:rhel9\n"
        "python3-dnf\t(none)\t4.14.0\t8.el9\tnoarch\t(none)\tdnf-4.14.0-9.el9.src.rpm\t(none)\n"
        "gpg-pubkey\t(none)\tfd431d51\t4ae0493b\t(none)\t(none)\t(none)\t(none)\n"
    )

    assert list(packages.parse_rpm_query(text)) == [
        Software("rpm", "openssl-libs", "1:3.0.7-24.el9", "x86_64", "Red Hat, Inc.", "openssl"),
        Software(
            "rpm",
            "nodejs",
            "1:18.17.1-1.module+el9",
            "x86_64",
            "Red Hat",
            "nodejs",
            module="nodejs:18:90:rhel9",
        ),
        Software("rpm", "python3-dnf", "4.14.0-8.el9", "noarch", None, "dnf", "4.14.0-9.el9"),
    ]


def test_an_old_rpm_without_modules_is_asked_again_without_them(tmp_path: Path) -> None:
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/Packages").touch()

    def old_rpm(command: Sequence[str]) -> bytes:
        if "MODULARITYLABEL" in command[3]:
            raise CommandError("rpm ended with 1: incorrect format: unknown tag: “MODULARITYLABEL”")
        return b"bash\t(none)\t4.2.46\t35.el7_9\tx86_64\tCentOS\tbash-4.2.46-35.el7_9.src.rpm\n"

    found = list(linux.packages(tmp_path, old_rpm, unexpected))

    assert found == [Software("rpm", "bash", "4.2.46-35.el7_9", "x86_64", "CentOS", "bash")]


def test_a_package_manager_that_fails_is_told_and_makes_the_inventory_a_part(tmp_path: Path) -> None:
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/Packages").touch()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID="rhel"\nVERSION_ID=9.3\n', "utf-8")

    scan = scan_host(collected_at=MOMENT, root=tmp_path, run_command=nothing, hostname="host")

    assert scan.warnings == ("rpm packages are missing: no commands here.",)
    assert not scan.inventory.complete
    assert (scan.inventory.os.name, scan.inventory.os.version) == ("rhel", "9.3")


def test_a_pacman_package_names_its_base() -> None:
    text = (
        "%NAME%\nlibssl-fake\n\n%VERSION%\n3.3.1-1\n\n%BASE%\nopenssl\n\n%DESC%\n%NAME%\n\n%ARCH%\nx86_64\n"
    )

    assert packages.parse_pacman_description(text) == Software(
        "pacman", "libssl-fake", "3.3.1-1", "x86_64", source_name="openssl"
    )


def test_snaps_that_are_disabled_are_not_listed() -> None:
    text = (
        "Name      Version   Rev   Tracking       Publisher     Notes\n"
        "core22    20231123  1033  latest/stable  canonical✓  base\n"
        "firefox   120.0-1   3358  latest/stable  mozilla**     disabled\n"
        "firefox   121.0-1   3504  latest/stable  mozilla**     -\n"
    )

    assert [(s.name, s.version, s.vendor) for s in packages.parse_snap_list(text)] == [
        ("core22", "20231123", "canonical"),
        ("firefox", "121.0-1", "mozilla"),
    ]


def test_flatpaks_keep_their_identifier_beside_their_name() -> None:
    text = "org.videolan.VLC\t3.0.16\tx86_64\tflathub\tVLC\norg.gnome.Platform\t\tx86_64\tflathub\t\n"

    assert list(packages.parse_flatpak_list(text)) == [
        Software("flatpak", "VLC", "3.0.16", "x86_64", repository="flathub", bundle_id="org.videolan.VLC"),
        Software(
            "flatpak",
            "org.gnome.Platform",
            None,
            "x86_64",
            repository="flathub",
            bundle_id="org.gnome.Platform",
        ),
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("ID=debian", "debian"),  # bare
        ('ID="rhel"', "rhel"),  # quoted
        ("ID='sles'", "sles"),
        ('ID="a\\"b"', 'a"b'),  # escaped as in a shell
        ("ID=", ""),
    ],
)
def test_os_release_values_are_read_as_a_shell_would(line: str, value: str) -> None:
    assert packages.parse_os_release(f"# comment\n{line}\nNONSENSE\n")["ID"] == value


def test_python_metadata_is_read_from_its_head_only() -> None:
    assert parse_metadata("Metadata-Version: 2.1\nName: Django\nVersion: 4.2.1\n\nVersion: 9\n") == (
        "Django",
        "4.2.1",
    )
    assert parse_metadata("Metadata-Version: 2.1\n\nName: inside\n") is None


def test_python_packages_of_the_distribution_are_left_to_the_distribution(tmp_path: Path) -> None:
    for place, installer in [
        ("usr/local/lib/python3.11/dist-packages", None),
        ("usr/lib/python3/dist-packages", None),  # Debian's own
        ("usr/lib/python3.9/site-packages", "rpm"),
        ("usr/lib64/python3.9/site-packages", "pip"),
    ]:
        directory = tmp_path / place / "requests-2.28.1.dist-info"
        directory.mkdir(parents=True)
        (directory / "METADATA").write_text("Name: requests\nVersion: 2.28.1\n", "utf-8")
        if installer:
            (directory / "INSTALLER").write_text(f"{installer}\n", "utf-8")

    found = [str(Path(s.path or "").relative_to(tmp_path)) for s in python_packages(tmp_path)]

    assert found == ["usr/local/lib/python3.11/dist-packages", "usr/lib64/python3.9/site-packages"]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"DisplayName": "7-Zip 21.07 (x64)", "DisplayVersion": "21.07"}, True),
        (
            {"DisplayName": "Microsoft Visual C++ 2022 X64 Minimum Runtime", "SystemComponent": 1},
            True,
        ),  # in KEV
        ({"DisplayName": "Security Update for X (KB1234567)", "ReleaseType": "Security Update"}, False),
        ({"DisplayName": "Update (KB1234567)", "ParentKeyName": "Office16"}, False),
        ({"DisplayVersion": "1.0"}, False),  # nameless
        ({"DisplayName": "\x00 "}, False),
    ],
)
def test_programs_are_kept_and_their_updates_are_not(values: dict[str, object], kept: bool) -> None:
    assert (windows.program_of(values) is not None) is kept


@pytest.mark.parametrize(
    ("values", "name", "version", "build"),
    [
        (
            {
                "ProductName": "Windows 10 Pro",
                "DisplayVersion": "22H2",
                "CurrentBuildNumber": "19045",
                "UBR": 4043,
                "CurrentMajorVersionNumber": 10,
                "CurrentMinorVersionNumber": 0,
            },
            "Windows 10 Pro 22H2",
            "10.0.19045.4043",
            "19045.4043",
        ),
        (  # the registry of Windows 11 calls itself 10
            {
                "ProductName": "Windows 10 Pro",
                "CurrentBuildNumber": "22621",
                "UBR": 1,
                "CurrentMajorVersionNumber": 10,
            },
            "Windows 11 Pro",
            "10.0.22621.1",
            "22621.1",
        ),
        (  # before Windows 10 there were no numbers, only text
            {"ProductName": "Windows 7 Professional", "CurrentVersion": "6.1", "CurrentBuildNumber": "7601"},
            "Windows 7 Professional",
            "6.1.7601",
            "7601",
        ),
        ({}, None, None, None),
    ],
)
def test_windows_is_known_by_its_build(
    values: dict[str, object], name: str | None, version: str | None, build: str | None
) -> None:
    system = windows.operating_system_of(values, "AMD64")

    assert (system.name, system.version, system.build) == (name, version, build)


def test_update_numbers_are_found_once_each() -> None:
    assert windows.updates_of(["KB5034763\r\nKB5034275\r\n", "Update (KB5034763)", "KBX"]) == (
        "KB5034763",
        "KB5034275",
    )


def test_a_mac_that_answers_nonsense_gives_warnings_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "opt/homebrew/Cellar/openssl@3/3.3.0").mkdir(parents=True)
    warnings: list[str] = []

    _, machine_id, software = macos.look(tmp_path, lambda _: b"\xff<plist", warnings.append)

    assert machine_id is None
    assert [(s.name, s.version) for s in software] == [("openssl@3", "3.3.0")]
    assert warnings[0].startswith("Applications are missing")


def test_a_program_that_is_absent_or_fails_is_told() -> None:
    with pytest.raises(CommandError, match="is not installed"):
        run(["no-such-program-here"])
    with pytest.raises(CommandError, match="ended with 3: broken"):
        run(["sh", "-c", "echo broken >&2; exit 3"])


def test_this_host_goes_through_the_door_of_the_agents_unchanged() -> None:
    inventory = scan_host(collected_at=MOMENT, languages=True).inventory

    assert read(report_body(inventory)) == inventory


@pytest.fixture(scope="module")
def real_outputs() -> dict[str, bytes]:
    archive = LARGE / "raw_agent_outputs_glpi.tar.zst"
    if not archive.exists():
        pytest.skip(f"needs {archive.name}")
    plain = zstandard.ZstdDecompressor().stream_reader(archive.read_bytes()).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {
            member.name: file.read()
            for member in tar
            if member.isfile() and "/resources/" in member.name and (file := tar.extractfile(member))
        }


def output(outputs: dict[str, bytes], ending: str) -> bytes:
    return next(content for name, content in outputs.items() if name.endswith(ending))


def test_a_real_dpkg_status_is_read_whole() -> None:
    archive = LARGE / "debian12_dpkg_status.gz"
    if not archive.exists():
        pytest.skip(f"needs {archive.name}")
    found = {
        s.name: s for s in packages.parse_dpkg_status(gzip.decompress(archive.read_bytes()).decode("utf-8"))
    }

    assert len(found) == 851
    assert all(s.source_name and s.version and s.arch for s in found.values())


def test_real_snap_and_flatpak_lists_are_read(real_outputs: dict[str, bytes]) -> None:
    snaps = list(packages.parse_snap_list(output(real_outputs, "packaging/snap").decode()))
    flatpaks = list(packages.parse_flatpak_list(output(real_outputs, "packaging/flatpak").decode()))

    assert [(s.name, s.version, s.vendor) for s in snaps][3] == ("scrcpy", "v1.10", "sisco311")
    assert len(snaps) == 5
    assert {s.bundle_id for s in flatpaks} >= {"com.obsproject.Studio", "org.gnome.Platform"}


@pytest.mark.parametrize("distribution", ["debian-11.2", "centos-7.9", "fedora-35"])
def test_a_real_os_release_names_distribution_and_version(
    real_outputs: dict[str, bytes], distribution: str
) -> None:
    fields = packages.parse_os_release(output(real_outputs, f"os-release-{distribution}").decode())
    name, _, version = distribution.partition("-")

    assert fields["ID"] == name
    assert fields["VERSION_ID"] == version.split(".")[0]


@pytest.mark.parametrize(
    ("ending", "at_least"),
    [
        ("sample6.SPApplicationsDataType-xml", 50),
        ("sample5.SPApplicationsDataType-xml", 50),
        ("10.8-system_profiler_SPApplicationsDataType_-xml.example.xml", 50),
    ],
)
def test_real_lists_of_mac_applications_are_read(
    real_outputs: dict[str, bytes], ending: str, at_least: int
) -> None:
    found = list(macos.parse_applications(output(real_outputs, ending)))

    assert len(found) >= at_least
    assert all(s.name and s.path for s in found)


def registry_entries(text: str) -> Iterator[dict[str, object]]:
    """Take the keys of a .reg export apart: text and double-word values."""
    values: dict[str, object] = {}
    for line in text.replace("\\\r\n", "").splitlines():
        if line.startswith("["):
            yield values
            values = {}
        name, equals, value = line.strip().partition("=")
        if equals and name.startswith('"'):
            if value.startswith('"'):
                values[name.strip('"')] = value[1:-1].replace("\\\\", "\\").replace('\\"', '"')
            elif value.startswith("dword:"):
                values[name.strip('"')] = int(value[6:], 16)
    yield values


@pytest.mark.parametrize(
    ("ending", "program", "version"),
    [
        ("mssql-Uninstall.reg", "Microsoft SQL Server 2017", "17.77.6700.34"),
        ("10_russian-Uninstall.reg", "КриптоПро CSP", "5.0.12000"),
    ],
)
def test_real_lists_of_windows_programs_are_read(
    real_outputs: dict[str, bytes], ending: str, program: str, version: str
) -> None:
    entries = registry_entries(output(real_outputs, ending).decode("utf-16"))
    found = {s.name: s.version for values in entries if (s := windows.program_of(values)) is not None}

    assert found[program] == version

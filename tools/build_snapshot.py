"""Make the feed bundle that ships with SentriKat from the sources' documents.

    python tools/build_snapshot.py --base http://127.0.0.1:9100 --products 400

`--base` is a mirror of the sources (https://host/path is asked for as BASE/host/path); without it
the sources themselves are asked. What is kept of each document is written down in CUTS below and
in docs/develop/snapshot.md; the documents keep their source's form, so importing the bundle is an
ordinary feed run. Only data whose license allows it is taken: no EPSS, SUSE, Ubuntu, Alpine or
Wolfi, no Microsoft content. Red Hat's Security Data API has a document per flaw, some 36,000.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2
import ijson
import orjson

from sentrikat.domain.cpe.name import ANY, NA
from sentrikat.domain.cpe.name import parse as parse_name
from sentrikat.domain.errors import InvalidName
from sentrikat.feeds import (
    debian,
    endoflife,
    kev,
    nvd,
    nvd_cpe,
    osv,
    overrides,
    redhat_data,
    registry,
    vulnrichment,
)
from sentrikat.feeds.adapter import NO_VALIDATORS, Document, FeedState, FetchOptions
from sentrikat.feeds.bundle.reader import BundleReader
from sentrikat.feeds.bundle.writer import Chosen, write_bundle
from sentrikat.feeds.formats.redhat_products import release_of_cpe
from sentrikat.feeds.snapshot import PATH
from sentrikat.feeds.transports.http import HttpTransport
from sentrikat.feeds.unpacking import json_files, json_streams, unpacked

LARGEST = 25_000_000  # bytes: what the repository and every installation carry

CUTS = {
    "nvd": "CVEs in the KEV catalog and of the most used products; English text, two references, vectors of scores.",
    "vulnrichment": "The same CVEs as from NVD; decision points, scores and affected products, no prose.",
    "overrides": "CVEs in the KEV catalog and of the most used products; configurations only.",
    "debian": "Debian 11 to 13; no descriptions.",
    "osv": "Without reports of malicious packages; the first 300 characters of text, two references, no version "
    "lists beside ranges.",
    "redhat_data": "Red Hat Enterprise Linux 7 to 10, main stream, of flaws published since 2014; the first 300 characters of text.",
    "nvd_cpe": "One name of each application and operating system and of each kind of target software; no references.",
}
ECOSYSTEMS = (
    "PyPI", "npm", "Maven", "NuGet", "Packagist", "RubyGems", "crates.io", "Go",
    "AlmaLinux", "Rocky Linux", "Red Hat",
)  # fmt: skip
RELEASES = ("bullseye", "bookworm", "trixie")
REDHAT_RELEASES = frozenset(f"rhel:{number}" for number in (7, 8, 9, 10))
REDHAT_SINCE = "2014"
DETAILS = 300
REFERENCES = 2

# What stands on servers and desktops everywhere, whatever its rank by number of flaws.
# Names that end in `*` stand for every product that begins so.
MOST_USED = (
    "7-zip:7-zip", "adobe:acrobat*", "adobe:flash_player*", "apache:activemq*", "apache:http_server", "apache:log4j",
    "apache:ofbiz", "apache:struts", "apache:tomcat", "apache:superset", "apple:macos", "apple:safari",
    "atlassian:confluence*", "atlassian:jira*", "cisco:adaptive_security_appliance_software", "cisco:ios_xe",
    "citrix:netscaler*", "curl:*", "docker:*", "drupal:drupal", "elastic:elasticsearch", "elastic:kibana",
    "exim:exim", "f5:nginx*", "fortinet:fortios", "fortinet:forticlient*", "foxitsoftware:*", "git-scm:git",
    "git_for_windows*", "gitlab:gitlab", "gnu:bash", "gnu:glibc", "google:chrome", "grafana:grafana",
    "greenshot:*", "haproxy:haproxy", "haxx:curl", "haxx:libcurl", "igor_pavlov:7-zip", "isc:bind", "ivanti:*",
    "jenkins:jenkins", "keepass:keepass", "kubernetes:kubernetes", "libreoffice:libreoffice", "linuxfoundation:*",
    "mariadb:mariadb", "microsoft:.net*", "microsoft:365_apps", "microsoft:edge*", "microsoft:exchange_server",
    "microsoft:office*", "microsoft:powershell*", "microsoft:sharepoint*", "microsoft:sql_server*",
    "microsoft:teams", "microsoft:visual_studio*", "microsoft:windows_10*", "microsoft:windows_11*",
    "microsoft:windows_server*", "microsoft:word", "microsoft:excel", "microsoft:outlook",
    "mongodb:mongodb", "mozilla:firefox*", "mozilla:thunderbird", "mysql:mysql", "nextcloud:nextcloud_server",
    "nginx:nginx", "nodejs:node.js", "notepad-plus-plus:*", "openbsd:openssh", "openssl:openssl",
    "openvpn:openvpn*", "oracle:jdk", "oracle:jre", "oracle:mysql*", "oracle:vm_virtualbox", "oracle:weblogic_server",
    "paloaltonetworks:pan-os", "perl:perl", "php:php", "phpmyadmin:phpmyadmin", "polkit_project:polkit",
    "postgresql:postgresql", "progress:moveit*", "putty:putty", "python:python", "rarlab:winrar", "redis:redis",
    "roundcube:webmail", "rsync*", "samba:samba", "simon_tatham:putty", "solarwinds:*", "splunk:splunk",
    "sudo_project:sudo", "sun:jdk", "sun:jre", "systemd_project:systemd", "teamviewer:*", "todd_miller:sudo",
    "tukaani:xz", "veeam:*", "videolan:vlc_media_player", "vim:vim", "vmware:esxi", "vmware:vcenter_server",
    "vmware:tools", "vmware:workstation*", "webmproject:libvpx", "webmproject:libwebp", "winscp:winscp",
    "wireshark:wireshark", "wordpress:wordpress", "xmlsoft:libxml2", "zabbix:zabbix", "zimbra:*", "zlib:zlib",
    "zohocorp:manageengine*", "zoom:*",
)  # fmt: skip
# Products whose sheer number of flaws would fill the bundle: only those of recent years.
RECENT_ONLY = {"linux:linux_kernel": 2023, "google:android": 2024, "apple:iphone_os": 2024}


class Selection:
    """Which CVEs are kept: those in KEV, and those of a chosen product."""

    def __init__(self, exploited: set[str], products: set[str]) -> None:
        self.exploited = exploited
        self.products = products
        self.kept: set[str] = set()

    def takes(self, identifier: str, products: Iterable[str]) -> bool:
        """Say whether a CVE about `products` is kept, and remember it."""
        year = int(identifier.split("-")[1])
        if identifier in self.exploited or any(
            year >= RECENT_ONLY.get(one, 0) for one in products if one in self.products
        ):
            self.kept.add(identifier)
            return True
        return False


def victims(record: Mapping[str, Any]) -> set[str]:
    """Give the vendor:product of every criterion marked vulnerable."""
    return {
        ":".join(match["criteria"].split(":")[3:5])
        for configuration in record.get("configurations") or ()
        for node in configuration.get("nodes") or ()
        for match in node.get("cpeMatch") or ()
        if match.get("vulnerable")
    }


def chosen_products(counts: Counter[str], most: int) -> set[str]:
    """Give the named products and the `most` with the most flaws."""

    def named(product: str) -> bool:
        return any(
            product == one or (one.endswith("*") and product.startswith(one[:-1])) for one in MOST_USED
        )

    return (
        {one for one in counts if named(one)}
        | {one for one, _ in counts.most_common(most)}
        | set(RECENT_ONLY)
    )


def bare(configurations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop the ids of criteria: random, so they do not pack, and nothing refers to them."""
    for configuration in configurations:
        for node in configuration.get("nodes") or ():
            for match in node.get("cpeMatch") or ():
                match.pop("matchCriteriaId", None)
    return configurations


def nvd_record(record: dict[str, Any]) -> dict[str, Any]:
    """Give an NVD record without what no parser of ours reads."""
    kept: dict[str, Any] = {
        key: record[key] for key in ("id", "published", "lastModified", "vulnStatus") if key in record
    }
    kept["descriptions"] = [one for one in record.get("descriptions") or () if one["lang"] == "en"]
    kept["metrics"] = {
        name: [
            {
                "source": one["source"],
                "type": one["type"],
                "cvssData": {
                    key: one["cvssData"][key]
                    for key in ("version", "vectorString", "baseScore", "baseSeverity")
                    if key in one["cvssData"]
                },
            }
            for one in metrics
        ]
        for name, metrics in (record.get("metrics") or {}).items()
    }
    kept["weaknesses"] = record.get("weaknesses") or []
    kept["configurations"] = bare(record.get("configurations") or [])
    kept["references"] = [{"url": one["url"]} for one in (record.get("references") or [])[:REFERENCES]]
    return kept


def cve5_record(record: dict[str, Any]) -> dict[str, Any]:
    """Give a CVE 5 record without prose and references: NVD's record has them."""
    containers = record["containers"]
    for container in [containers["cna"], *containers.get("adp", [])]:
        for name in ("references", "descriptions", "credits", "timeline", "solutions", "workarounds", "source",
                     "x_legacyV4Record", "x_generator", "impacts", "exploits", "configurations", "tags"):  # fmt: skip
            container.pop(name, None)
        for metric in container.get("metrics") or ():
            for name in [key for key in metric if key.startswith("cvss")]:
                metric[name] = {
                    key: metric[name][key]
                    for key in ("version", "vectorString", "baseScore")
                    if key in metric[name]
                }
        for affected in container.get("affected") or ():
            for name in ("programFiles", "programRoutines", "modules", "repo"):
                affected.pop(name, None)
    containers["adp"] = [
        one for one in containers.get("adp", []) if one.get("metrics") or one.get("affected")
    ]
    return record


def osv_record(record: dict[str, Any]) -> dict[str, Any]:
    """Give an OSV record with the beginning of its text, and ranges in place of version lists."""
    if record.get("details"):
        record["details"] = record["details"][:DETAILS]
    record["references"] = (record.get("references") or [])[:REFERENCES]
    for name in ("credits", "schema_version"):
        record.pop(name, None)
    entries = []
    for entry in record.get("affected") or ():
        where = (entry.get("package") or {}).get("ecosystem", "")
        if where.startswith("Red Hat:") and not where.startswith("Red Hat:enterprise_linux:"):
            continue  # extended streams and layered products: fetched online, too many for the first start
        for name in ("database_specific", "ecosystem_specific"):
            entry.pop(name, None)
        (entry.get("package") or {}).pop("purl", None)
        entry["ranges"] = [one for one in entry.get("ranges") or () if one["type"] != "GIT"]
        if entry["ranges"]:
            entry.pop("versions", None)
        entries.append(entry)
    record["affected"] = unrepeated(entries)
    return record


def unrepeated(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give each package of a Red Hat release once: every variant of the release repeats it."""
    found: dict[bytes, dict[str, Any]] = {}
    for entry in entries:
        package = dict(entry.get("package") or {})
        package["ecosystem"] = ":".join(package.get("ecosystem", "").split(":")[:3])
        found.setdefault(orjson.dumps([package, entry["ranges"], entry.get("versions")]), entry)
    return list(found.values())


def redhat_record(record: dict[str, Any]) -> dict[str, Any] | None:
    """Give a Security Data document with what it says of the main releases; None without any, or of old flaws."""

    def kept(name: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        listed = record.get(name) or []
        entries = [listed] if isinstance(listed, dict) else listed
        return [
            {key: one[key] for key in keys if key in one}
            for one in entries
            if release_of_cpe(one.get("cpe") or "") in REDHAT_RELEASES
        ]

    cut: dict[str, Any] = {
        "affected_release": kept("affected_release", ("cpe", "package")),
        "package_state": kept("package_state", ("cpe", "package_name", "fix_state")),
    }
    if (
        not (cut["affected_release"] or cut["package_state"])
        or (record.get("public_date") or "") < REDHAT_SINCE
    ):
        return None
    cut |= {key: record[key] for key in ("name", "public_date") if key in record}
    cut["details"] = [one[:DETAILS] for one in (record.get("details") or [])[:1]]
    cut["bugzilla"] = {"description": (record.get("bugzilla") or {}).get("description")}
    for form in ("cvss", "cvss3"):
        if vector := (record.get(form) or {}).get(f"{form}_scoring_vector"):
            cut[form] = {f"{form}_scoring_vector": vector}
    return cut


def as_of(document: Document) -> datetime:
    """Give the day a document speaks of: what its server says it last changed, else when it was fetched.

    A snapshot made through a mirror must not make last year's data look like today's.
    """
    said = document.validators.last_modified
    return parsedate_to_datetime(said) if said else document.fetched_at


class Workshop:
    """Writes cut documents to files beside each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def document(self, feed: str, original: Document, write: Callable[[Any], None]) -> Chosen:
        """Give the cut form of `original` as what goes into the bundle."""
        self.count += 1
        path = self.folder / f"{self.count:03d}"
        with path.open("wb") as file:
            write(file)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        cut = replace(
            original,
            sha256=digest,
            size=path.stat().st_size,
            opener=lambda: path.open("rb"),
            fetched_at=as_of(original),
            validators=NO_VALIDATORS,
            cursors={},
            cut=True,
        )
        return Chosen(registry.feed(feed), cut, CUTS[feed])


def nvd_items(document: Document) -> Iterator[dict[str, Any]]:
    """Yield the records of an NVD document."""
    with unpacked(document) as stream:
        for item in ijson.items(stream, "vulnerabilities.item", use_float=True):
            yield item["cve"]


def cut_nvd(workshop: Workshop, document: Document, selection: Selection) -> Chosen:
    """Keep the selected records of a year."""
    kept = [nvd_record(one) for one in nvd_items(document) if selection.takes(one["id"], victims(one))]
    head = {"resultsPerPage": len(kept), "startIndex": 0, "totalResults": len(kept), "format": "NVD_CVE",
            "version": "2.0", "timestamp": document.fetched_at.isoformat(timespec="milliseconds")}  # fmt: skip
    content = orjson.dumps({**head, "vulnerabilities": [{"cve": one} for one in kept]})
    return workshop.document("nvd", document, lambda file: file.write(content))


def cut_repository(
    workshop: Workshop,
    feed: str,
    document: Document,
    cut: Callable[[dict[str, Any]], dict[str, Any] | None],
) -> Chosen:
    """Keep what `cut` makes of the files of a repository, as a tar archive that is not packed yet."""

    def write(file: Any) -> None:
        with tarfile.open(fileobj=file, mode="w|") as archive:
            for name, content in sorted(json_files(document)):
                kept = cut(orjson.loads(content))
                if kept is not None:
                    packed = orjson.dumps(kept)
                    entry = tarfile.TarInfo(name)
                    entry.size = len(packed)
                    archive.addfile(entry, io.BytesIO(packed))

    return workshop.document(feed, document, write)


def cut_osv(workshop: Workshop, document: Document) -> Chosen:
    """Keep every record but those of malicious packages, as a zip archive that is not packed yet."""

    def write(file: Any) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(json_files(document)):
                record = orjson.loads(content)
                if not record["id"].startswith("MAL-") and osv_record(record)["affected"]:
                    archive.writestr(zipfile.ZipInfo(name), orjson.dumps(record))

    return workshop.document("osv", document, write)


def cut_debian(workshop: Workshop, document: Document) -> Chosen:
    """Keep the stable releases."""
    with unpacked(document) as stream:
        kept = {
            package: {
                flaw: {"releases": releases}
                for flaw, entry in flaws.items()
                if (releases := {name: one for name, one in entry["releases"].items() if name in RELEASES})
            }
            for package, flaws in ijson.kvitems(stream, "", use_float=True)
        }
    content = orjson.dumps({package: flaws for package, flaws in kept.items() if flaws})
    return workshop.document("debian", document, lambda file: file.write(content))


def build(transport: HttpTransport, workshop: Workshop, products: int) -> Iterator[Chosen]:
    """Yield each document of the bundle."""
    options = FetchOptions(now=datetime.now(UTC), ecosystems=ECOSYSTEMS)
    (catalogue,) = kev.fetch(transport, FeedState(), options)
    yield Chosen(
        registry.feed("kev"), replace(catalogue, fetched_at=as_of(catalogue), validators=NO_VALIDATORS)
    )
    exploited = {one["cveID"] for one in catalogue.json()["vulnerabilities"]}

    years = list(nvd.fetch(transport, FeedState(), options))
    counts = Counter(product for year in years for one in nvd_items(year) for product in victims(one))
    selection = Selection(exploited, chosen_products(counts, products))
    say(f"{len(exploited)} exploited flaws, {len(selection.products)} products chosen")
    for year in years:
        yield cut_nvd(workshop, year, selection)
    say(f"{len(selection.kept)} CVEs kept")

    (repository,) = vulnrichment.fetch(transport, FeedState(), options)
    wanted = selection.kept | exploited
    yield cut_repository(
        workshop,
        "vulnrichment",
        repository,
        lambda record: cve5_record(record) if record["cveMetadata"]["cveId"] in wanted else None,
    )
    (repository,) = overrides.fetch(transport, FeedState(), options)

    def override(record: dict[str, Any]) -> dict[str, Any] | None:
        identifier = record["_annotation"]["cve_id"]
        if identifier not in wanted and not selection.takes(identifier, victims(record["cve"])):
            return None
        record["_annotation"] = {
            key: value
            for key, value in record["_annotation"].items()
            if key in ("cve_id", "modified", "published")
        }
        bare(record["cve"].get("configurations") or [])
        return record

    yield cut_repository(workshop, "overrides", repository, override)
    (tracker,) = debian.fetch(transport, FeedState(), options)
    yield cut_debian(workshop, tracker)
    for archive in osv.fetch(transport, FeedState(), options):
        yield cut_osv(workshop, archive)
    yield cut_redhat(workshop, transport)
    (dictionary,) = nvd_cpe.fetch(transport, FeedState(), options)
    yield cut_cpe(workshop, dictionary)
    for product in endoflife.fetch(transport, FeedState(), options):
        whole = replace(product, fetched_at=as_of(product), validators=NO_VALIDATORS)
        yield Chosen(registry.feed("endoflife"), whole)


def cut_redhat(workshop: Workshop, transport: HttpTransport) -> Chosen:
    """Gather the documents of the Security Data API, asked for one by one, into an archive that is not packed yet."""
    newest: list[Document] = []

    def write(file: Any) -> None:
        with tarfile.open(fileobj=file, mode="w|") as archive:
            for document in security_data(transport):
                newest[:] = [max([*newest, document], key=as_of)]
                kept = redhat_record(document.json())
                if kept is not None:
                    packed = orjson.dumps(kept)
                    entry = tarfile.TarInfo(f"{kept['name']}.json")
                    entry.size = len(packed)
                    archive.addfile(entry, io.BytesIO(packed))

    path = workshop.folder / "security-data"
    with path.open("wb") as file:
        write(file)
    original = replace(newest[0], url=redhat_data.SOURCES[0], name="cve.tar")
    return workshop.document("redhat_data", original, lambda file: file.write(path.read_bytes()))


def security_data(transport: HttpTransport) -> Iterator[Document]:
    """Yield every document of the Security Data API: a run brings a bounded number, so there are many."""
    options, state = FetchOptions(now=datetime.now(UTC)), FeedState()
    while "asked" not in state.cursors:
        fetched = []
        for document in redhat_data.fetch(transport, state, options):
            fetched.append(document)
            yield document
        if not fetched:
            return
        state = state.after(fetched)


def cut_cpe(workshop: Workshop, document: Document) -> Chosen:
    """Keep one name of each product and kind of target software, the first in the dictionary, live or deprecated."""
    met: set[tuple[str, ...]] = set()
    kept: list[dict[str, Any]] = []
    for _, stream in json_streams(document):
        for item in ijson.items(stream, "products.item", use_float=True):
            record = item["cpe"]
            try:
                name = parse_name(record["cpeName"])
            except InvalidName:
                continue  # would be set aside at every first start
            key = (name.part, name.vendor, name.product, name.target_sw, str(record.get("deprecated")))
            if name.part == "h" or key in met or not {name.vendor, name.product}.isdisjoint({ANY, NA}):
                continue
            met.add(key)
            wanted = {
                one: record[one] for one in ("cpeName", "deprecated", "deprecatedBy") if record.get(one)
            }
            wanted["titles"] = [one for one in record.get("titles") or () if one["lang"] in ("en", "en-US")]
            kept.append({"cpe": wanted | {"deprecated": bool(record.get("deprecated"))}})
    content = orjson.dumps({"products": kept})
    return workshop.document("nvd_cpe", document, lambda file: file.write(content))


def say(words: str) -> None:
    """One line of progress."""
    print(words, file=sys.stderr, flush=True)


def main() -> int:
    """Build, check and describe the snapshot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", help="mirror of the sources")
    parser.add_argument(
        "--products", type=int, default=400, help="products taken by number of flaws (default 400)"
    )
    parser.add_argument("--level", type=int, default=19, help="zstd level (default 19)")
    parser.add_argument("--output", type=Path, default=PATH)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sentrikat-snapshot-") as folder,
        httpx2.Client(timeout=600) as client,
        HttpTransport(client, lambda: datetime.now(UTC), options.base) as transport,
    ):
        documents = build(transport, Workshop(Path(folder)), options.products)
        write_bundle(options.output, documents, datetime.now(UTC), level=options.level)
    sizes: Counter[str] = Counter()
    with BundleReader(options.output) as reader, zipfile.ZipFile(options.output) as archive:
        for entry in reader.manifest.documents:
            packed = archive.getinfo(entry.member).compress_size
            sizes[entry.feed] += packed
            say(f"{packed:>12,} of {entry.bytes:>12,}  {entry.feed:<12} {entry.url}")
    for feed, size in sizes.most_common():
        say(f"{size:>12,}  {feed}")
    total = options.output.stat().st_size
    say(f"{total:>12,}  {options.output}")
    if total > LARGEST:
        say(f"It is larger than {LARGEST:,} bytes: choose fewer --products.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

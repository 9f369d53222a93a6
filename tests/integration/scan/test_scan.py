"""`sentrikat scan`: what it reads, what it writes, how it ends, and that it stores nothing."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from sentrikat.cli import run
from sentrikat.domain.advisory import BuiltFrom, DecisionPoints, Enrichment, ReleaseCycles, Remedy
from sentrikat.domain.lifecycle import Cycle, Ending
from sentrikat.infra.clock import FrozenClock
from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.sessions import Database
from tests.builders import (
    DEBIAN_12,
    NOON,
    WINDOWS,
    advisory,
    cpe,
    deb,
    exploited,
    likely,
    publish,
    runs_on,
    score,
    statement,
)
from tests.postgres import SharedServer

KEV = "CVE-2026-1001"  # exploited since 1 May 2026
CRITICAL = "CVE-2026-1002"
HIGH = "CVE-2026-1003"
LOW = "CVE-2026-1004"
NEVER = "CVE-2026-1006"  # will not be repaired
LATE = "CVE-2026-1005"  # published on 1 June 2026

Scan = Callable[..., tuple[int, bytes, str]]


def published(year: int, month: int = 1) -> datetime:
    return datetime(year, month, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def loaded(database_server: SharedServer) -> Iterator[Database]:
    """Feeds of five sources, loaded once for all tests of this page: a scan changes nothing."""
    name = f"scan_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    database, clock = Database(database_server.clone_template(name)), FrozenClock(NOON)
    publish(
        database,
        clock,
        "debian",
        *(
            advisory(flaw, statement("debian:12", name, fixed="2.0-1"), named=f"{flaw}/{name}")
            for flaw, name in (
                (KEV, "kevly"),
                (CRITICAL, "critly"),
                (HIGH, "highly"),
                (LOW, "lowly"),
                (LATE, "lately"),
            )
        ),
        advisory(NEVER, statement("debian:12", "neverly", remedy=Remedy.WILL_NOT_FIX)),
    )
    publish(
        database,
        clock,
        "nvd",
        *(
            advisory(flaw, description=flaw, scores=scores, published=published(2025))
            for flaw, scores in (
                (KEV, ()),
                (CRITICAL, (score(9.8, "critical"),)),
                (HIGH, (score(7.5, "high"),)),
                (LOW, (score(2.0, "low"),)),
            )
        ),
        advisory(LATE, description=LATE, published=published(2026, 6)),
        advisory(
            "CVE-2026-2001", statement("cpe:a", "acme:vague", described=False), published=published(2025)
        ),
        advisory(
            "CVE-2026-2002",
            statement("cpe:a", "acme:anvil", fixed="5.0", condition=runs_on(("cpe:h", "acme:hammer"))),
            published=published(2025),
        ),
    )
    publish(
        database, clock, "kev", exploited(KEV, "2026-05-01", due="2026-05-22", ransomware=True), complete=True
    )
    publish(database, clock, "epss", likely(KEV, 0.9, percentile=0.99, on="2026-05-15"), complete=True)
    publish(
        database,
        clock,
        "vulnrichment",
        Enrichment("vulnrichment", KEV, decision_points=DecisionPoints("active", True, "total")),
    )
    yield database
    database.close()
    database_server.drop(name)


@pytest.fixture
def scan(loaded: Database, monkeypatch: pytest.MonkeyPatch, capsysbinary: Any) -> Scan:
    """The command on loaded feeds: (status, standard output, standard error)."""
    monkeypatch.setenv("SENTRIKAT_DATABASE_URL", loaded.url)
    monkeypatch.setenv("COLUMNS", "200")

    def scanned(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = run(["scan", *arguments])
        out, err = capsysbinary.readouterr()
        return status, out, err.decode()

    return scanned


def agent_report(*software: dict[str, Any], os: dict[str, Any] | None = None, ref: str = "report-1") -> bytes:
    return orjson.dumps(
        {
            "report_id": ref,
            "agent_id": "agent-1",
            "hostname": "host",
            "os": os or DEBIAN_12,
            "collected_at": "2026-06-02T11:00:00Z",
            "complete": True,
            "software": list(software),
        }
    )


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Write a report to a file; give its path."""

    def write(*software: dict[str, Any], **more: Any) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_bytes(agent_report(*software, **more))
        return str(path)

    return write


# -- the contract ------------------------------------------------------------------------

FINDING_KEYS = [
    "vulnerability",
    "aliases",
    "verdict",
    "component",
    "product",
    "source",
    "statement",
    "range",
    "fixed_version",
    "kev",
    "epss",
    "cvss",
    "deadline",
    "confidence",
    "evidence",
]


def test_a_record_has_the_keys_of_the_contract(scan: Scan) -> None:
    report = agent_report(
        deb("libkevly1", "1.0-1", "kevly"),
        cpe("acme", "vague", "1.0"),
        {"type": "windows", "name": "?", "version": "1"},
    )
    status, out, _ = scan("--ndjson", stdin=report + b"\n")
    (record,) = map(orjson.loads, out.splitlines())

    assert status == 0
    assert list(record) == [
        "ref",
        "findings",
        "unknown",
        "missing_updates",
        "missing_program_updates",
        "components",
        "unsupported",
    ]
    assert record["ref"] == "report-1"
    (finding,) = record["findings"]
    assert list(finding) == FINDING_KEYS
    assert list(finding["component"]) == ["name", "version", "type", "purl", "cpe"]
    assert finding["product"] == {"ecosystem": "debian:12", "name": "kevly"}
    assert finding["range"] == {"introduced": None, "fixed": "2.0-1", "last_affected": None}
    assert finding["fixed_version"] == "2.0-1"
    assert finding["kev"] == {"date_added": "2026-05-01", "due_date": "2026-05-22", "ransomware": True}
    assert finding["epss"] == {"score": 0.9, "percentile": 0.99, "model_version": "v2026.06.15"}
    assert finding["cvss"] is None
    assert finding["deadline"] == {"policy": "cisa:DT_BOD2604:1.0.0", "outcome": "3_days_forensic", "days": 3}
    assert {(one["reason"], tuple(one["hints"])) for one in record["unknown"]} == {
        ("undescribed", ("CVE-2026-2001",)),
        ("unidentified", ()),
    }
    for one in record["unknown"]:
        assert {"component", "reason", "hints"} <= set(one)


def test_the_best_identification_is_given_also_where_nothing_was_found(scan: Scan) -> None:
    _, out, _ = scan("--ndjson", stdin=agent_report(cpe("acme", "anvil", "9.0")))

    record = orjson.loads(out)
    assert record["findings"] == []
    assert [one["cpe"] for one in record["components"]] == ["cpe:2.3:a:acme:anvil:9.0:*:*:*:*:*:*:*"]


def test_an_assumed_platform_is_said_and_lowers_confidence(scan: Scan) -> None:
    _, out, _ = scan("--ndjson", stdin=agent_report(cpe("acme", "anvil", "4.0"), os=WINDOWS))

    (finding,) = orjson.loads(out)["findings"]
    assert (finding["evidence"]["assumed_platform"], finding["confidence"]) == (True, 0.8)


@pytest.mark.parametrize(
    ("software", "os", "reason"),
    [
        (deb("anything", "1.0-1"), {**DEBIAN_12, "version": "13"}, "unsupported"),  # nobody speaks of it yet
        (
            deb("anything", "1.0-1"),
            {**DEBIAN_12, "version": "9"},
            "end_of_life",
        ),  # nobody speaks of it any more
        (deb("kevly", None), DEBIAN_12, "no_version"),
        (deb("kevly", "no version"), DEBIAN_12, "no_version"),
        ({"type": "windows", "name": "Never Heard Of", "version": "1"}, WINDOWS, "unidentified"),
    ],
)
def test_what_cannot_be_judged_is_listed_with_its_reason(
    scan: Scan, software: dict[str, Any], os: dict[str, Any], reason: str
) -> None:
    _, out, _ = scan("--ndjson", stdin=agent_report(software, os=os))

    record = orjson.loads(out)
    assert [one["reason"] for one in record["unknown"]] == [reason]
    assert record["findings"] == []


@pytest.mark.parametrize(
    ("version", "hints"),
    [
        ("1:4.0-1", ["CVE-2026-2002"]),  # without epoch and revision inside upstream's range
        ("1:5.0-1", []),  # past it
    ],
)
def test_a_package_of_an_unsupported_release_has_what_upstream_says_as_hint_only(
    scan: Scan, version: str, hints: list[str]
) -> None:
    _, out, _ = scan(
        "--ndjson", stdin=agent_report(deb("libanvil1", version, "anvil"), os={**DEBIAN_12, "version": "9"})
    )

    record = orjson.loads(out)
    assert [(one["reason"], one["hints"]) for one in record["unknown"]] == [("end_of_life", hints)]
    assert record["findings"] == []


# -- forms of output ---------------------------------------------------------------------


def test_json_is_a_list_of_the_same_records(scan: Scan, written: Callable[..., str]) -> None:
    files = [written(deb("kevly", "1.0-1"), ref="one"), written(deb("lowly", "2.0-1"), ref="two")]
    status, out, _ = scan("--format", "json", *files)

    assert status == 0
    assert [(one["ref"], len(one["findings"])) for one in orjson.loads(out)] == [("one", 1), ("two", 0)]


def test_the_table_names_flaw_version_fix_and_exploitation(scan: Scan, written: Callable[..., str]) -> None:
    status, out, _ = scan(written(deb("libkevly1", "1.0-1", "kevly"), cpe("acme", "vague", "1.0")))

    printed = out.decode()
    assert status == 0
    for words in (
        "report-1",
        KEV,
        "libkevly1",
        "1.0-1",
        "2.0-1",
        "since 2026-05-01",
        "undescribed",
        "CVE-2026-2001",
    ):
        assert words in printed


def test_sarif_has_a_rule_for_each_flaw_and_a_result_for_each_component(
    scan: Scan, written: Callable[..., str]
) -> None:
    path = written(deb("libkevly1", "1.0-1", "kevly"), deb("lowly", "1.0-1"))
    _, out, _ = scan("--format", "sarif", path)
    document = orjson.loads(out)

    assert (document["version"], len(document["runs"])) == ("2.1.0", 1)
    (run_,) = document["runs"]
    assert run_["tool"]["driver"]["name"] == "SentriKat"
    rules = [rule["id"] for rule in run_["tool"]["driver"]["rules"]]
    assert rules == [KEV, LOW]
    assert [(one["ruleId"], one["level"]) for one in run_["results"]] == [(KEV, "error"), (LOW, "note")]
    for one in run_["results"]:
        assert one["ruleId"] in rules
        assert one["message"]["text"]
        assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert len(one["partialFingerprints"]["sentrikat/v1"]) == 64
    assert all(
        float(rule["properties"]["security-severity"]) >= 0 for rule in run_["tool"]["driver"]["rules"]
    )


def test_vex_names_every_component_that_a_flaw_affects(scan: Scan, written: Callable[..., str]) -> None:
    path = written(deb("libkevly1", "1.0-1", "kevly"), cpe("acme", "vague", "1.0"))
    _, out, _ = scan("--format", "cyclonedx-vex", path)
    document = orjson.loads(out)

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    references = {one["bom-ref"] for one in document["components"]}
    assert len(references) == len(document["components"]) == 2
    flaws = {one["id"]: one for one in document["vulnerabilities"]}
    assert set(flaws) == {KEV, "CVE-2026-2001"}
    for one in flaws.values():
        assert {each["ref"] for each in one["affects"]} <= references
    assert flaws[KEV]["analysis"]["state"] == "exploitable"
    assert flaws[KEV]["recommendation"] == "Update to 2.0-1 or newer."
    assert flaws["CVE-2026-2001"]["affects"][0]["versions"] == [{"version": "1.0", "status": "unknown"}]


def test_what_will_not_be_repaired_is_said_so_in_every_form(scan: Scan, written: Callable[..., str]) -> None:
    path = written(deb("neverly", "1.0-1"), deb("kevly", "1.0-1"))
    table, vex, records = (
        scan(*arguments, path)[1] for arguments in ((), ("--format", "cyclonedx-vex"), ("--format", "json"))
    )

    assert "will not be" in table.decode()
    responses = {one["id"]: one["analysis"]["response"] for one in orjson.loads(vex)["vulnerabilities"]}
    assert responses == {NEVER: ["will_not_fix"], KEV: ["update"]}
    (record,) = orjson.loads(records)
    remedies = {one["vulnerability"]: one["evidence"]["remedy"] for one in record["findings"]}
    assert remedies == {NEVER: "will_not_fix", KEV: "fixed"}


# -- the gate ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "gate", "status"),
    [
        ("kevly", "kev", 3),
        ("critly", "kev", 0),
        ("kevly", "critical", 3),  # exploited is worse than any score
        ("critly", "critical", 3),
        ("highly", "critical", 0),
        ("highly", "high", 3),
        ("critly", "high", 3),
        ("lowly", "high", 0),
        ("lowly", "any", 3),
        ("lately", "any", 3),  # not scored yet
        ("nothing", "any", 0),
    ],
)
def test_the_gate_ends_with_status_three_at_its_level_or_worse(
    scan: Scan, written: Callable[..., str], package: str, gate: str, status: int
) -> None:
    assert scan("--format", "json", "--fail-on", gate, written(deb(package, "1.0-1")))[0] == status


def test_what_is_only_for_review_does_not_trip_the_gate(scan: Scan, written: Callable[..., str]) -> None:
    assert scan("--format", "json", "--fail-on", "any", written(cpe("acme", "vague", "1.0")))[0] == 0


# -- as of a past day --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "known", "in_kev", "likelihood"),
    [
        ("2024-12-31", set(), False, False),  # nothing was published yet
        ("2026-04-30", {KEV}, False, False),
        ("2026-05-01", {KEV}, True, False),
        ("2026-05-20", {KEV}, True, True),
        ("2026-06-01", {KEV, LATE}, True, True),
    ],
)
def test_as_of_a_day_only_what_was_known_then_counts(
    scan: Scan, written: Callable[..., str], day: str, known: set[str], in_kev: bool, likelihood: bool
) -> None:
    path = written(deb("kevly", "1.0-1"), deb("lately", "1.0-1"))
    status, out, _ = scan("--format", "json", "--as-of", day, "--fail-on", "kev", path)

    (record,) = orjson.loads(out)
    findings = {one["vulnerability"]: one for one in record["findings"]}
    assert set(findings) == known
    if KEV in known:
        assert (findings[KEV]["kev"] is not None, findings[KEV]["epss"] is not None) == (in_kev, likelihood)
    assert status == (3 if in_kev else 0)


# -- input -------------------------------------------------------------------------------


def test_standard_input_and_sboms_are_read(scan: Scan) -> None:
    sbom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": [
            {
                "type": "library",
                "name": "kevly",
                "version": "1.0-1",
                "purl": "pkg:deb/debian/kevly@1.0-1?distro=debian-12",
            }
        ],
    }
    status, out, _ = scan("--format", "json", "-", stdin=orjson.dumps(sbom))

    assert status == 0
    assert [one["vulnerability"] for one in orjson.loads(out)[0]["findings"]] == [KEV]


def test_this_host_can_be_scanned(scan: Scan) -> None:
    status, out, _ = scan("--format", "json", "--host")

    assert status == 0
    assert len(orjson.loads(out)) == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ([], b"", "Nothing was scanned"),
        (["-"], b"", "standard input was not scanned"),
        (["-"], b"{", "standard input was not scanned"),
        (["-"], b"\xff\xfe", "standard input was not scanned"),
        (["-"], b"[]", "standard input was not scanned"),
        (["-"], b'{"hello": 1}', "standard input was not scanned"),
        (["--ndjson"], agent_report() + b"\n\n{broken\n", "standard input, line 3 was not scanned"),
        (["no-such-file.json"], b"", "no-such-file.json was not scanned: No such file"),
    ],
)
def test_bad_input_ends_with_status_one_and_says_what_was_not_scanned(
    scan: Scan, arguments: list[str], stdin: bytes, words: str
) -> None:
    status, _, err = scan(*arguments, stdin=stdin)

    assert status == 1
    assert words in err
    assert "Traceback" not in err


def test_a_report_too_large_is_refused_before_it_is_read(scan: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTRIKAT_MAX_REPORT_BYTES", "100000")
    status, _, err = scan("-", stdin=b" " * 200_000)

    assert status == 1
    assert "larger than 100,000 bytes" in err


@pytest.mark.parametrize(
    "arguments", [["--format", "pdf", "-"], ["--fail-on", "nothing", "-"], ["--as-of", "today", "-"]]
)
def test_a_wrong_option_ends_with_status_two(scan: Scan, arguments: list[str]) -> None:
    assert scan(*arguments)[0] == 2


# -- nothing is kept, and many are quick -------------------------------------------------


def test_nothing_is_stored(scan: Scan, loaded: Database, written: Callable[..., str]) -> None:
    def counts() -> dict[str, int]:
        with psycopg.connect(conninfo(loaded.url)) as operator:
            tables = operator.execute("select relname from pg_class where relkind in ('r', 'p')").fetchall()
            ours = operator.execute(
                "select table_schema || '.' || table_name from information_schema.tables"
                " where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            held = {name: operator.execute(f"select count(*) from {name}").fetchone()[0] for (name,) in ours}  # type: ignore[index]
            return held | {"tables": len(tables)}

    before = counts()
    path = written(
        deb("kevly", "1.0-1"), cpe("acme", "anvil", "4.0"), {"type": "windows", "name": "X", "version": "1"}
    )
    assert scan(path)[0] == 0
    assert counts() == before


def test_thousands_of_inventories_go_through_one_process(scan: Scan) -> None:
    """Two thousand small ones take seconds; a process or a query each would take minutes."""
    lines = b"\n".join(
        agent_report(
            deb("kevly", f"{number % 3}.0-1"), deb(f"package-{number % 50}", "1.0-1"), ref=f"report-{number}"
        )
        for number in range(2_000)
    )
    started = time.monotonic()
    status, out, _ = scan("--ndjson", stdin=lines)

    assert status == 0
    records = [orjson.loads(line) for line in out.splitlines()]
    assert [one["ref"] for one in records] == [f"report-{number}" for number in range(2_000)]
    affected = [len(one["findings"]) for one in records]
    assert affected == [1 if number % 3 < 2 else 0 for number in range(2_000)]
    assert time.monotonic() - started < 60  # a loop over processes would take twenty minutes


# -- what has ended ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "support"),
    [
        ("2015-07-23", None),  # its last day
        ("2015-07-24", "ended"),
        ("", "ended"),  # today
    ],
)
def test_a_system_past_its_end_is_no_clean_result(
    loaded: Database, scan: Scan, written: Callable[..., str], day: str, support: str | None
) -> None:
    publish(
        loaded,
        FrozenClock(NOON),
        "endoflife",
        ReleaseCycles("endoflife", "ubuntu", (Cycle("ubuntu", "14.10", security=Ending(date(2015, 7, 23))),)),
    )
    options = ["--as-of", day] if day else []
    utopic = {"family": "linux", "name": "ubuntu", "version": "14.10"}
    _, out, _ = scan("--ndjson", *options, stdin=agent_report(deb("bash", "4.3-1"), os=utopic))

    record = orjson.loads(out)
    reasons = [(one["component"]["type"], one["reason"]) for one in record["unknown"]]
    if support is None:
        assert record["unsupported"] == []
        assert reasons == [("deb", "unsupported")]
        return
    (one,) = record["unsupported"]
    assert (one["component"]["name"], one["support"], one["since"]) == ("ubuntu", support, "2015-07-23")
    assert reasons == [("os", "end_of_life"), ("deb", "end_of_life")]
    assert record["unknown"][0]["evidence"] == one["sentence"]
    _, table, _ = scan(written(deb("bash", "4.3-1"), os=utopic))
    assert "Unsupported since 23 July 2015" in table.decode()


def test_a_binary_without_its_source_is_judged_by_the_source_a_feed_names(
    loaded: Database, scan: Scan
) -> None:
    publish(
        loaded,
        FrozenClock(NOON),
        "osv",
        advisory("CVE-2026-3001", statement("sles:15.2", "ruby2.5", fixed="2.5.9-1")),
        BuiltFrom("osv", "sles:15.2", "ruby2.5-stdlib", "ruby2.5"),
    )
    stdlib = {"type": "rpm", "name": "ruby2.5-stdlib", "version": "2.5.8-4.11.1"}
    _, out, _ = scan(
        "--ndjson", stdin=agent_report(stdlib, os={"family": "linux", "name": "sles", "version": "15.2"})
    )

    assert [one["vulnerability"] for one in orjson.loads(out)["findings"]] == ["CVE-2026-3001"]

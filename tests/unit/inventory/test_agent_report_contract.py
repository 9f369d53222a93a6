"""The contract of agent reports: schema, golden files and fast reader give the same answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from sentrikat.domain.errors import InvalidInput
from sentrikat.domain.inventory import SOFTWARE_KINDS, Software
from sentrikat.inventory.readers import agent_report, read_report

CONTRACT = Path(__file__).parents[3] / "contracts" / "agent-report"
SCHEMA = json.loads((CONTRACT / "v1.schema.json").read_text("utf-8"))
MANIFEST: dict[str, dict[str, Any]] = json.loads((CONTRACT / "bad" / "manifest.json").read_text("utf-8"))
GOOD = sorted((CONTRACT / "good").glob("*.json"))

_CHECKER = FormatChecker(formats=())


@_CHECKER.checks("date-time", raises=ValueError)
def _on_the_calendar(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value) is not None


VALIDATOR = Draft202012Validator(SCHEMA, format_checker=_CHECKER)


def accepted(body: bytes) -> bool:
    try:
        agent_report.read(body)
    except InvalidInput:
        return False
    return True


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_and_reader_know_the_same_software_types() -> None:
    assert set(SCHEMA["$defs"]["software"]["properties"]["type"]["enum"]) == SOFTWARE_KINDS


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_report_is_accepted_by_schema_and_reader(path: Path) -> None:
    body = path.read_bytes()

    VALIDATOR.validate(json.loads(body))
    reading = read_report(body)

    assert reading.form == "agent-report"
    assert len(reading.inventory.software) == len(json.loads(body)["software"])


@pytest.mark.parametrize("name", MANIFEST)
def test_a_bad_report_is_refused_with_its_path_and_reason(name: str) -> None:
    body = (CONTRACT / "bad" / f"{name}.json").read_bytes()
    expected = MANIFEST[name]

    with pytest.raises(InvalidInput) as refused:
        agent_report.read(body)

    assert list(refused.value.fields) == [expected["path"]]
    assert expected["says"] in refused.value.fields[expected["path"]]
    assert refused.value.hint is not None
    assert "Nothing was stored" in refused.value.hint
    if expected["schema_refuses"]:
        assert not VALIDATOR.is_valid(json.loads(body))


def test_every_bad_file_is_in_the_manifest() -> None:
    files = {path.stem for path in (CONTRACT / "bad").glob("*.json")} - {"manifest"}

    assert files == set(MANIFEST)


def text(longest: int = 30) -> st.SearchStrategy[str]:
    return st.text(max_size=longest) | st.sampled_from(
        ["", " ", "a\nb", "x\x00", "v" * 1025, "KB5034763", "cpe:/"]
    )


ANYTHING: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-5, 5) | text() | st.lists(text(), max_size=2) | st.just({})
)
SOFTWARE_FIELDS = sorted(SCHEMA["$defs"]["software"]["properties"])
OS_FIELDS = sorted(SCHEMA["properties"]["os"]["properties"])
MOMENTS = st.sampled_from(
    [
        "2026-08-22T09:30:00Z",
        "2026-08-22T09:30:00.123456789+05:30",
        "2024-02-29T00:00:00-00:00",
        "2026-02-29T00:00:00Z",
        "2026-08-22T24:00:01Z",
        "2026-08-22 09:30:00Z",
        "2026-08-22T09:30:00Z\n",
        "2026-08-22T09:30Z",
        "٢٠٢٦-08-22T09:30:00Z",
    ]
)


def mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nine right values for each wild one, so that whole documents are often right."""
    return st.integers(0, 29).flatmap(lambda dice: ANYTHING if dice == 0 else usual)


def objects(
    fields: list[str], required: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[dict[str, Any]]:
    plain = {
        name: mostly(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)) for name in fields
    }
    optional = {name: plain[name] for name in fields if name not in required}
    return st.fixed_dictionaries({k: mostly(v) for k, v in required.items()}, optional=optional)


SOFTWARE = objects(
    SOFTWARE_FIELDS,
    {
        "type": st.sampled_from(sorted(SOFTWARE_KINDS)),
        "name": st.text(st.characters(categories=["L"]), min_size=1),
    },
)
REPORTS = st.fixed_dictionaries(
    {
        "report_id": mostly(st.uuids().map(str)),
        "hostname": mostly(st.just("host")),
        "os": mostly(objects(OS_FIELDS, {"family": st.sampled_from(["linux", "windows", "macos", "other"])})),
        "collected_at": mostly(MOMENTS),
        "complete": mostly(st.booleans()),
        "software": mostly(st.lists(SOFTWARE, max_size=4)),
    },
    optional={
        "agent_id": mostly(text()),
        "machine_id": mostly(text()),
        "updates": mostly(st.lists(text() | st.just("KB5034763"), max_size=3)),
    },
)


@settings(max_examples=600, deadline=None)
@given(REPORTS)
def test_schema_and_reader_agree_on_generated_reports(report: dict[str, Any]) -> None:
    body = json.dumps(report).encode()

    assert accepted(body) is VALIDATOR.is_valid(report)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_schema_and_reader_agree_on_golden_reports_with_one_change(data: st.DataObject) -> None:
    report = json.loads(data.draw(st.sampled_from(GOOD)).read_text("utf-8"))
    owners = list(_objects(report))
    owner = data.draw(st.sampled_from(owners))
    key = data.draw(st.sampled_from([*owner, "surplus"]))
    if data.draw(st.booleans()):
        owner[key] = data.draw(ANYTHING)
    else:
        owner.pop(key, None)

    assert accepted(json.dumps(report).encode()) is VALIDATOR.is_valid(report)


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inside in value.values():
            yield from _objects(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _objects(inside)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        read_report(body, hostname="host")


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_report_cut_or_damaged_anywhere_is_refused_or_still_a_report(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from(GOOD)).read_bytes().rstrip())
    place = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        with pytest.raises(InvalidInput):
            agent_report.read(bytes(body[:place]))
    else:
        body[place] = data.draw(st.integers(0, 255))
        try:
            agent_report.read(bytes(body))
        except InvalidInput as refused:
            assert refused.fields  # noqa: PT017  # both outcomes are right, a third is not


def test_the_first_twenty_problems_are_named_and_all_are_counted() -> None:
    report = json.loads((CONTRACT / "good" / "minimal.json").read_text("utf-8"))
    report["software"] = [{"type": "deb", "name": f"p{n}", "version": n} for n in range(30)]

    with pytest.raises(InvalidInput) as refused:
        agent_report.read(orjson.dumps(report))

    assert len(refused.value.fields) == 20
    assert "30 problems" in refused.value.message


def test_equal_entries_count_once_and_different_versions_twice() -> None:
    report = json.loads((CONTRACT / "good" / "minimal.json").read_text("utf-8"))
    package = {"type": "rpm", "name": "kernel-core", "version": "5.14.0-362.el9"}
    older = package | {"version": "5.14.0-284.el9"}
    report["software"] = [package, older, package, dict(reversed(package.items())), package | {"vendor": ""}]

    inventory = agent_report.read(orjson.dumps(report))

    assert inventory.software == (
        Software("rpm", "kernel-core", "5.14.0-362.el9"),
        Software("rpm", "kernel-core", "5.14.0-284.el9"),
    )


def test_an_empty_string_is_an_unknown_value() -> None:
    report = json.loads((CONTRACT / "good" / "minimal.json").read_text("utf-8"))
    report |= {"machine_id": "", "os": {"family": "linux", "name": "", "version": ""}}
    report["software"] = [{"type": "deb", "name": "bash", "version": ""}]

    inventory = agent_report.read(orjson.dumps(report))

    assert inventory.machine_id is None
    assert inventory.os.name is None
    assert inventory.software[0].version is None


def test_a_package_url_of_another_release_wins_over_the_host_release() -> None:
    body = (CONTRACT / "good" / "languages.json").read_bytes()

    releases = {s.name: s.release for s in agent_report.read(body).software if s.type == "deb"}

    assert releases == {"libssl1.1": "debian:11"}


def test_too_many_entries_are_refused_before_they_are_looked_at() -> None:
    report = json.loads((CONTRACT / "good" / "minimal.json").read_text("utf-8"))
    report["software"] = [0] * 100_001

    with pytest.raises(InvalidInput) as refused:
        agent_report.read(orjson.dumps(report))

    assert list(refused.value.fields) == ["software"]

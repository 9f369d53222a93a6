"""Messages of syslog, whatever people typed: one frame, one message, the same content."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentrikat.audit import ocsf
from sentrikat.audit.queries import StoredEntry
from sentrikat.audit.syslog import entry_message, escaped, framed

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
HEADER = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([\x21-\x7e]{1,255}) (sentrikat)"
    rb" ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32})"
    rb' (\[origin software="SentriKat" swVersion="(?:[^"\\\]]|\\["\\\]])*"\]\[meta sequenceId="\d{1,10}"\]) (.*)'
)

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\n\r\x00\x1b"]\\[<>\u2028'))
details = st.dictionaries(texts, st.recursive(texts | st.integers() | st.none(), st.lists, max_leaves=4))


def entry(**changes: object) -> StoredEntry:
    values: dict[str, object] = {
        "id": 17,
        "organization_id": 3,
        "at": NOON,
        "actor": "user:4",
        "action": "asset.changed",
        "object": "asset:9",
        "address": "192.0.2.1",
        "detail": {},
        "previous_hash": bytes(32),
        "hash": bytes(31) + b"1",
    }
    return StoredEntry(**{**values, **changes})  # type: ignore[arg-type]


@given(actor=texts, action=texts, subject=texts, address=st.none() | texts, detail=details, host=texts)
@pytest.mark.parametrize("as_ocsf", [False, True])
def test_nothing_that_was_typed_breaks_a_frame(
    as_ocsf: bool,
    actor: str,
    action: str,
    subject: str,
    address: str | None,
    detail: dict[str, object],
    host: str,
) -> None:
    one = entry(actor=actor, action=action, object=subject, address=address, detail=detail)

    frame = framed(entry_message(one, host, as_ocsf=as_ocsf))

    length, _, message = frame.partition(b" ")
    assert int(length) == len(message)
    assert re.fullmatch(rb"[\x20-\x7e]+", message)  # no line feed, no control character, nothing but ASCII
    parts = HEADER.fullmatch(message)
    assert parts is not None
    found = json.loads(parts[8])
    if as_ocsf:
        assert found["unmapped"]["object"] == subject
        assert found["unmapped"]["detail"] == detail
    else:
        assert (found["actor"], found["action"], found["object"]) == (actor, action, subject)
        assert (found["address"], found["detail"]) == (address, detail)


@given(texts)
def test_a_value_of_structured_data_ends_where_it_should(value: str) -> None:
    assert re.fullmatch(r'(?:[^"\\\]]|\\["\\\]])*', escaped(value))
    assert re.sub(r'\\(["\\\]])', r"\1", escaped(value)) == value


# -- the open schema ----------------------------------------------------------------------

# What version 1.3.0 requires: of every event, of each class, and of the objects in them.
EVERY = {
    "activity_id": int,
    "category_uid": int,
    "class_uid": int,
    "metadata": dict,
    "severity_id": int,
    "time": int,
    "type_uid": int,
}
OF_CLASS: dict[int, dict[str, type]] = {
    3001: {"user": dict},
    3002: {"user": dict, "service": dict},  # at least one of service and dst_endpoint
    3004: {"entity": dict},
    6003: {"actor": dict, "api": dict, "src_endpoint": dict},
}
ACTIVITIES = {
    3001: {*range(12), 99},
    3002: {*range(6), 99},
    3004: {*range(5), 99},
    6003: {*range(5), 99},
}


@pytest.mark.parametrize(
    ("changes", "class_uid", "activity", "status"),
    [
        ({"action": "sign_in", "object": "user:4"}, 3002, 1, 1),
        ({"action": "sign_in.refused", "object": "login:mallory", "actor": "visitor"}, 3002, 1, 2),
        ({"action": "sign_out", "object": "user:4"}, 3002, 2, 1),
        ({"action": "session.ended", "object": "session:4"}, 3002, 2, 1),
        ({"action": "account.created", "object": "user:5", "detail": {"login": "new"}}, 3001, 1, 1),
        ({"action": "account.disabled", "object": "user:5"}, 3001, 5, 1),
        ({"action": "account.password_changed", "object": "user:5"}, 3001, 3, 1),
        ({"action": "account.somersault", "object": "user:5"}, 3001, 99, 1),
        ({"action": "membership.removed", "object": "user:5"}, 3001, 8, 1),
        ({"action": "asset.changed"}, 3004, 3, 1),
        ({"action": "organization.created", "object": "organization:3"}, 3004, 1, 1),
        ({"action": "api_key.revoked", "object": "key:3"}, 3004, 4, 1),
        ({"action": "asset.changed", "actor": "key:3"}, 6003, 3, 1),
        ({"action": "asset.changed", "actor": "key:3", "address": None}, 6003, 3, 1),
        ({"action": "feed.approved", "object": "feed:kev", "actor": "cli", "address": None}, 3004, 3, 1),
        ({"action": "audit.chain_broken", "object": "chain:3", "actor": "system"}, 3004, 3, 2),
    ],
)
def test_an_entry_has_what_the_open_schema_requires(
    changes: dict[str, object], class_uid: int, activity: int, status: int
) -> None:
    event = ocsf.event(entry(**changes))

    assert (event["class_uid"], event["activity_id"], event["status_id"]) == (class_uid, activity, status)
    for name, kind in {**EVERY, **OF_CLASS[class_uid]}.items():
        assert type(event[name]) is kind, name
        assert event[name] != {}, name
    assert event["activity_id"] in ACTIVITIES[class_uid]
    assert event["category_uid"] == class_uid // 1000
    assert event["type_uid"] == class_uid * 100 + activity
    assert event["time"] == 1_780_401_600_000
    assert event["severity_id"] in range(7)
    assert event["metadata"]["version"] == "1.3.0"
    assert event["metadata"]["product"]["vendor_name"]
    for person in filter(None, (event.get("user"), event["actor"].get("user"))):
        assert person.get("uid") or person.get("name")
    if class_uid == 6003:
        assert event["api"]["operation"] == "asset.changed"
    if class_uid == 3004:
        assert event["entity"]["name"] or event["entity"]["uid"]

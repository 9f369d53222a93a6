"""Entries in the Open Cybersecurity Schema Framework, version 1.3, as security data lakes read them.

    sign_in, sign_out, session    Authentication, 3002
    account, membership           Account Change, 3001: the object is a person
    anything by an API key        API Activity, 6003
    the rest                      Entity Management, 3004

Source  https://schema.ocsf.io/1.3.0 (classes, required attributes, numbers of activities)

What has no place of its own there stands under `unmapped`, the hashes among it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from sentrikat.audit.queries import StoredEntry
from sentrikat.domain.hash_chain import moment_text

SCHEMA_VERSION = "1.3.0"
_PRODUCT = {"name": "SentriKat", "vendor_name": "SentriKat", "version": version("sentrikat")}
_CATEGORIES = {3: "Identity & Access Management", 6: "Application Activity"}
_CLASSES = {
    3001: "Account Change",
    3002: "Authentication",
    3004: "Entity Management",
    6003: "API Activity",
}
_SUCCESS, _FAILURE = 1, 2
_INFORMATIONAL, _MEDIUM, _HIGH = 1, 3, 4

# The last word of an action that speaks of a person, and the activity of Account Change.
_ACCOUNT = {
    "created": (1, "Create"),
    "provisioned": (1, "Create"),
    "enabled": (2, "Enable"),
    "password_changed": (3, "Password Change"),
    "password_reset": (4, "Password Reset"),
    "disabled": (5, "Disable"),
    "deleted": (6, "Delete"),
    "added": (7, "Attach Policy"),
    "role_set": (7, "Attach Policy"),
    "role_changed": (7, "Attach Policy"),
    "changed": (7, "Attach Policy"),
    "set": (7, "Attach Policy"),
    "installation_admin": (7, "Attach Policy"),
    "removed": (8, "Detach Policy"),
    "locked": (9, "Lock"),
}
_CREATING = frozenset({"created", "added", "made", "pinned", "exported", "imported", "offered"})
_DELETING = frozenset({"deleted", "removed", "revoked", "withdrawn", "unpinned", "distrusted"})
_REFUSING = frozenset({"refused", "failed", "not_admitted", "chain_broken", "rejected"})


def event(entry: StoredEntry) -> dict[str, Any]:
    """Give an entry as an event of the class it belongs to."""
    room, _, verb = entry.action.rpartition(".")
    room = room or entry.action
    refused = verb in _REFUSING
    found = _specific(entry, room.partition(".")[0], verb)
    class_uid, activity_id = found["class_uid"], found["activity_id"]
    return {
        **found,
        "category_uid": class_uid // 1000,
        "category_name": _CATEGORIES[class_uid // 1000],
        "class_name": _CLASSES[class_uid],
        "type_uid": class_uid * 100 + activity_id,
        "type_name": f"{_CLASSES[class_uid]}: {found['activity_name']}",
        "time": int(entry.at.timestamp() * 1000),
        "severity_id": _HIGH if verb == "chain_broken" else _MEDIUM if refused else _INFORMATIONAL,
        "status_id": _FAILURE if refused else _SUCCESS,
        "message": f"{entry.action} {entry.object}",
        "actor": _actor(entry.actor),
        "src_endpoint": {"ip": entry.address} if entry.address is not None else {"name": "localhost"},
        "metadata": {
            "version": SCHEMA_VERSION,
            "product": _PRODUCT,
            "uid": entry.hash.hex(),
            "event_code": entry.action,
            "sequence": entry.id,
            "original_time": moment_text(entry.at),
        },
        "unmapped": {
            "organization_id": entry.organization_id,
            "actor": entry.actor,
            "object": entry.object,
            "detail": entry.detail,
            "previous_hash": entry.previous_hash.hex(),
        },
    }


def _specific(entry: StoredEntry, room: str, verb: str) -> dict[str, Any]:
    """Give what the class asks for beyond what every event has."""
    if room in {"sign_in", "session"} or entry.action == "sign_out":
        leaving = room == "session" or entry.action == "sign_out"
        return {
            "class_uid": 3002,
            "activity_id": 2 if leaving else 1,
            "activity_name": "Logoff" if leaving else "Logon",
            "user": _person(entry.object if entry.object.startswith("login:") else entry.actor),
            "service": {"name": "SentriKat"},
            "is_remote": True,
        }
    if entry.object.startswith("user:"):
        number, name = _ACCOUNT.get(verb, (99, verb or "Other"))
        return {
            "class_uid": 3001,
            "activity_id": number,
            "activity_name": name,
            "user": _person(entry.object, entry.detail.get("login")),
        }
    if verb in _CREATING:
        activity = (1, "Create")
    elif verb in _DELETING:
        activity = (4, "Delete")
    else:
        activity = (3, "Update")
    kind, _, uid = entry.object.partition(":")
    if entry.actor.startswith("key:"):
        return {
            "class_uid": 6003,
            "activity_id": activity[0],
            "activity_name": activity[1],
            "api": {"operation": entry.action, "service": {"name": "SentriKat"}},
            "resources": [{"type": kind, "uid": uid}],
        }
    return {
        "class_uid": 3004,
        "activity_id": activity[0],
        "activity_name": activity[1],
        "entity": {"type": kind, "uid": uid, "name": entry.object},
    }


def _actor(actor: str) -> dict[str, Any]:
    if actor.startswith(("user:", "key:")):
        return {"user": {"uid": actor, "type_id": 1 if actor.startswith("user:") else 3}}
    return {"app_name": "SentriKat", "user": {"uid": actor, "name": actor, "type_id": 3}}


def _person(named: str, login: object = None) -> dict[str, Any]:
    if named.startswith("login:"):
        return {"name": named.removeprefix("login:"), "type_id": 1}
    return {"uid": named, "type_id": 1} | ({"name": login} if isinstance(login, str) else {})

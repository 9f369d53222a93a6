"""A JSON document as bytes, read with suspicion: size, encoding, nesting, repeated keys."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

from sentrikat.domain.errors import InvalidInput

MAX_BYTES = 64 * 1024 * 1024  # 100,000 entries of 600 bytes
MAX_DEPTH = 64  # nested components of an SBOM; agent reports need 3
MAX_STRING = 1024
MAX_SOFTWARE = 100_000
MAX_PROBLEMS = 20  # of one document; the first ones say what is wrong

# JSON text has C0 characters only as escapes; PostgreSQL stores no NUL, and the rest name nothing.
CONTROL = re.compile("[\x00-\x1f]")
_ESCAPED_CONTROL = re.compile(rb"\\[bfnrtu]")
_CONTAINERS = frozenset({dict, list})
_AFTER_KEY = re.compile(rb'"\s*:')


class Problems:
    """What is wrong with a document: path to message, the first twenty."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.count = 0

    def add(self, path: str, message: str) -> None:
        """Note one problem."""
        self.count += 1
        if len(self.found) < MAX_PROBLEMS:
            self.found.setdefault(path, message)

    def refuse_if_any(self, what: str) -> None:
        """Raise InvalidInput naming every problem noted."""
        if self.count:
            path, message = next(iter(self.found.items()))
            more = f" ({self.count} problems in all)" if self.count > 1 else ""
            raise InvalidInput(
                f"{what} was not accepted: {path or 'the document'} {message}{more}.",
                hint="Correct the fields named and send it again. Nothing was stored.",
                fields=self.found,
            )


def may_hold_control_characters(body: bytes) -> bool:
    """Say whether strings of the document need a look; most bodies have no escapes at all."""
    return _ESCAPED_CONTROL.search(body) is not None


def load_object(body: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object; InvalidInput for anything a second reader could understand differently."""
    if len(body) > MAX_BYTES:
        raise InvalidInput(
            f"{what} was not accepted: it is {len(body):,} bytes long, and {MAX_BYTES:,} are allowed.",
            hint="Send it in parts with complete set to false. Nothing was stored.",
            code="too_large",
            fields={"": "too large"},
        )
    if not body.strip():
        _refuse(what, "is empty")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _refuse(what, _reason(body, error))
    if not isinstance(document, dict):
        _refuse(what, f"is {_type_name(document)}, not an object")
    keys = _count_keys(document, what)
    # Every key is followed by a colon, so no more colons than keys means that none was repeated.
    if len(_AFTER_KEY.findall(body)) != keys:
        _refuse_repeated_keys(body, what)
    return document


def type_name(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    return _type_name(value)


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    names: dict[type, str] = {
        str: "a string",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), "something else")


def _refuse(what: str, reason: str, path: str = "") -> NoReturn:
    raise InvalidInput(
        f"{what} was not accepted: it {reason}.",
        hint="Send one UTF-8 JSON object. Nothing was stored.",
        fields={path: reason},
    )


def _reason(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return f"is not UTF-8 (byte {wrong.start})"
    if "recursion" in error.msg.lower():
        return f"is nested deeper than {MAX_DEPTH} levels"
    if error.pos >= len(body.rstrip()) - 1 or "unexpected end" in error.msg.lower():
        return f"is cut off after {len(body)} bytes"
    return f"is not JSON: {error.msg}"


def _count_keys(document: dict[str, Any], what: str) -> int:
    """Count the keys of all objects inside, level by level; refuse what is nested too deep."""
    count = 0
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            inside = value
            if type(value) is dict:
                count += len(value)
                inside = value.values()
            if not _CONTAINERS.isdisjoint(map(type, inside)):
                below.extend(v for v in inside if type(v) in _CONTAINERS)
        if not below:
            return count
        level = below
    _refuse(what, f"is nested deeper than {MAX_DEPTH} levels")


def _refuse_repeated_keys(body: bytes, what: str) -> None:
    def once(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                _refuse(what, f"names “{key[:80]}” twice in one object", key[:80])
            seen.add(key)

    json.loads(body, object_pairs_hook=once)

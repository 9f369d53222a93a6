"""Checking one SAML response, in the open and encrypted: ours, and python3-saml's second opinion."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from benchmarks.measure import Row
from sentrikat.identity.saml import second_opinion
from sentrikat.identity.saml.certificates import make_key_pair
from sentrikat.identity.saml.responses import Assertion, Expected, open_response, read_assertion
from sentrikat.infra.clock import SystemClock
from tests.identity_provider import ACS, IDP, SP, Says, encode, keys, respond


def checks(times: int = 40) -> list[Row]:
    """Check a response with four attributes, signed twice with RSA 2048, for a key of ours of 3072 bits."""
    now = SystemClock().now()
    ours = make_key_pair("ours", now)
    expected = Expected(IDP, (keys("idp").certificate,), SP, ACS, (ours,), "_asked")
    rows = []
    for words, certificate in (("in the open", None), ("encrypted", ours.certificate)):
        encoded = encode(respond(Says(now), encrypt_for=certificate))
        opened = open_response(encoded)
        assertion = read_assertion(opened, expected, now)
        own = _median(partial(_own, encoded, expected, now), times)
        second = _median(partial(second_opinion.ask, opened, assertion, expected), times)
        rows += [
            Row(f"one SAML response, {words}: our check", "-", f"{own:.1f} ms"),
            Row(f"one SAML response, {words}: the second opinion", "-", f"{second:.1f} ms"),
        ]
    return rows


def _own(encoded: str, expected: Expected, now: datetime) -> Assertion:
    return read_assertion(open_response(encoded), expected, now)


def _median(work: Callable[[], object], times: int) -> float:
    """Give the median in milliseconds."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1000

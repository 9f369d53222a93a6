from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from sentrikat.api.bodies import REPORT_PATH, BodyLimit, BodyTooLarge, unpack
from sentrikat.domain.errors import InvalidInput, SentriKatError


async def reads_everything(_scope: Scope, receive: Receive, _send: Send) -> None:
    while (await receive()).get("more_body"):
        pass


def send_chunks(path: str, count: int, *, announced: int | None = None) -> int:
    """Send chunks of a kilobyte until they end or are refused; give how many were taken."""
    taken = 0

    async def chunks() -> AsyncIterator[Message]:
        for number in range(count):
            yield {"type": "http.request", "body": bytes(1024), "more_body": number < count - 1}

    async def run() -> None:
        nonlocal taken
        source = chunks()

        async def receive() -> Message:
            nonlocal taken
            message = await anext(source)
            taken += 1
            return message

        async def send(_message: Message) -> None:
            return

        headers = [(b"content-length", str(announced).encode())] if announced is not None else []
        limit = BodyLimit(reads_everything, largest=4096, largest_report=16 * 1024, seconds=60)
        await limit({"type": "http", "path": path, "headers": headers}, receive, send)

    try:
        asyncio.run(run())
    except HTTPException as refused:
        return -taken if refused.status_code == 413 else refused.status_code
    return taken


@pytest.mark.parametrize(
    ("path", "count", "announced", "taken"),
    [
        ("/x", 4, None, 4),  # just fits
        ("/x", 1000, None, -5),  # no length announced: cut off while it comes in
        ("/x", 1000, 10**6, 0),  # refused before a byte is read
        (REPORT_PATH, 16, None, 16),  # reports have their own limit
        (REPORT_PATH, 1000, None, -17),
    ],
)
def test_a_body_is_read_up_to_its_limit(path: str, count: int, announced: int | None, taken: int) -> None:
    assert send_chunks(path, count, announced=announced) == taken


def test_several_members_are_one_body() -> None:
    assert unpack(gzip.compress(b"a") + gzip.compress(b"b"), "GZIP", 10) == b"ab"


def test_the_limit_holds_over_all_members() -> None:
    with pytest.raises(BodyTooLarge):
        unpack(gzip.compress(bytes(8)) * 2, "gzip", 10)


@given(content=st.binary(max_size=200), cut=st.integers(0, 300))
def test_cut_data_is_never_taken_for_whole(content: bytes, cut: int) -> None:
    packed = gzip.compress(content)
    cut = min(cut, len(packed) - 1)
    if cut == 0:
        return  # nothing at all is an empty body, and refused as no report
    with pytest.raises(InvalidInput):
        unpack(packed[:cut], "gzip", 1000)


@given(st.binary(max_size=300))
def test_noise_never_crashes(noise: bytes) -> None:
    with contextlib.suppress(SentriKatError):
        unpack(noise, "gzip", 100)

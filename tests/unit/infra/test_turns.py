"""Few at once, the others in order, and none of them for ever."""

from __future__ import annotations

import anyio
import pytest

from sentrikat.domain.errors import Unavailable
from sentrikat.infra import turns
from sentrikat.infra.turns import Turns


def test_no_more_than_so_many_run_at_once_and_all_come_through() -> None:
    running, most, done = 0, 0, 0

    async def work(waiting: Turns) -> None:
        nonlocal running, most, done
        async with waiting.one():
            running += 1
            most = max(most, running)
            await anyio.sleep(0.001)
            running -= 1
            done += 1

    async def crowd() -> None:
        waiting = Turns(3)
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(work, waiting)

    anyio.run(crowd)

    assert (most, done) == (3, 50)


def test_who_waits_too_long_is_told_and_takes_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_WAIT_SECONDS", 0.01)

    async def late() -> None:
        waiting = Turns(1)
        async with waiting.one():
            with pytest.raises(Unavailable, match="too many sign-ins are waiting"):
                async with waiting.one():
                    pytest.fail("came in")
        async with waiting.one():  # the turn is free again
            pass

    anyio.run(late)


def test_a_failure_gives_the_turn_back() -> None:
    async def failing() -> None:
        waiting = Turns(1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with waiting.one():
                    raise ZeroDivisionError

    anyio.run(failing)

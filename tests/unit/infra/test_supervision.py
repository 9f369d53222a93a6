"""The supervisor: what ends unasked comes back, later each time; what stops, stops in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from sentrikat.infra.supervision import LONGEST_WAIT_SECONDS, Supervisor


@dataclass
class FakePart:
    """A part that runs until the test ends it."""

    name: str
    journal: list[str]
    running: bool = False
    starts: int = field(default=0, init=False)

    def start(self) -> None:
        self.starts += 1
        self.running = True
        self.journal.append(f"start {self.name}")

    def is_running(self) -> bool:
        return self.running

    def stop(self) -> None:
        self.running = False
        self.journal.append(f"stop {self.name}")


class Time:
    """A stopwatch moved by hand."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_parts_start_in_order_and_stop_in_reverse() -> None:
    journal: list[str] = []
    supervisor = Supervisor([FakePart("database", journal), FakePart("web", journal)])
    supervisor.start()
    supervisor.stop()
    assert journal == ["start database", "start web", "stop web", "stop database"]


def test_a_part_that_runs_already_is_not_started_again() -> None:
    part = FakePart("database", [], running=True)
    Supervisor([part]).start()
    assert part.starts == 0


def test_a_part_that_ends_is_started_again_after_a_wait() -> None:
    time, part = Time(), FakePart("web", [])
    supervisor = Supervisor([part], now=time)
    supervisor.start()
    part.running = False
    supervisor.look()
    assert part.starts == 1
    time.seconds += 0.5
    supervisor.look()
    assert part.starts == 2


def test_a_part_that_keeps_crashing_waits_longer_each_time_but_not_for_ever() -> None:
    time, part = Time(), FakePart("web", [])
    supervisor = Supervisor([part], now=time)
    supervisor.start()
    waits = []
    for _ in range(10):
        part.running = False
        supervisor.look()
        crashed_at, starts = time.seconds, part.starts
        while part.starts == starts:
            time.seconds += 0.25
            supervisor.look()
        waits.append(time.seconds - crashed_at)
    assert waits[:4] == [0.5, 1, 2, 4]
    assert max(waits) == LONGEST_WAIT_SECONDS


def test_after_a_stable_time_a_crash_counts_as_the_first() -> None:
    time, part = Time(), FakePart("web", [])
    supervisor = Supervisor([part], now=time)
    supervisor.start()
    for _ in range(5):
        part.running = False
        supervisor.look()
        time.seconds += 60
        supervisor.look()
    time.seconds += 3600
    part.running = False
    supervisor.look()
    time.seconds += 0.5
    starts = part.starts
    supervisor.look()
    assert part.starts == starts + 1

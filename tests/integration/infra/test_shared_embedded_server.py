"""Two commands without a running `up` share the server that the first of them started."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg

from sentrikat.infra.database.engine import conninfo
from sentrikat.infra.database.reach import reach_server
from sentrikat.infra.settings import Settings


def test_the_command_that_started_the_server_waits_for_the_others(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    ended = threading.Event()
    entered = threading.Event()
    leave = threading.Event()

    def first_command() -> None:
        with reach_server(settings):
            entered.set()
            leave.wait(30)
        ended.set()

    owner = threading.Thread(target=first_command)
    owner.start()
    assert entered.wait(30)
    with reach_server(settings) as url, psycopg.connect(conninfo(url)) as second:
        leave.set()
        time.sleep(1)
        assert not ended.is_set()
        assert second.execute("select 1").fetchone() == (1,)
    owner.join(30)
    assert ended.is_set()

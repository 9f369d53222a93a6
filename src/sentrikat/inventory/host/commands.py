"""Run a program of the machine that is looked at: bounded in time, and failure is told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence

TIMEOUT_SECONDS = 60  # rpm -qa on a slow disk takes ten; a hanging database lock must not take for ever

Run = Callable[[Sequence[str]], bytes]


class CommandError(Exception):
    """A program is absent, ended with an error, or did not end in time."""


def run(command: Sequence[str]) -> bytes:
    """Return what `command` prints, in the C locale; CommandError otherwise."""
    try:
        done = subprocess.run(  # fixed programs, fixed arguments
            list(command),
            capture_output=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            env=os.environ  # allow environment: handed on, but for the language of messages
            | {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"},
        )
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} did not end within {TIMEOUT_SECONDS} seconds") from None
    except OSError as error:
        raise CommandError(f"{command[0]} could not be run: {error}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CommandError(
            f"{command[0]} ended with {done.returncode}: {said[-1][:200] if said else 'no message'}"
        )
    return done.stdout

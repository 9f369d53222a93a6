"""What each command would need if it were asked for through a door.

Whoever runs a command has the machine: they can read the settings and the database, so nothing here could
keep them out, and commands act as `cli` with every permission. The declaration says what that amounts to.
It stands in docs/admin/roles.md, and a command with `--as` asks it of the account that is named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sentrikat.domain.permissions import Permission

Command = TypeVar("Command", bound=Callable[..., Any])


def needs(permission: Permission) -> Callable[[Command], Command]:
    """Declare what a command needs; a guard test lists the commands that do not."""

    def declare(command: Command) -> Command:
        command.permission = permission  # type: ignore[attr-defined]  # read by `permission_of`
        return command

    return declare


def permission_of(command: Callable[..., Any] | None) -> Permission | None:
    """Give what a command declared."""
    return cast("Permission | None", getattr(command, "permission", None))

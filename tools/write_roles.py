"""Write docs/admin/roles.md from the permissions and the commands: python -m tools.write_roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from sentrikat.cli import application
from sentrikat.cli.declared import permission_of
from sentrikat.domain.permissions import (
    INSTALLATION_ADMINISTRATOR,
    KEY_SCOPES,
    PERMISSION_WORDS,
    ROLE_PERMISSIONS,
    ROLE_WORDS,
    Permission,
    Role,
)

TARGET = Path(__file__).parent.parent / "docs" / "admin" / "roles.md"

HEAD = """# Roles and permissions

Written by `python -m tools.write_roles`; a test compares it with the program. The page *Roles* shows the first table too.

Every page and every route of the API names the one permission it asks for, and it is asked on the server at each request: a role that
is taken away counts from the next click. A role belongs to an organization; the same person may hold another one elsewhere, and
switches at the top of the page. [Which route answers whom](../security/access-matrix.md) is written by the test that calls them all.
"""

ADMINISTRATORS = """An **installation administrator** is no role: an account is one, or not. Only another installation administrator or the command line
makes it one. It enters every organization as its administrator, and runs the installation.
"""

CUSTOM_ROLES = """## Roles of your own

Where no built-in role fits, an administrator of the organization makes one under *Members*, *Roles*, or with `POST /api/v1/roles`: a
name, and a box for each permission of the table above but those of the installation. Everybody may see and change their own account
besides. Such a role is given like a built-in one: on the page *Members*, with `PATCH /api/v1/members/{user_id}`, or with
`sentrikat users set-role jane "Night shift" --organization main`.

* **Nobody gives or takes more than they hold** ([why](../adr/0036-nobody-gives-more-than-they-hold.md)). Whoever gives a role, takes one away, or makes, changes or deletes one must hold each
  permission that the old and the new role let people do. Somebody whose role holds `members:manage` can so neither make an
  administrator nor demote one. The same holds for `keys:manage`: a key is given, or replaced, within what its maker may do.
* Whoever holds `members:manage` or `keys:manage` is an administrator to the rule on [second factors](sign-in.md).
* A change counts from the next click of the members, and so for their tokens. A role that members hold is not deleted.
* The last administrator of an organization stays; a role of your own never counts as one, even if it holds every permission.
* Names are of one organization, 1 to 60 characters, and compared without case. An organization has at most 50 roles of its own.
* Pages and answers keep to the permissions: the page of an asset shows its findings to whoever may read findings, and its reports to
  whoever may read reports. Who is given `members:manage` or `keys:manage` mostly needs `members:read` or `keys:read` beside it.
* Group rules of identity providers, and the select on the page of a user, give built-in roles only: they belong to the installation, and
  not to one organization.
* During an upgrade without downtime, give such roles when no process of the release before is left: it does not know them, and answers
  their members with an error.

"""

COMMAND_LINE = """## The command line

Whoever runs `sentrikat` on the server can read its settings and its database, so no question could keep them out: a command acts as `cli`
with every permission, and what it changes stands in the audit log as done by `cli`. Guard the machine accordingly: only the system account
of SentriKat may read its settings and data directory. With `--as LOGIN` a command acts as that account: it asks for the password, and then
for the permission the command names below, and the log names the person.

| command | permission |
|---|---|
"""


def every_command() -> Iterator[tuple[str, Permission | None]]:
    """Yield every command with the words that call it, and what it declared."""
    group = typer.main.get_command(application())
    assert isinstance(group, TyperGroup)
    yield from _commands_of(group, "sentrikat")


def _commands_of(group: TyperGroup, before: str) -> Iterator[tuple[str, Permission | None]]:
    for name, command in sorted(group.commands.items()):
        words = f"{before} {name}"
        if isinstance(command, TyperGroup):
            yield from _commands_of(command, words)
        else:
            yield words, permission_of(command.callback)


def page() -> str:
    """Give the page."""
    roles = list(Role)
    lines = [HEAD, "## Roles", "", "| role | |", "|---|---|"]
    lines += [f"| {role} | {ROLE_WORDS[role]} |" for role in roles]
    lines += ["", ADMINISTRATORS]
    lines.append(f"| may | {' | '.join(roles)} | installation administrator | permission | scope of a key |")
    lines.append("|---" * (len(roles) + 4) + "|")
    for permission, words in PERMISSION_WORDS.items():
        held = [
            "yes" if permission is Permission.PROFILE or permission in ROLE_PERMISSIONS[role] else "-"
            for role in roles
        ]
        top = "yes" if permission in INSTALLATION_ADMINISTRATOR else "-"
        scope = "yes" if permission in KEY_SCOPES else "-"
        lines.append(f"| {words} | {' | '.join(held)} | {top} | `{permission}` | {scope} |")
    lines += ["", CUSTOM_ROLES + COMMAND_LINE.rstrip("\n")]
    for words, declared in every_command():
        lines.append(f"| `{words}` | {f'`{declared}`' if declared else 'not declared'} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    TARGET.write_text(page(), encoding="utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()

"""What can go wrong, as the reader of the message needs it.

SentriKatError
├── InvalidInput          the caller's data is wrong; nothing was changed
│   ├── InvalidVersion    a version string its scheme cannot order
│   ├── InvalidName       a CPE name or package URL that breaks its grammar
│   └── FeedFormatError   a feed document or record that breaks its format
├── NotFound              no such thing, or not for this caller
├── Forbidden             the caller is known and may not
├── Conflict              the state does not allow it (replayed, older, held)
└── Unavailable           something we depend on does not answer
"""

from __future__ import annotations


class SentriKatError(Exception):
    """Something did not happen, and the message says what, why, and what to do.

    `code` is stable and meant for machines; `hint` says what to do next and in which
    state the system is; `fields` names the offending input fields, path to message.
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        fields: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.fields = fields or {}
        if code is not None:
            self.code = code


class InvalidInput(SentriKatError):
    """The data given cannot be used."""

    code = "invalid_input"


class InvalidVersion(InvalidInput):
    """The version cannot be ordered by its scheme; such a version is unknown, never guessed."""

    code = "invalid_version"


class InvalidName(InvalidInput):
    """The name breaks the grammar of CPE 2.3 or of package URLs."""

    code = "invalid_name"


class FeedFormatError(InvalidInput):
    """A feed document, or one record of it, is not in the form its source promises."""

    code = "feed_format"


class NotFound(SentriKatError):
    """There is no such thing, or none this caller may see."""

    code = "not_found"


class Forbidden(SentriKatError):
    """The caller is known, and may not do this."""

    code = "forbidden"


class Conflict(SentriKatError):
    """The present state does not allow it."""

    code = "conflict"


class Unavailable(SentriKatError):
    """Something this depends on does not answer."""

    code = "unavailable"

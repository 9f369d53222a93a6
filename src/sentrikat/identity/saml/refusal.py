"""Why a SAML message was not accepted: a word for the audit log, a sentence for the administrator."""

from __future__ import annotations

from enum import StrEnum

from sentrikat.domain.errors import Forbidden


class Reason(StrEnum):
    """The word that the audit log keeps."""

    TOO_LARGE = "too_large"
    NOT_BASE64 = "not_base64"
    NOT_XML = "not_xml"
    DTD = "dtd"
    COMMENT = "comment"
    DUPLICATE_ID = "duplicate_id"
    NOT_A_RESPONSE = "not_a_response"
    MISPLACED = "misplaced"
    SEVERAL_ASSERTIONS = "several_assertions"
    NO_ASSERTION = "no_assertion"
    WRONG_ISSUER = "wrong_issuer"
    PROVIDER_REFUSED = "provider_refused"
    UNSIGNED_RESPONSE = "unsigned_response"
    UNSIGNED_ASSERTION = "unsigned_assertion"
    UNSIGNED_MESSAGE = "unsigned_message"
    WEAK_ALGORITHM = "weak_algorithm"
    UNUSUAL_SIGNATURE = "unusual_signature"
    UNKNOWN_KEY = "unknown_key"
    ALTERED = "altered"
    BAD_SIGNATURE = "bad_signature"
    NOT_WHAT_WAS_SIGNED = "not_what_was_signed"
    NOT_ENCRYPTED = "not_encrypted"
    NOT_DECRYPTED = "not_decrypted"
    WRONG_DESTINATION = "wrong_destination"
    WRONG_RECIPIENT = "wrong_recipient"
    WRONG_AUDIENCE = "wrong_audience"
    UNSOLICITED = "unsolicited"
    WRONG_REQUEST = "wrong_request"
    UNKNOWN_REQUEST = "unknown_request"
    OTHER_BROWSER = "other_browser"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    NOT_AGAIN = "not_authenticated_again"
    NO_CONFIRMATION = "no_confirmation"
    UNKNOWN_CONDITION = "unknown_condition"
    REPLAYED = "replayed"
    NO_NAME = "no_name"
    TRANSIENT_NAME = "transient_name"
    SECOND_OPINION = "second_opinion"
    OTHER_PERSON = "other_person"
    BUSY = "too_many_requests"


class SamlRefused(Forbidden):
    """A message of the protocol was refused. `message` is for administrators, never for the person."""

    code = "saml"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def shown(text: str | None, longest: int = 120) -> str:
    """Give foreign text fit for a log and a page: short, one line, nothing invisible."""
    if text is None:
        return "nothing"
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: longest + 1])
    return f"“{clean[:longest]}…”" if len(clean) > longest else f"“{clean}”"

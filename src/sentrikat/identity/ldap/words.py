"""What directories and TLS mean by their numbers, for administrators; people who sign in are never told."""

from __future__ import annotations

import re
import ssl

_DATA = re.compile(r"\bdata ([0-9a-fA-F]{3,8})\b")

# Active Directory answers every refused bind with 49 and tells the rest in the text, as a Windows error in hex.
SUB_CODES: dict[str, str] = {
    "525": "the directory has no such user",
    "52e": "the password is wrong",
    "52f": "the account is restricted (blank password or a policy)",
    "530": "the account may not sign in at this time of day",
    "531": "the account may not sign in from this computer",
    "532": "the password has expired",
    "533": "the account is disabled in the directory",
    "568": "the account is in too many groups",
    "701": "the account has expired",
    "773": "the password must be changed before the next sign-in",
    "775": "the account is locked after too many wrong passwords",
}

_RESULTS: dict[int, str] = {
    1: "the directory reports an error of its own",
    2: "the directory did not understand the request",
    4: "the directory gave only a part of what was asked for",
    8: "the directory asks for a stronger way to authenticate",
    11: "the directory's limit for one search was reached",
    13: "the directory asks for an encrypted connection",
    18: "the directory does not know this way of searching",
    21: "a value of the search has the wrong form",
    32: "there is nothing of this name (is the search base right?)",
    34: "a name is not written as a DN",
    48: "the directory does not let this account sign in so",
    49: "the name or the password is wrong",
    50: "the account may not do this",
    51: "the directory is busy",
    52: "the directory is not available",
    53: "the directory refuses to do this (is the account locked, or anonymous access switched off?)",
}


def sub_code(message: str) -> str | None:
    """Give the Windows error that Active Directory put into an answer's text."""
    found = _DATA.search(message)
    return found[1].casefold().lstrip("0") if found is not None else None


def result_words(code: int, message: str) -> str:
    """Say in words why a directory refused."""
    detail = sub_code(message)
    if detail is not None and detail in SUB_CODES:
        return f"{SUB_CODES[detail]} (data {detail})"
    return f"{_RESULTS.get(code, 'the directory refused')} (result {code})"


def tls_words(error: Exception, host: str) -> str:
    """Say in words why a TLS connection did not come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == 10:
            return "its certificate has expired"
        if error.verify_code == 9:
            return "its certificate is not valid yet; is the clock of this server right?"
        if error.verify_code in {62, 64}:
            return f"its certificate is for another name than “{host}”"
        if error.verify_code in {18, 19, 20, 21}:
            return "its certificate comes from an authority that is not trusted here; give its CA certificate"
        return f"its certificate was not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "it did not answer the TLS handshake in time"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS on this port ({getattr(error, 'reason', None) or 'no TLS answer'})"
    return f"the connection ended during the TLS handshake ({error})"

"""How messages travel through the browser: in the query of a redirect, or in a form."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus, urlsplit

from lxml import etree

from sentrikat.identity.saml import documents, signatures
from sentrikat.identity.saml.certificates import Certificate, KeyPair
from sentrikat.identity.saml.documents import LARGEST_MESSAGE, Element
from sentrikat.identity.saml.names import POST, RSA_SHA256
from sentrikat.identity.saml.refusal import Reason, SamlRefused


@dataclass(frozen=True, slots=True)
class Sending:
    """A message on its way to the provider: an address to go to, or a form to send there."""

    url: str
    fields: tuple[tuple[str, str], ...] = ()  # empty: a redirect

    @property
    def origin(self) -> str:
        """Give the origin that a form is sent to, for the content security policy."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


def send(
    kind: str, message: Element, url: str, binding: str, pair: KeyPair, relay_state: str = ""
) -> Sending:
    """Sign a message and make it ready to travel. `kind` is SAMLRequest or SAMLResponse."""
    if binding == POST:
        signatures.sign(message, 1, pair.private, pair.certificate)  # behind the issuer
        encoded = base64.b64encode(etree.tostring(message)).decode()
        return Sending(url, ((kind, encoded), *((("RelayState", relay_state),) if relay_state else ())))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(etree.tostring(message)) + packer.flush()
    query = f"{kind}={quote(base64.b64encode(packed), safe='')}"
    if relay_state:
        query += f"&RelayState={quote(relay_state, safe='')}"
    query += f"&SigAlg={quote(RSA_SHA256, safe='')}"
    query += f"&Signature={quote(signatures.sign_text(query, pair.key), safe='')}"
    return Sending(f"{url}{'&' if '?' in url else '?'}{query}")


def receive_redirect(kind: str, query: str, certificates: Sequence[Certificate]) -> Element:
    """Give the message in a query, whose signature must hold. `query` is as it came over the wire.

    The signature covers the parameters as the sender wrote them, so they are not decoded and written anew.
    """
    raw: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name in raw:
            raise SamlRefused(Reason.MISPLACED, f"The address has {name[:40]!r} more than once.")
        raw[name] = value
    if kind not in raw or not {"SigAlg", "Signature"} <= raw.keys():
        raise SamlRefused(Reason.UNSIGNED_MESSAGE, "The message is not signed.")
    root = documents.parse(inflate(documents.decode(unquote_plus(raw[kind]))))
    signed = "&".join(f"{name}={raw[name]}" for name in (kind, "RelayState", "SigAlg") if name in raw)
    signatures.verify_text(signed, unquote_plus(raw["Signature"]), unquote_plus(raw["SigAlg"]), certificates)
    return root


def receive_post(encoded: str, certificates: Sequence[Certificate]) -> Element:
    """Give the message in a form, as far as its signature covers it."""
    root = documents.parse(documents.decode(encoded))
    signatures.refuse_misplaced(root, [root])
    return documents.parse(signatures.verify(root, certificates))


def inflate(packed: bytes) -> bytes:
    """Unpack a message, and no more of it than is read: a bomb of a kilobyte holds a megabyte."""
    unpacker = zlib.decompressobj(-15)
    try:
        content = unpacker.decompress(packed, LARGEST_MESSAGE + 1)
    except zlib.error:
        raise SamlRefused(Reason.NOT_BASE64, "The message is not packed with DEFLATE.") from None
    if len(content) > LARGEST_MESSAGE or unpacker.unconsumed_tail:
        raise SamlRefused(Reason.TOO_LARGE, f"The message unpacks to more than {LARGEST_MESSAGE:,} bytes.")
    if not unpacker.eof or unpacker.unused_data:
        raise SamlRefused(Reason.NOT_BASE64, "The packed message is cut off, or something follows it.")
    return content

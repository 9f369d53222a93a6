"""XML signatures: what exactly was signed, and by whom.

A signature names what it signs by an identifier, and XML Signature Wrapping moves things about until the
signed element is one and the element that is read another (Somorovsky and others, 2012). So a signature is
taken only where the standard puts it, as a child of the very element it signs; xmlsec verifies it; and the
bytes that were digested are made again by other code, compared with the digest, and *given back*. Whoever
reads an assertion reads those bytes, and nothing else of the message.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import hmac
from collections.abc import Sequence

import xmlsec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from sentrikat.identity.saml.certificates import Certificate
from sentrikat.identity.saml.documents import Element, one, text_of
from sentrikat.identity.saml.names import (
    DIGEST_ALGORITHMS,
    ENVELOPED,
    EXCLUSIVE_C14N,
    SIGNATURE,
    SIGNATURE_ALGORITHMS,
    tag,
)
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown

_SIGNATURE = tag(SIGNATURE, "Signature")
MOST_PREFIXES = 20  # providers list those of their own declarations: one or two, seldom eight
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def is_signed(element: Element) -> bool:
    """Say whether an element carries a signature of itself."""
    return element.find(_SIGNATURE) is not None


def refuse_misplaced(root: Element, signed: Sequence[Element]) -> None:
    """Refuse signatures anywhere but directly under one of `signed`."""
    for signature in root.iter(_SIGNATURE):
        if not any(signature.getparent() is element for element in signed):
            where = etree.QName(signature.getparent()).localname if signature.getparent() is not None else ""
            raise SamlRefused(
                Reason.MISPLACED, f"There is a signature within {shown(where)}, where none belongs."
            )


def verify(element: Element, certificates: Sequence[Certificate]) -> bytes:
    """Verify the signature that `element` carries of itself; give the bytes that were signed."""
    what = etree.QName(element).localname
    signature = one(element, "ds:Signature")
    if signature is None:
        raise SamlRefused(Reason.UNSIGNED_MESSAGE, f"The {what} is not signed.")
    signed_info = _form(element, signature)
    prefixes, digest_name = _reference(element, signed_info)
    if not any(_holds(element, signature, certificate) for certificate in certificates):
        raise _why_not(what, signature, signed_info, certificates)
    signed = canonical_without(element, signature, prefixes)
    told = _base64(text_of(one(signed_info, "ds:Reference/ds:DigestValue")))
    if not hmac.compare_digest(hashlib.new(digest_name, signed).digest(), told):
        raise SamlRefused(
            Reason.NOT_WHAT_WAS_SIGNED, f"The signature holds, but over something else than this {what}."
        )
    return signed


def _form(element: Element, signature: Element) -> Element:
    """Give SignedInfo of a signature that has the one form SAML knows."""
    children = [child.tag for child in signature]
    usual = [tag(SIGNATURE, name) for name in ("SignedInfo", "SignatureValue", "KeyInfo")]
    if children not in (usual, usual[:2]):
        raise SamlRefused(Reason.UNUSUAL_SIGNATURE, "The signature has other parts than SAML allows.")
    if list(element).index(signature) > 1:
        raise SamlRefused(Reason.MISPLACED, "The signature is not right behind the issuer.")
    signed_info = signature[0]
    method = signed_info.find(tag(SIGNATURE, "SignatureMethod"))
    algorithm = method.get("Algorithm") if method is not None else None
    if algorithm not in SIGNATURE_ALGORITHMS:
        raise SamlRefused(
            Reason.WEAK_ALGORITHM,
            f"The signature was made with {shown(algorithm)}; RSA with SHA-256, 384 or 512 is taken.",
        )
    canonical = one(signed_info, "ds:CanonicalizationMethod")
    if canonical is None or canonical.get("Algorithm") != EXCLUSIVE_C14N or len(canonical):
        raise SamlRefused(Reason.UNUSUAL_SIGNATURE, "The signature is not over exclusive canonical XML.")
    return signed_info


def _reference(element: Element, signed_info: Element) -> tuple[list[str], str]:
    """Give the inclusive prefixes and the digest's name of the only reference, which must be to `element`."""
    references = signed_info.findall(tag(SIGNATURE, "Reference"))
    if len(references) != 1 or not element.get("ID") or references[0].get("URI") != f"#{element.get('ID')}":
        named = ", ".join(shown(reference.get("URI")) for reference in references[:3])
        raise SamlRefused(
            Reason.MISPLACED,
            f"The signature of {shown(element.get('ID'))} is over {named or 'nothing'} instead of it.",
        )
    reference = references[0]
    method = one(reference, "ds:DigestMethod")
    algorithm = method.get("Algorithm") if method is not None else None
    if algorithm not in DIGEST_ALGORITHMS:
        raise SamlRefused(
            Reason.WEAK_ALGORITHM,
            f"The digest was made with {shown(algorithm)}; SHA-256, 384 or 512 is taken.",
        )
    transforms = reference.findall("ds:Transforms/ds:Transform", {"ds": SIGNATURE})
    if [transform.get("Algorithm") for transform in transforms] != [ENVELOPED, EXCLUSIVE_C14N]:
        raise SamlRefused(
            Reason.UNUSUAL_SIGNATURE, "The signature transforms what it signs in an unusual way."
        )
    prefixes: list[str] = []
    for inclusive in transforms[1]:
        if inclusive.tag != tag(EXCLUSIVE_C14N, "InclusiveNamespaces"):
            raise SamlRefused(
                Reason.UNUSUAL_SIGNATURE, "The signature transforms what it signs in an unusual way."
            )
        prefixes += inclusive.get("PrefixList", "").split()
    if len(prefixes) > MOST_PREFIXES:  # each is looked up anew for every element
        raise SamlRefused(
            Reason.UNUSUAL_SIGNATURE,
            f"The signature lists {len(prefixes)} prefixes; at most {MOST_PREFIXES}.",
        )
    if len(transforms[0]):
        raise SamlRefused(
            Reason.UNUSUAL_SIGNATURE, "The signature transforms what it signs in an unusual way."
        )
    return prefixes, DIGEST_ALGORITHMS[algorithm]


def _holds(element: Element, signature: Element, certificate: Certificate) -> bool:
    context = xmlsec.SignatureContext()
    # With a key given, whatever key the message brings along is not looked at.
    context.key = xmlsec.Key.from_memory(certificate.pem, xmlsec.constants.KeyDataFormatCertPem)
    try:
        context.register_id(element, "ID")
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def canonical_without(element: Element, signature: Element, prefixes: Sequence[str]) -> bytes:
    """Give an element in exclusive canonical form without its signature, whose following text stays."""
    alone = etree.Element(element.tag, dict(element.attrib), nsmap=element.nsmap)
    alone.text = element.text
    for child in element:
        if child is signature:
            if len(alone):
                alone[-1].tail = (alone[-1].tail or "") + (child.tail or "")
            else:
                alone.text = (alone.text or "") + (child.tail or "")
        else:
            alone.append(copy.deepcopy(child))
    made: bytes = etree.tostring(
        alone,
        method="c14n",
        exclusive=True,
        with_comments=False,
        inclusive_ns_prefixes=[p for p in prefixes if p != "#default"] or None,
    )
    return made


def _why_not(
    what: str, signature: Element, signed_info: Element, certificates: Sequence[Certificate]
) -> SamlRefused:
    """Find out for the administrator what is wrong: a new key of the provider, or a message that was altered."""
    known = ", ".join(certificate.fingerprint[:23] for certificate in certificates) or "none"
    brought = _brought(signature)
    if brought is not None and brought.fingerprint not in {c.fingerprint for c in certificates}:
        return SamlRefused(
            Reason.UNKNOWN_KEY,
            f"The {what} is signed with the key of another certificate (SHA-256 {brought.fingerprint[:23]}…, "
            f"{shown(brought.subject, 80)}) than those entered for this provider ({known}…).",
        )
    if any(_value_holds(signature, signed_info, certificate) for certificate in certificates):
        return SamlRefused(
            Reason.ALTERED, f"The {what} was altered after it was signed: its digest does not fit."
        )
    return SamlRefused(
        Reason.BAD_SIGNATURE, f"The signature of the {what} fits none of the certificates entered ({known}…)."
    )


def _brought(signature: Element) -> Certificate | None:
    written = text_of(signature.find(".//ds:X509Certificate", {"ds": SIGNATURE}))
    if written is None:
        return None
    try:
        return Certificate.read(written)
    except ValueError:
        return None


def _value_holds(signature: Element, signed_info: Element, certificate: Certificate) -> bool:
    """Say whether the key signed this SignedInfo, whatever it refers to."""
    method = signed_info.find(tag(SIGNATURE, "SignatureMethod"))
    assert method is not None
    digest = _HASHES[SIGNATURE_ALGORITHMS[method.get("Algorithm")]]()
    alone = etree.Element(signed_info.tag, dict(signed_info.attrib), nsmap=signed_info.nsmap)
    alone.text = signed_info.text
    alone.extend(copy.deepcopy(child) for child in signed_info)
    written = etree.tostring(alone, method="c14n", exclusive=True, with_comments=False)
    try:
        certificate.key.verify(
            _base64(text_of(one(signature, "ds:SignatureValue"))), written, padding.PKCS1v15(), digest
        )
    except InvalidSignature:
        return False
    return True


def sign(element: Element, place: int, private_key: str, certificate: Certificate) -> None:
    """Sign an element that has an ID; the signature becomes its child number `place`."""
    signature = xmlsec.template.create(
        element, xmlsec.constants.TransformExclC14N, xmlsec.constants.TransformRsaSha256
    )
    element.insert(place, signature)
    reference = xmlsec.template.add_reference(
        signature, xmlsec.constants.TransformSha256, uri=f"#{element.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformEnveloped)
    xmlsec.template.add_transform(reference, xmlsec.constants.TransformExclC14N)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(signature))
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(private_key, xmlsec.constants.KeyDataFormatPem)
    context.key.load_cert_from_memory(certificate.pem, xmlsec.constants.KeyDataFormatCertPem)
    context.register_id(element, "ID")
    context.sign(signature)


def sign_text(text: str, private_key: rsa.RSAPrivateKey) -> str:
    """Sign the query of a redirect; base64."""
    return base64.b64encode(private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


def verify_text(text: str, signature: str, algorithm: str, certificates: Sequence[Certificate]) -> None:
    """Verify the signature of a redirect's query; SamlRefused unless a certificate fits."""
    if algorithm not in SIGNATURE_ALGORITHMS:
        raise SamlRefused(
            Reason.WEAK_ALGORITHM,
            f"The message was signed with {shown(algorithm)}; RSA with SHA-256, 384 or 512 is taken.",
        )
    digest, value = _HASHES[SIGNATURE_ALGORITHMS[algorithm]](), _base64(signature)
    for certificate in certificates:
        try:
            certificate.key.verify(value, text.encode(), padding.PKCS1v15(), digest)
        except InvalidSignature:
            continue
        return
    raise SamlRefused(
        Reason.BAD_SIGNATURE, "The signature of the message fits none of the certificates entered."
    )


def _base64(written: str | None) -> bytes:
    try:
        return base64.b64decode("".join((written or "").split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise SamlRefused(Reason.BAD_SIGNATURE, "The signature or its digest is not base64.") from None

"""Names of SAML, XML Signature and XML Encryption, and which algorithms we take."""

from __future__ import annotations

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE = "http://www.w3.org/2000/09/xmldsig#"
ENCRYPTION = "http://www.w3.org/2001/04/xmlenc#"
ENCRYPTION_11 = "http://www.w3.org/2009/xmlenc11#"

NAMESPACES = {
    "samlp": PROTOCOL,
    "saml": ASSERTION,
    "md": METADATA,
    "ds": SIGNATURE,
    "xenc": ENCRYPTION,
}

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
RESPONDER = "urn:oasis:names:tc:SAML:2.0:status:Responder"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
NAME_ID_FORMATS = {
    PERSISTENT: "persistent: an opaque name that never changes (best)",
    EMAIL: "e-mail address",
    UNSPECIFIED: "unspecified: whatever the provider sends",
    TRANSIENT: "transient: another one each time (needs an attribute that names the person)",
}

EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
# SHA-1 and MD5 are not among them: a collision of SHA-1 costs some ten thousand dollars since 2020.
SIGNATURE_ALGORITHMS = {
    RSA_SHA256: "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": "sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": "sha512",
}
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGEST_ALGORITHMS = {
    SHA256: "sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}

AUTHENTICATED_CIPHERS = frozenset(
    {
        "http://www.w3.org/2009/xmlenc11#aes128-gcm",
        "http://www.w3.org/2009/xmlenc11#aes192-gcm",
        "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    }
)
# Without authentication a cipher text can be altered and our answers watched (Jager and Somorovsky, 2011);
# a signature over the cipher text stands in for it.
CBC_CIPHERS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
        "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
        "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    }
)
# RSA PKCS#1 v1.5 is not among them: Bleichenbacher, 1998.
KEY_TRANSPORTS = frozenset(
    {
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        "http://www.w3.org/2009/xmlenc11#rsa-oaep",
    }
)


def tag(namespace: str, name: str) -> str:
    """Write a qualified name as lxml does."""
    return f"{{{namespace}}}{name}"

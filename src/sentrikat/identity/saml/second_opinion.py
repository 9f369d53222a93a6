"""python3-saml must agree: other code, with the schemas of SAML, looks at the same message.

It has had no release since 2023 and knows no clock but the machine's, so it never says yes alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
from onelogin.saml2.response import OneLogin_Saml2_Response
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from sentrikat.identity.saml.names import POST
from sentrikat.identity.saml.refusal import Reason, SamlRefused, shown
from sentrikat.identity.saml.responses import Assertion, Expected, OpenedResponse


def ask(opened: OpenedResponse, assertion: Assertion, expected: Expected) -> None:
    """Raise SamlRefused unless the library accepts the response too, and reads the same name."""
    where = urlsplit(expected.consumer_url)
    request: dict[str, Any] = {
        "https": "on" if where.scheme == "https" else "off",
        "http_host": where.netloc,
        "script_name": where.path,
        "get_data": {},
        "post_data": {},
    }
    try:
        response = OneLogin_Saml2_Response(_settings(assertion, expected), opened.encoded)
        response.is_valid(request, expected.request_id, raise_exceptions=True)
        names = (response.get_nameid(), response.get_assertion_id())
    except (OneLogin_Saml2_ValidationError, OneLogin_Saml2_Error) as error:
        raise SamlRefused(Reason.SECOND_OPINION, f"The second check refused: {shown(str(error))}.") from None
    except Exception as error:  # noqa: BLE001 - whatever trips the library is no reason to sign in
        raise SamlRefused(
            Reason.SECOND_OPINION, f"The second check broke off: {type(error).__name__} {shown(str(error))}."
        ) from None
    if names != (assertion.name_id.value, assertion.id):
        raise SamlRefused(
            Reason.SECOND_OPINION, f"Two readers of the message read different names: {shown(str(names))}."
        )


def _settings(assertion: Assertion, expected: Expected) -> OneLogin_Saml2_Settings:
    pair = assertion.opened_with or expected.keys[0]
    bodies = [certificate.body for certificate in expected.certificates]
    given: dict[str, Any] = {
        "strict": True,
        "debug": False,
        "sp": {
            "entityId": expected.audience,
            "assertionConsumerService": {"url": expected.consumer_url, "binding": POST},
            "x509cert": pair.certificate.body,
            "privateKey": pair.private,
        },
        "idp": {
            "entityId": expected.provider,
            "singleSignOnService": {"url": expected.consumer_url},
            "x509cert": bodies[0],
            "x509certMulti": {"signing": bodies, "encryption": bodies[:1]},
        },
        "security": {
            "wantAssertionsSigned": True,
            "wantMessagesSigned": expected.signed_response,
            "wantAssertionsEncrypted": expected.encrypted,
            "wantAttributeStatement": False,
            "rejectDeprecatedAlgorithm": True,
        },
    }
    return OneLogin_Saml2_Settings(given)

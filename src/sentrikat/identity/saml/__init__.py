"""SAML 2.0 service provider: people sign in with their company's identity provider.

    documents     XML from outside: capped, no DTD, no comments, no identifier twice
    signatures    what exactly was signed, and by whom
    encryption    assertions encrypted for us
    responses     is this answer one that we asked for, meant for us, now?
    second_opinion  python3-saml must agree
    requests  logout  idp_metadata  sp_metadata     the other documents of the protocol
    keys  providers  journey  sessions     what is stored, and the way of a person through it

The first two thirds know no database and no clock; they can be fuzzed.
"""

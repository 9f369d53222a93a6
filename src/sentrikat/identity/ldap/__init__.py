"""LDAP directories: OpenLDAP, Active Directory and their like, asked over TLS only."""

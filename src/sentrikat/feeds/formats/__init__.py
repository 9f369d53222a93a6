"""Readers of record forms that several sources share: OSV, CVE JSON 5, severity scores."""

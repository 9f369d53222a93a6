"""SentriKat: software inventory in, known-exploited vulnerabilities out, explained and proven."""

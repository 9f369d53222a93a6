"""Matches and findings: which flaw is on which asset, since when, why, and by when it has to go."""

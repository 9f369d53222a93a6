"""What the sources said: flaws, advisories, affected ranges, enrichments with their history, and the runs that brought them."""

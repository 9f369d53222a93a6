"""A bundle: recorded source documents in one file, for sites without a connection and for the first start."""

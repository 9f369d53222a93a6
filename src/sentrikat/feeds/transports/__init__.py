"""Where documents come from: a server, a file, a bundle, or a test."""

"""Lint rules of our own: tiny, each with the mistake that made it, each tested."""

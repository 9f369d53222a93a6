"""The web pages: one of the doors. Server-rendered, usable without scripts, strict about what it loads."""

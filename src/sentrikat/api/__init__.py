"""The JSON API, /api/v1: one of the doors. Who is calling, may they, one call, the answer."""

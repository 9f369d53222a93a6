"""Who may use SentriKat: organizations, users, memberships, sessions, API keys."""

"""Measurements of the budgets: repeatable, seeded, printed as tables, never asserted in tests."""

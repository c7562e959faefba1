"""Verbs: one operation a file, each of which owns its database sessions."""

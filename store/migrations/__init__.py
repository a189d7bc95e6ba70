"""Alembic migrations, applied when a store is opened."""

HEAD = "0002"
"""The newest revision. Revisions are numbered, so that an older program can tell a newer schema."""

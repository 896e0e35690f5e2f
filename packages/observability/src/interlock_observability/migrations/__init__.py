"""Versions of the tables of this part, for alembic."""

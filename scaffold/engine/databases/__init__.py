"""Databases: PostgreSQL servers of this machine, with the endpoints of Aurora in front of them."""

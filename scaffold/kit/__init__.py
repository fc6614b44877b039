"""Kits: where one comes from, what it asks, and what it renders."""

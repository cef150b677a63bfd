"""Flows with two effects or two callers."""

"""Stripe at API version 2026-08-26.dahlia: calls out (gateway) and events in (events)."""

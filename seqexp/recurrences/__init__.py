"""Recurrences: pure functions on arrays, without parameters."""

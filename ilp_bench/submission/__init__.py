"""Submissions: their format, their checks, and what is decided about them."""

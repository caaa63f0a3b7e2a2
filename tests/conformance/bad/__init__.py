"""Deliberately bad drivers, which the suite must catch: each right in all but one thing."""

"""Attempts in child processes: warm interpreters that run one job at a time and may die of it."""

"""Whole workers, with real threads, processes and files."""

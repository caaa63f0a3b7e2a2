"""Middleware: generator functions round each attempt."""

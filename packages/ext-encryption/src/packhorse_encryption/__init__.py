"""Sealed payloads for packhorse."""

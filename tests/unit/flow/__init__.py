"""Tests of `packhorse.flow`."""

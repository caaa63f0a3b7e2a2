"""Tests of the stores that come with the core, beside what the conformance suite sees."""

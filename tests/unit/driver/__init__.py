"""Tests of the drivers that come with the core, beside what the conformance suite sees."""

"""Tests of `packhorse.wire`."""

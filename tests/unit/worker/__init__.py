"""Tests of `packhorse.worker`."""

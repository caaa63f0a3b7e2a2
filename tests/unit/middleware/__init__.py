"""Tests of `packhorse.middleware`."""

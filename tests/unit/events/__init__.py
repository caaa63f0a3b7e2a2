"""Tests of `packhorse.events`."""

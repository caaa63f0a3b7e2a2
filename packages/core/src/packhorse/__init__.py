"""Packhorse: a job queue whose every part is a plugin."""

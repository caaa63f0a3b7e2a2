"""The Redis driver for packhorse."""

"""The SQL driver for packhorse."""

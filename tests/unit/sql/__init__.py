"""The SQL driver: what the shared suites cannot see."""

"""The Redis driver: what the shared suites cannot see."""

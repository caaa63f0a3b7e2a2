"""What packhorse promises to be fast at, measured beside a raw client loop in the same run."""

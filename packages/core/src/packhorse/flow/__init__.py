"""Jobs that belong together: chains and batches."""

"""One module for each job queue that is measured: what it needs, how it is set, how it sends."""

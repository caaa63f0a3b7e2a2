"""What `packhorse demo` works on: Python's own source files, one job a file."""

"""The pages say what the code says, and their examples run."""

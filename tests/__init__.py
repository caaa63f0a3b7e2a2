"""The tests of all packages; CONTRIBUTING.md says which folder holds what."""

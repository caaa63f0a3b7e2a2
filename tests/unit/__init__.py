"""One part at a time, in the order of the source tree."""

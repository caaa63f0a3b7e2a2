"""Drivers: the contract, the values that cross it, and the four that come with the core."""

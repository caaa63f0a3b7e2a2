"""Many workers in one thread under a seed: what no test with real threads can repeat.

`simulate(seed)` interleaves the real parts of workers on a virtual clock, loses replies, lets
processes die and leases end, and checks the promises of `docs/guarantees.md` all the way.
"""

from packhorse.testing.simulation.play import Found, Report, simulate

__all__ = ["Found", "Report", "simulate"]

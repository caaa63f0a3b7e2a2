"""The benchmark of peers: what it computes, without any peer."""

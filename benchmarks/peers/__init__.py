"""Packhorse beside other job queues, on the same machine, server and jobs, in the same run."""

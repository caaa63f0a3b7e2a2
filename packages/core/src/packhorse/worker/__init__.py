"""The worker: reserves, runs, settles and renews; decisions in plan.py and attempt.py, threads elsewhere."""

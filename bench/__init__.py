"""`make bench`: what the daemon does per second and how long it takes, beside a naive twin in the same run.

A measure is a daemon process over real PostgreSQL with fsync on, seen from outside. Nothing of this is in the wheel.
"""

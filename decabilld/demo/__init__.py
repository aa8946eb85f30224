"""A session to watch: a daemon of its own bills half a year for three customers, over HTTP alone.

Knows the daemon only as a client does; of the project's code it uses nothing but the command line.
"""

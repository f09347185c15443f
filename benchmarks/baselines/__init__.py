"""What people use instead of the loader: each a script of its own, run as its own process.

Each prints one line of JSON: `work_seconds`, its time without start-up, and what it counted.
"""

"""Measure the loader against the tools that people use instead.

    make bench         all cases, 5 pairs each
    make bench-quick   500,000 rows, 1 pair, the groups load, write and nightly

docs/performance.md explains the numbers.
"""

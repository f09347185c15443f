"""Measure the loader against the tools that people use instead.

    make bench         all cases, 5 pairs each
    make bench-quick   1 M rows, 1 pair, the cases of `cpu`, `wall` and `write_cpu`

docs/performance.md explains the numbers.
"""

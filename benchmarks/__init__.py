"""How fast the loader is, side by side with what people use instead.

    make bench         all cases, 5 pairs each
    make bench-quick   1 M rows, 1 pair, the cases of `cpu`, `wall` and `write_cpu`

docs/performance.md says what each number means.
"""

"""What ends a benchmark run."""


class BenchmarkError(Exception):
    """A case that cannot be measured, or whose result is not what was asked for."""

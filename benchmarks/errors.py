"""The error that ends a benchmark run."""


class BenchmarkError(Exception):
    """A case cannot be measured, or its result is wrong."""


class Unavailable(BenchmarkError):
    """This machine cannot run the case."""

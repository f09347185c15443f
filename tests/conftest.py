"""Settings for all tests."""

from hypothesis import settings

# No deadline, because tests are slow on a busy machine. benchmarks/ measures the speed.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

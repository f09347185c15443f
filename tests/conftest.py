"""What all tests share."""

from hypothesis import settings

# A machine that is busy is no failure: speed lives in benchmarks/.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

"""What all tests share."""

from hypothesis import settings

# A loaded machine makes any example slow: a time limit on them would be a test that flakes.
settings.register_profile("mockmail", deadline=None)
settings.load_profile("mockmail")

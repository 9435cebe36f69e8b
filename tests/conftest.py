"""Drawn examples are the same in every run, and no test depends on a clock."""

from hypothesis import settings

collect_ignore = ["reference/muon_files.py"]  # made the file once; muon is not installed here
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

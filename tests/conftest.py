"""Drawn examples are the same in every run, and no test depends on a clock."""

from hypothesis import settings

# made their files once; muon and pingouin are not installed here
collect_ignore = ["reference/muon_files.py", "reference/pingouin_icc.py"]
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

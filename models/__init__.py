"""Cohort and outcome to model to performance; the path is the import: `models.cox.CoxModel`.

Nothing is imported here, so that a command that only reads a study starts at once.
"""

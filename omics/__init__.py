"""Tables in, patients aligned, factors out; the path is the import: `omics.cohort.Cohort`.

Nothing is imported here, so that a command that only reads a study starts at once.
"""

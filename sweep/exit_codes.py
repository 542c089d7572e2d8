"""How a command ends, beside 0 (all finished) and 1 (a bug of ours)."""

BAD_INPUT = 2
SOME_FAILED = 3
INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: the same command again resumes

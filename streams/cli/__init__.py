"""The command line: ``main`` has the commands and options, and each command its module."""

import os

# Before any module imports numpy: products of small matrices cost more CPU time on several threads than on one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

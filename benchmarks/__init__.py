"""How fast is it, and how well does it judge? Each module here measures some figures; ``make bench`` measures all."""

import os

# As in a worker (``streams.cli``): threads of BLAS wait for each other longer than these small products take.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

"""What decides a verdict: how many floors an honest error may have, how floors are found.

Set by honest variants alone; the measurements are in docs/numerics.md. Torch-free. Non-goals: which
cells there are (``harness.cases.matrix``), bounds on what is read
(``harness.goldens.golden_reader``)."""

from __future__ import annotations

from typing import Final

# ── judging ──────────────────────────────────────────────────────────────────────────────────────

# An error of so many floors is a regression.
K: Final = 4.0
# What no rounding touches (a learning rate) is computed by Python in double precision everywhere.
EXACT_TOLERANCE: Final = 1e-12
# A number that an optimizer keeps (ASGD's rate, NAdam's product) is one of float32 in all but
# float64: torch's implementations compute it in Python or in float32, by a power and a quotient, or
# from the step before. So much for each step.
KEPT_TOLERANCE: Final = 4 * 2.0**-23
# Some special functions (polygamma, those of Bessel) are good to nine digits in float64, and
# another library's to others.
LEAST: Final = 1e-9
# Floors are themselves estimates from a dozen runs; below this ratio they say the same.
FLOOR_RATIO: Final = 4.0

# ── finding floors ───────────────────────────────────────────────────────────────────────────────

# How floors are found. To be raised with every change that matters: a golden with floors found
# otherwise is judged on them, and the verdict says so.
METHOD: Final = 4
# How many times its size rounding is, in runs that look for what it turns.
AMPLIFICATION: Final = 16.0
# In bfloat16 sixteen units are an eighth of the value: more than any rounding comes to, and enough
# to turn everything. So many decisions turn there anyway that the plain runs show it.
AMPLIFICATION_OF_HALF: Final = 4.0
# From this epsilon on a precision is such a one: bfloat16, float16, TF32.
COARSE: Final = 2.0**-16
# An amplified error this many times over its linear expectation is a jump, not noise.
JUMP: Final = 4.0
# A jump that an honest run may make counts as so many floors, so that K holds it.
JUMP_FLOORS: Final = 2.0

# ── the test, where the spec does not say ────────────────────────────────────────────────────────

# Steps of training. Optimizers that show nothing in so few have more (``semantics``).
STEPS: Final = 3

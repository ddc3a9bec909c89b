"""What decides a verdict is what docs/numerics.md has measured: a number that moves there or here
alone is a fault."""

from __future__ import annotations

from specc import policy


def test_an_error_of_four_floors_is_a_regression() -> None:
    assert policy.K == 4.0


def test_what_no_rounding_touches_is_held_to_its_own_precision() -> None:
    # Python's double precision is good to 2.2e-16, some thousands of times finer.
    assert policy.EXACT_TOLERANCE == 1e-12
    # A power, a quotient and two roundings of float32.
    assert policy.KEPT_TOLERANCE == 4 * 2.0**-23
    # Nine digits of special functions in float64.
    assert policy.LEAST == 1e-9


def test_a_jump_is_four_times_what_rounding_would_be_and_counts_twice() -> None:
    assert (policy.JUMP, policy.JUMP_FLOORS) == (4.0, 2.0)
    # A jump that an honest run may make is held: it is within K floors of what it raises.
    assert 1.0 < policy.JUMP_FLOORS < policy.K
    assert policy.FLOOR_RATIO == 4.0


def test_coarse_precisions_are_those_of_less_than_sixteen_bits() -> None:
    assert policy.COARSE == 2.0**-16
    # float32 has 2^-23; TF32 and float16 2^-10, bfloat16 2^-7.
    assert 2.0**-23 < policy.COARSE < 2.0**-10
    assert (policy.AMPLIFICATION, policy.AMPLIFICATION_OF_HALF) == (16.0, 4.0)


def test_a_golden_says_by_which_method_its_floors_were_found() -> None:
    assert policy.METHOD == 4
    assert policy.STEPS == 3

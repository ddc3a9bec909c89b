"""The harness: closed cases, portable noise, floors, goldens and the comparison against them."""

"""Goldens on disk: their form, reading them as untrusted data, what they are stale by, revisions of
them."""

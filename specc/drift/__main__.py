"""``python -m specc.drift``: prints docs/catalogue.md, counted against the installed torch."""

from __future__ import annotations

import sys

import torch

from specc.drift.page import page

if __name__ == "__main__":
    sys.stdout.write(page(".".join(torch.__version__.split(".")[:2])))

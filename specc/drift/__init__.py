"""The catalogue against the installed torch: names, order and defaults; what is new, gone, changed.

``signature_drift`` compares one row, ``exports`` says what torch has, ``coverage`` puts both
together; ``left_out`` holds what rows leave out on purpose, with the reasons. Torch is imported by
the functions alone. Shipped because ``specc catalog --drift`` runs it. Non-goals: whether a row's
rules are right, which tests ask torch itself; the page that counts: ``tests/catalogue_page.py``.
"""

"""The catalogue against the installed torch: names, order and defaults; what is new, gone, changed.

``signatures`` compares one row, ``exports`` says what torch has, ``compare`` puts both together;
``left_out`` holds what rows leave out on purpose, with the reasons. Torch is imported by the
functions alone. Shipped because ``specc catalog --drift`` runs it. Non-goals: whether a row's rules
are right, which tests ask torch itself; the page that counts, which is ``tests/catalogue_page.py``.
"""

"""Functions that an emitted file carries along for what torch does not have, and parts of such.

Their source is read, never imported, by ``specc.catalog.helper_source``: an emitted file says them
itself. Parts share what several functions begin or end with. As the file that is emitted, these are
88 wide. Non-goal: which row is which function, which the tables of the catalogue say.
"""

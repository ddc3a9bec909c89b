"""The readings of a block found to be one text: what is equal, what a branch decides, who reads
what."""

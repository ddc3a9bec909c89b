"""What is run: the cells of the test matrix, their sizes, and every number that goes into one."""

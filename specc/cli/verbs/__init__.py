"""A verb a file: its arguments, one call, one rendering."""

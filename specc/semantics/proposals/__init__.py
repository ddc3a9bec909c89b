"""What a message proposes: Python's forms and other frameworks' said in a spec's, ties of sizes."""

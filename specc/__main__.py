"""``python -m specc``: the command line, where the ``specc`` script is not on the path."""

from specc.cli import main

if __name__ == "__main__":
    main()

"""The specs here are run by the tests beside them, target by target; not once more as items."""

collect_ignore_glob = ["specs/*"]

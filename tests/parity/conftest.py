"""The specs beside these tests are their material, and not cases with goldens of their own."""

collect_ignore_glob = ["*.spec"]

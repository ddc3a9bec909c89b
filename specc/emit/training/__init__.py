"""How models learn, as methods: losses, penalties, optimizers, and the class ``Training``."""

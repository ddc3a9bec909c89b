"""What a training is made of: losses, optimizers, schedules, initial values, penalties."""

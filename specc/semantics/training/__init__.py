"""``train``: what learns, its steps, their losses, optimizers and schedules."""

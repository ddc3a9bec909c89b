"""What every rule accepts and is still a mistake: looked for in the finished program."""

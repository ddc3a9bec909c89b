"""What people write that is not here, and pairs that are wrong together."""

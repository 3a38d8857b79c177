"""Present: one screen after the other for a room that reads from the back row."""

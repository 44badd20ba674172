"""Named places to die, for tests, and the place of an error that nobody foresaw."""

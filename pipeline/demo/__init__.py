"""The people of `habeas demo`: what is held of them, what they ask, what must become of it."""

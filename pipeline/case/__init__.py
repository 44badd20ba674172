"""What a case is and what is decided about it. Pure: no clock, no network, no keys."""

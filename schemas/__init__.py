"""The words on the wire. Start at `events`; the bytes are made in `codec` and `sealed`."""

"""Adapters to the systems that hold personal data. Start at `sdk.interface`."""

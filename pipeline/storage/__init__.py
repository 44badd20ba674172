"""Where sealed objects and mail lie."""

"""Keys that travel with an order, sealed objects, and when a key turns and dies. Pure."""

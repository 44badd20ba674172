"""Key files: how they lie in their folders, and what signs with them."""

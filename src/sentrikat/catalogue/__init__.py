"""Known products: what they are called, and who makes them."""

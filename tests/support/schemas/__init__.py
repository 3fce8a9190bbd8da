"""Small schemas with people in them."""

"""What the closing page says, and when it says no, whichever host shows it."""

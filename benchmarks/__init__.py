"""What a closing costs: beside hand-written SQL of the same effect, and through the real site."""

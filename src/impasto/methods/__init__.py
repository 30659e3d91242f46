"""Methods: each builds an objective, a canvas and a schedule."""

"""Networks that stylize or enlarge in one pass."""

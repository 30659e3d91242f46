"""Networks that stylize in one pass, and the loop that trains them."""

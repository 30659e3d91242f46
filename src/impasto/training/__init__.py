"""The one training loop, what it trains networks for, and on what."""

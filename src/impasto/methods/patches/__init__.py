"""Textures from the pixels of a sample, without a network: every pixel of a result is one of the sample's."""

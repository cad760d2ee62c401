"""Models for other programs and other people."""

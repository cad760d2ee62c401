"""Models: learners saved as folders of data."""

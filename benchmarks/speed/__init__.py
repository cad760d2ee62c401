"""Speed of an outer step beside other ways to compute the same: ``python -m benchmarks.speed``."""

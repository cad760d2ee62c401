"""The kernels: blocks as fast as the device allows."""

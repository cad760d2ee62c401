"""Fast kernels for blocks of convolution, batch norm and pooling."""

"""Access to the disk, the network and the terminal: files, tensors, downloads and messages."""

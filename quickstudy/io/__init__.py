"""Files, tensors, downloads and messages: what touches the disk, the network and the terminal."""

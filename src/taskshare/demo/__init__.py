"""Demonstration data that are drawn, not downloaded, in the file layouts of CelebA and CIFAR-10."""

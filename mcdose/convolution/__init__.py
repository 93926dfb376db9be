"""Convolution with even kernels, by fast Fourier transforms, on the CPU or a CUDA device."""

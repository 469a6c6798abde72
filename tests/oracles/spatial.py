#!/usr/bin/env python3
"""Fourier transforms against NumPy, resizing and adaptive pooling against PyTorch, general
convolution and scan against JAX; first and second gradients against JAX and PyTorch."""

import sys

from oracle import Oracle, jax_float64, np

oracle = Oracle(sys.argv[1])
rng = np.random.default_rng(11)


def normal(*shape):
    return rng.standard_normal(shape)


def complex_normal(*shape):
    return normal(*shape) + 1j * normal(*shape)


def add_fourier(real_type, complex_type):
    # A few roundings for each halving of the lengths, which are at most 360.
    def value(name, x, wanted):
        oracle.value(name, [x], [wanted], 5e-15)

    for shape in [(1,), (6,), (7,), (2, 8), (3, 360), (5, 53), (2, 3, 4)]:
        z, r = complex_normal(*shape).astype(complex_type), normal(*shape).astype(real_type)
        wide, long = z.astype(np.complex128), r.astype(np.float64)
        for norm in ["backward", "ortho", "forward"]:
            value(f"fft_{norm}", z, np.fft.fft(wide, norm=norm))
            value(f"fft_{norm}", r, np.fft.fft(long, norm=norm))
            value(f"ifft_{norm}", z, np.fft.ifft(wide, norm=norm))
            value(f"rfft_{norm}", r, np.fft.rfft(long, norm=norm))
            value(f"fftn_{norm}", z, np.fft.fftn(wide, norm=norm))
            value(f"ifftn_{norm}", z, np.fft.ifftn(wide, norm=norm))
            value(f"rfftn_{norm}", r, np.fft.rfftn(long, norm=norm))
            if shape[-1] > 1:
                value(f"irfft_{norm}", z, np.fft.irfft(wide, norm=norm))
                value(f"irfftn_{norm}", z, np.fft.irfftn(wide, norm=norm))
            if len(shape) > 1:
                value(f"fft2_{norm}", z, np.fft.fft2(wide, norm=norm))
                value(f"ifft2_{norm}", z, np.fft.ifft2(wide, norm=norm))
                value(f"rfft2_{norm}", r, np.fft.rfft2(long, norm=norm))
                value(f"irfft2_{norm}", z, np.fft.irfft2(wide, norm=norm))
        value("fftshift", r, np.fft.fftshift(r))
        value("ifftshift", r, np.fft.ifftshift(r, 0))
        value("fftfreq", r, np.fft.fftfreq(shape[0], 0.3))
        value("rfftfreq", r, np.fft.rfftfreq(shape[0], 0.3))
        for n in [1, 4, 7, 16]:
            value(f"fft_n{n}", z, np.fft.fft(wide, n, 0))
            value(f"ifft_n{n}", z, np.fft.ifft(wide, n, 0))
            value(f"rfft_n{n}", r, np.fft.rfft(long, n, 0))
            value(f"irfft_n{n}", z, np.fft.irfft(wide, n, 0))
            if len(shape) == 2:
                value(f"rfftn_n{n}", r, np.fft.rfftn(long, (3, n), (1, 0)))
                value(f"irfftn_n{n}", z, np.fft.irfftn(wide, (3, n), (1, 0)))


def add_jax(jax):
    jnp = jax.numpy

    def parts(a, b):
        z = jnp.fft.fft2(a + 1j * b)
        return [z.real, z.imag, jnp.abs(z) ** 2, jnp.angle(z)]

    def convolve(a, b):
        return jnp.fft.irfft(jnp.fft.rfft(a, 12) * jnp.fft.rfft(b, 12), 12)

    def chain(x):
        z = x + 1j * (0.5 * x + 1)
        return (jnp.exp(z * 0.3) / (z * z + 2) + jnp.sqrt(z) * jnp.conj(jnp.sin(z))
                + jnp.log(z) * jnp.tanh(z)).real

    def check(name, function, inputs):
        wanted = function(*inputs)
        oracle.value(name, inputs, wanted if isinstance(wanted, list) else [wanted], 1e-12)
        oracle.gradients(name, function, inputs)

    check("fft_parts", parts, [normal(3, 5), normal(3, 5)])
    check("fft_parts", parts, [normal(4, 2), normal(4, 2)])
    check("fft_convolve", convolve, [normal(2, 9), normal(4)])
    check("complex_chain", chain, [normal(7)])

    # Strides, low and high padding, kernel and input dilation, groups, flip: those of spatial.cc.
    table = [
        ((1, 1), ((0, 0), (0, 0)), (1, 1), (1, 1), 1, False),
        ((2, 1), ((1, 0), (2, 1)), (1, 1), (1, 1), 1, False),
        ((1, 1), ((2, 2), (2, 2)), (2, 1), (1, 3), 1, False),
        ((1, 2), ((3, 3), (1, 1)), (1, 1), (2, 2), 1, True),
        ((1, 1), ((-1, 2), (1, -1)), (1, 1), (1, 1), 2, False),
    ]
    for i, (stride, padding, dilation, spread, groups, flip) in enumerate(table):
        def convolution(x, w):
            return jax.lax.conv_general_dilated(
                x, jnp.flip(w, (1, 2)) if flip else w, stride, padding, spread, dilation,
                ("NHWC", "OHWI", "NHWC"), feature_group_count=groups)

        check(f"conv_general_{i}", convolution, [normal(2, 6, 7, 4), normal(6, 3, 2, 4 // groups)])

    for reverse in [False, True]:
        def loop(h, xs, w, u):
            def body(h, x):
                following = jnp.tanh(h @ w + x @ u)
                return following, following**2 + 0.5 * h

            return list(jax.lax.scan(body, h, xs, reverse=reverse))

        check("scan_reverse" if reverse else "scan", loop,
              [normal(2, 3), normal(5, 2, 4), normal(3, 3), normal(4, 3)])


def add_torch():
    try:
        import torch
        import torch.nn.functional as F
    except ImportError:
        print("PyTorch is not installed: resizing and pooling are not compared")
        return

    def check(name, function, x):
        """`function` on channels first."""
        t = torch.tensor(x, requires_grad=True)
        out = torch.movedim(function(torch.movedim(t, -1, 1)), 1, -1)
        w, v = normal(*out.shape), normal(*x.shape)
        (gradient,) = torch.autograd.grad((out * torch.tensor(w)).sum(), t)
        oracle.value(name, [x], [out.detach().numpy()], 1e-12)
        oracle._add(name, "grad", [x], gradient.numpy(), {"w": [w]}, 1e-12, None)
        # All of them are linear, but for the maxima, which are so in pieces.
        oracle._add(name, "grad2", [x], np.zeros_like(x), {"w": [w], "v": [v]}, 1e-12, None)

    shapes = {1: (2, 5, 3), 2: (2, 5, 4, 3), 3: (1, 3, 4, 5, 2)}
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}
    for size in [(3,), (12,), (3, 9), (10, 4), (2, 7, 6), (6, 3, 4)]:
        d, end = len(size), "".join(f"_{n}" for n in size)
        x = normal(*shapes[d])
        check("nearest" + end, lambda t: F.interpolate(t, size), x)
        for aligned, text in [(False, ""), (True, "_aligned")]:
            check("linear" + text + end,
                  lambda t: F.interpolate(t, size, mode=linear[d], align_corners=aligned), x)
            if d == 2:
                check("cubic" + text + end,
                      lambda t: F.interpolate(t, size, mode="bicubic", align_corners=aligned), x)
        check("avg_pool" + end, lambda t: getattr(F, f"adaptive_avg_pool{d}d")(t, size), x)
        check("max_pool" + end, lambda t: getattr(F, f"adaptive_max_pool{d}d")(t, size), x)
    for d in [1, 2, 3]:
        x = normal(*shapes[d])
        check("nearest_scale_1.7", lambda t: F.interpolate(t, scale_factor=1.7), x)
        check("linear_scale_1.7",
              lambda t: F.interpolate(t, scale_factor=1.7, mode=linear[d]), x)
    check("cubic_scale_1.7", lambda t: F.interpolate(t, scale_factor=1.7, mode="bicubic"),
          normal(*shapes[2]))


add_fourier(np.float64, np.complex128)
add_fourier(np.float32, np.complex64)
jax = jax_float64()
if jax:
    add_jax(jax)
add_torch()
sys.exit(oracle.run())

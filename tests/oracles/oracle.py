"""Cases that another library computed, for `oracle` (main.cc) to compute as well.

    oracle = Oracle(sys.argv[1])
    oracle.value("inv", [a], [numpy.linalg.inv(a)])
    oracle.gradients("inv", jax.numpy.linalg.inv, [a])      # first and second ones
    sys.exit(oracle.run())

A tolerance is relative to the largest of 1 and the wanted values; for float32 it is that times
2^29, the ratio of roundings.
"""

import os
import subprocess
import sys
import tempfile

SKIPPED = 77  # what CTest takes for "not run"

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is not installed")
    sys.exit(SKIPPED)


def jax_float64():
    """jax with float64, or None where it is not installed."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import jax
    except ImportError:
        print("JAX is not installed: gradients are not compared")
        return None
    jax.config.update("jax_enable_x64", True)
    return jax


def as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


class Oracle:
    def __init__(self, program):
        self.program = program
        self.cases = []
        self.random = np.random.default_rng(1)

    def value(self, function, inputs, wanted, tolerance=1e-12, adapt=None):
        """`adapt(got, wanted)` gives what is compared, where results are free in part."""
        self._add(function, "value", inputs, wanted, {}, tolerance, adapt)

    def gradients(self, function, reference, inputs, tolerance=1e-9, order=2):
        """Those of the sum of all outputs of `reference`, a function for jax, each weighted with
        random numbers; and those of the gradients, weighted in the same way."""
        import jax

        inputs = [np.asarray(x) for x in inputs]
        outputs = as_list(reference(*inputs))
        w = [self.random.standard_normal(np.shape(out)) for out in outputs]
        v = [self.random.standard_normal(x.shape) for x in inputs]
        numbers = tuple(range(len(inputs)))

        def first(*x):
            return sum((weight * out).sum() for weight, out in zip(w, as_list(reference(*x))))

        gradient = jax.grad(first, numbers)

        def second(*x):
            return sum((weight * g).sum() for weight, g in zip(v, gradient(*x)))

        self._add(function, "grad", inputs, gradient(*inputs), {"w": w}, tolerance, None)
        if order > 1:
            wanted = jax.grad(second, numbers)(*inputs)
            self._add(function, "grad2", inputs, wanted, {"w": w, "v": v}, tolerance, None)

    def transforms(self, function, reference, inputs, tolerance=1e-9):
        """Values, first and second gradients, jvp, vmap and vmap of the gradient, all by jax."""
        import jax

        def draw(like):
            return [self.random.standard_normal(np.shape(x)) for x in like]

        inputs = [np.asarray(x) for x in inputs]
        batch = [np.stack([x, 0.9 * x, 1.1 * x - 0.05]) for x in inputs]
        numbers = tuple(range(len(inputs)))
        w = draw(as_list(jax.eval_shape(reference, *inputs)))
        v, t = draw(inputs), draw(inputs)

        def first(*x):
            return sum((weight * out).sum() for weight, out in zip(w, as_list(reference(*x))))

        gradient = jax.grad(first, numbers)

        def second(*x):
            return sum((weight * g).sum() for weight, g in zip(v, gradient(*x)))

        def everything(x, xs):
            return {
                "value": reference(*x),
                "grad": gradient(*x),
                "grad2": jax.grad(second, numbers)(*x),
                "jvp": jax.jvp(reference, tuple(x), tuple(t))[1],
                "vmap": jax.vmap(reference)(*xs),
                "vmap_grad": jax.vmap(gradient)(*xs),
            }

        more = {"grad": {"w": w}, "grad2": {"w": w, "v": v}, "jvp": {"t": t}, "vmap_grad": {"w": w}}
        for mode, wanted in jax.jit(everything)(inputs, batch).items():
            given = batch if mode.startswith("vmap") else inputs
            self._add(function, mode, given, wanted, more.get(mode, {}), tolerance, None)

    def _add(self, function, mode, inputs, wanted, more, tolerance, adapt):
        arrays = {"in": inputs, **more}
        wanted = [np.asarray(x) for x in as_list(wanted)]
        self.cases.append((function, mode, arrays, wanted, tolerance, adapt))

    def run(self):
        with tempfile.TemporaryDirectory() as folder:
            cases, results = os.path.join(folder, "cases.npz"), os.path.join(folder, "results.npz")
            np.savez(cases, **{
                f"{number:05}|{function}|{mode}|{prefix}{i}": x
                for number, (function, mode, arrays, *_) in enumerate(self.cases)
                for prefix, group in arrays.items()
                for i, x in enumerate(group)
            })
            done = subprocess.run([self.program, cases, results])
            if done.returncode not in (0, 1):
                return done.returncode
            with np.load(results) as got:
                bad = sum(not self._compare(number, case, got) for number, case in
                          enumerate(self.cases))
        self._report()
        return 1 if bad or done.returncode else 0

    def _compare(self, number, case, results):
        function, mode, arrays, wanted, tolerance, adapt = case
        got = []
        while f"{number:05}|{len(got)}" in results:
            got.append(results[f"{number:05}|{len(got)}"])
        what = f"{function} {mode} of {[np.shape(x) for x in arrays['in']]}"
        types = [g.dtype for g in got]
        if adapt:
            got, wanted = adapt(got, wanted)
        if len(got) != len(wanted):
            print(f"{what}: {len(got)} results, wanted {len(wanted)}")
            return False
        fine = True
        for i, (g, w, dtype) in enumerate(zip(got, wanted, types)):
            if g.shape != w.shape:
                print(f"{what}, result {i}: shape {g.shape}, wanted {w.shape}")
                fine = False
                continue
            allowed = tolerance * (2.0**29 if dtype in (np.float32, np.complex64) else 1)
            finite = w[np.isfinite(w)]
            scale = max(1.0, float(np.abs(finite).max()) if finite.size else 1.0)
            error = self._error(g, w) / scale
            key = (mode, str(dtype))
            if error > self.worst.get(key, (0, ""))[0]:
                self.worst[key] = (error, what)
            if not error <= allowed:
                print(f"{what}, result {i}: error {error:.3g} > {allowed:.3g}\n{g}\n{w}")
                fine = False
        return fine

    @staticmethod
    def _error(got, wanted):
        if got.size == 0:
            return 0.0
        got, wanted = np.asarray(got), np.asarray(wanted)
        with np.errstate(invalid="ignore"):
            difference = np.abs(got.astype(np.result_type(got, np.float64)) - wanted)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        return float(np.where(same, 0, difference).max())

    @property
    def worst(self):
        return self.__dict__.setdefault("_worst", {})

    def _report(self):
        functions = {case[0] for case in self.cases}
        print(f"{len(self.cases)} cases of {len(functions)} functions")
        for (mode, dtype), (error, what) in sorted(self.worst.items()):
            print(f"worst error of {mode} in {dtype}: {error:.2g} ({what})")

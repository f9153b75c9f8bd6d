"""Checks the twin's networks against the golden fixtures (made with diffusers), on the CPU in float32.

    python tools/bench/gpu/check_networks.py [GOLDEN] [--speed]

The published keys must fit exactly; outputs must agree to 1e-4 and gradients to 1e-3, the tolerances of the fixtures.
`--speed` compares the times with diffusers' own networks (which must be importable): what the benchmark measures against
must not be slower than what people use. Needs torch and safetensors. Exit status 0 when all agree, 2 otherwise.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

sys.dont_write_bytecode = True
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from unet import UNet  # noqa: E402
from vae import Autoencoder  # noqa: E402

ROOT = pathlib.Path(__file__).parents[3]
WEIGHTS = "diffusion_pytorch_model.safetensors"
failures = 0


def row(what, error, tolerance):
    """One line of the table; NaN fails."""
    global failures
    good = error <= tolerance
    failures += not good
    print(f"{what:58} {error:10.2e} {tolerance:10.0e}  {'ok' if good else 'WRONG'}", flush=True)


def difference(actual, expected):
    """Relative to the largest expected value; infinite when shapes differ."""
    if actual.shape != expected.shape:
        return float("inf")
    return ((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-30)).item()


def load(kind, folder):
    network = kind(json.loads((folder / "config.json").read_text()))
    network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    return network


def check(name, golden):
    expected = load_file(golden / f"models-{name}.safetensors")
    unet = load(UNet, golden / f"tiny-{name}" / "unet")
    sample = expected["unet.sample"].clone().requires_grad_()
    out = unet(sample, expected["unet.timestep"], expected["unet.encoder_hidden_states"])
    row(f"{name}: U-Net output", difference(out, expected["unet.output"]), 1e-4)
    out.backward(expected["unet.output_cotangent"])
    gradients = {key: value.grad for key, value in unet.named_parameters()} | {"sample": sample.grad}
    whole = [key for key in expected if key.startswith("unet.grad.")]
    for key in whole:
        row(f"{name}: gradient of {key[10:]}"[:58], difference(gradients[key[10:]], expected[key]), 1e-3)
    norms = {key[14:]: value for key, value in expected.items() if key.startswith("unet.gradnorm.")}
    # Queries and keys of a single pixel get no gradient at all: hence the absolute part.
    errors = [(gradients[key].norm() - norm).abs() / (norm + 0.1) for key, norm in norms.items()]
    row(f"{name}: norms of {len(errors)} gradients", max(errors).item(), 1e-3)
    if len(norms) != len(dict(unet.named_parameters())) or not whole:
        row(f"{name}: every parameter has a gradient", float("inf"), 0)
    vae = load(Autoencoder, golden / f"tiny-{name}" / "vae")
    with torch.no_grad():
        mean, logvar = vae.encode(expected["vae.pixels"])
        row(f"{name}: VAE mean", difference(mean, expected["vae.mean"]), 1e-4)
        row(f"{name}: VAE log-variance", difference(logvar, expected["vae.logvar"]), 1e-4)
        row(f"{name}: VAE image", difference(vae.decode(expected["vae.mean"]), expected["vae.decoded"]), 1e-4)


def sizes(golden):
    """The full-size networks have the published keys and shapes."""
    published = json.loads((golden / "architectures.json").read_text())
    for name, kind in (("sd14.unet", UNet), ("sd21.unet", UNet), ("guidance.small2", UNet), ("sd14.vae", Autoencoder)):
        with torch.device("meta"):
            network = kind(published[name]["config"])
        shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
        row(f"{name}: keys and shapes", 0 if shapes == published[name]["shapes"] else float("inf"), 0)


def alternate(ways, calls):
    """Median milliseconds of processor time of each way, called in turn."""
    times = {name: [] for name in ways}
    for _ in range(calls + 1):
        for name, fn in ways.items():
            start = time.process_time()
            fn()
            times[name].append(1e3 * (time.process_time() - start))
    return {name: statistics.median(list_[1:]) for name, list_ in times.items()}


def speed(golden):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    published = json.loads((golden / "architectures.json").read_text())
    torch.manual_seed(0)
    torch.set_num_threads(1)
    # The same layers as in the full U-Net, at half its width.
    config = {"unet": published["guidance.small2"]["config"], "vae": published["sd14.vae"]["config"]}
    z, t, states = torch.randn(1, 4, 32, 32), torch.tensor([500]), torch.randn(1, 77, 768)
    unets = {"ours": UNet(config["unet"]), "diffusers": UNet2DConditionModel.from_config(config["unet"])}
    unets["ours"].load_state_dict(unets["diffusers"].state_dict())
    forward = {
        "ours": lambda: unets["ours"](z, t, states),
        "diffusers": lambda: unets["diffusers"](z, t, states, return_dict=False)[0],
    }
    row("speed: the same prediction", difference(forward["ours"]().detach(), forward["diffusers"]().detach()), 1e-4)

    def step(name):
        forward[name]().square().mean().backward()
        unets[name].zero_grad(set_to_none=True)

    def show(what, ways, calls):
        times = alternate(ways, calls)
        ratio = times["ours"] / times["diffusers"]
        text = f"{times['ours']:.0f} ms, diffusers {times['diffusers']:.0f} ms"
        print(f"{what:44} {text:>40}  ratio {ratio:.2f}", flush=True)

    with torch.inference_mode():
        show("half-width U-Net forward, 32x32", forward, 7)
    show("half-width U-Net forward, backward, 32x32", {name: lambda name=name: step(name) for name in unets}, 5)
    del unets, forward
    vaes = {"ours": Autoencoder(config["vae"]), "diffusers": AutoencoderKL.from_config(config["vae"])}
    with torch.inference_mode():
        ways = {
            "ours": lambda: vaes["ours"].decode(z),
            "diffusers": lambda: vaes["diffusers"].decode(z, return_dict=False)[0],
        }
        show("VAE decode, 32x32", ways, 5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("golden", nargs="?", type=pathlib.Path, default=ROOT / "test/golden")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    for name in ("sd1", "sd2"):
        check(name, given.golden)
    sizes(given.golden)
    if given.speed:
        speed(given.golden)
    sys.exit(2 if failures else 0)

"""What runs without gradients: sampling, the losses of group inference, the autoencoder."""
import torch
from timing import memory, milliseconds, synchronize, time_blocks
from training import SCALING, TIMESTEPS, alphas_cumprod, new_network
from unet import UNet
from vae import Autoencoder

CHANNELS_LAST = torch.channels_last
# More would pass the 2^31 elements that the kernel that doubles the size counts to.
DECODED_TOGETHER = 8


def to_pixels(images):
    return ((images.float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)


@torch.inference_mode()
def sampling(case, variant, device):
    """Milliseconds of a batch: denoising with classifier-free guidance (DDIM), then decoding."""
    batch, steps, scale = case["batch"], case["steps"], case["guidanceScale"]
    dtype = getattr(torch, case["precision"])
    unet = new_network(UNet, case["unet"], device, layout=CHANNELS_LAST, dtype=dtype)
    vae = new_network(Autoencoder, case["vae"], device, layout=CHANNELS_LAST, dtype=dtype)
    states = torch.randn(2 * batch, case["tokens"], case["textWidth"], device=device, dtype=dtype)
    signal = alphas_cumprod("cpu").tolist()

    def generate(count):
        """Gives when the latents were there and when the images were."""
        spacing = TIMESTEPS // count
        latents = torch.randn(batch, *case["latentShape"], device=device, dtype=dtype)
        for index in reversed(range(count)):
            timestep = index * spacing + 1
            now, then = signal[timestep], signal[max(timestep - spacing, 0)]
            x = torch.cat([latents, latents]).contiguous(memory_format=CHANNELS_LAST)
            timesteps = torch.full((2 * batch,), timestep, device=device)
            without, given = unet(x, timesteps, states).chunk(2)
            noise = without + scale * (given - without)
            clean = (latents - (1 - now) ** 0.5 * noise) / now**0.5
            latents = then**0.5 * clean + (1 - then) ** 0.5 * noise
        synchronize(device)
        denoised = milliseconds()
        parts = (latents / SCALING).split(DECODED_TOGETHER)
        images = [to_pixels(vae.decode(part.contiguous(memory_format=CHANNELS_LAST))).cpu() for part in parts]
        assert sum(len(part) for part in images) == batch
        return denoised, milliseconds()

    generate(case["warmup"])
    times = []
    for _ in range(case["runs"]):
        synchronize(device)
        start = milliseconds()
        times.append([end - start for end in generate(steps)])
    peak = memory(device)
    return [
        {"row": name, "milliseconds": [pair[i] for pair in times], **peak}
        for i, name in enumerate(("to latents", "to images"))
    ]


@torch.inference_mode()
def groups(case, variant, device):
    """Milliseconds of a batch of images, each measured at every timestep with its caption and without."""
    batch = case["batch"]
    dtype = getattr(torch, case["precision"])
    unet = new_network(UNet, case["unet"], device, layout=CHANNELS_LAST, dtype=dtype)
    latents = torch.randn(batch, *case["latentShape"], device=device)
    noise = torch.randn(1, *case["latentShape"], device=device)
    states = torch.randn(batch, case["tokens"], case["textWidth"], device=device, dtype=dtype)
    empty = torch.randn(1, case["tokens"], case["textWidth"], device=device, dtype=dtype).expand_as(states)
    signal = alphas_cumprod("cpu").tolist()

    def loss(noisy, timesteps, context):
        prediction = unet(noisy, timesteps, context).float()
        return (prediction - noise).square().flatten(1).mean(1)

    def measure():
        columns = []
        for timestep in case["timesteps"]:
            share = signal[timestep]
            noisy = (share**0.5 * latents + (1 - share) ** 0.5 * noise).to(dtype, memory_format=CHANNELS_LAST)
            timesteps = torch.full((batch,), timestep, device=device)
            columns.append(loss(noisy, timesteps, states) - loss(noisy, timesteps, empty))
        return torch.stack(columns, dim=1).cpu()

    times = time_blocks(measure, device, warmup=1, blocks=case["blocks"], steps=1)
    return [{"row": "", "milliseconds": times, **memory(device)}]


@torch.inference_mode()
def autoencoder(case, variant, device):
    """Milliseconds of a batch through the encoder or the decoder."""
    dtype = getattr(torch, case["precision"])
    vae = new_network(Autoencoder, case["vae"], device, layout=CHANNELS_LAST, dtype=dtype)
    shape = (case["batch"], *(case["imageShape"] if case["kind"] == "encode" else case["latentShape"]))
    given = torch.randn(shape, device=device).to(dtype, memory_format=CHANNELS_LAST)
    run = vae.encode if case["kind"] == "encode" else vae.decode
    times = time_blocks(
        lambda: run(given), device, warmup=case["warmup"], blocks=case["blocks"], steps=case["steps"]
    )
    return [{"row": "", "milliseconds": times, **memory(device)}]

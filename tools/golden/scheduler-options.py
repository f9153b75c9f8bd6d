"""Writes test/golden/scheduler-options.safetensors: sampling runs of all five schedulers under many combinations of
options, noise added at sampling timesteps, noise schedules, and configurations after switching from class to class.

Needs torch 2.13, safetensors, and the diffusers sources (0.40) on PYTHONPATH:
    PYTHONPATH=diffusers/src python tools/golden/scheduler-options.py test/golden/scheduler-options.safetensors
"""
import itertools
import json
import logging
import sys

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, PNDMScheduler
from safetensors.torch import save_file

logging.disable(logging.WARNING)
torch.set_num_threads(1)
CLASSES = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler, "pndm": PNDMScheduler, "euler": EulerDiscreteScheduler, "dpmsolver++": DPMSolverMultistepScheduler}
SD = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False)
PNDM = dict(skip_prk_steps=True)
SPACINGS, PREDICTIONS = ("leading", "linspace", "trailing"), ("epsilon", "v_prediction", "sample")
sample = torch.sin(torch.arange(36, dtype=torch.float64) * 0.7 + 1).reshape(2, 2, 3, 3).float() * 1.5
noise = torch.sin(torch.arange(36, dtype=torch.float64) * 1.3 + 2).reshape(2, 2, 3, 3).float()
cases, tensors = [], {}


def fake(x, t):
    """The model: x after scale_model_input."""
    return torch.sin(x * 1.7 + float(t) * 0.01) * 0.5 + x * 0.3


def add(name, steps, dtype="float32", eta=None, **options):
    """One run: all its timesteps; the states after the first step, in the middle and at the end."""
    given = {**SD, **(PNDM if name == "pndm" else {}), **options}
    scheduler = CLASSES[name].from_config(given)
    scheduler.set_timesteps(steps)
    generator, key = torch.Generator().manual_seed(3), str(len(cases))
    step_options = {"generator": generator} if name in ("ddpm", "dpmsolver++") or eta else {}
    step_options |= {"eta": eta} if eta else {}
    sigma = float(scheduler.init_noise_sigma)
    x, states = (sample * sigma).to(getattr(torch, dtype)), []
    if len(scheduler.timesteps) > 1 and scheduler.timesteps[0] == scheduler.timesteps[1] and name != "pndm":
        scheduler.set_begin_index(0)  # else the second is taken for the first, and the last step fails
    for t in scheduler.timesteps:
        x = scheduler.step(fake(scheduler.scale_model_input(x, t), t), t, x, **step_options).prev_sample
        assert x.dtype == getattr(torch, dtype)
        states.append(x.float())
    kept = sorted({0, len(states) // 2, len(states) - 1})
    tensors[key + ".timesteps"] = scheduler.timesteps.float()
    tensors[key + ".states"] = torch.stack([states[i] for i in kept])
    assert tensors[key + ".states"].isfinite().all(), (name, steps, options)
    cases.append({"name": name, "options": given, "steps": steps, "dtype": dtype, "eta": eta, "sigma": sigma, "kept": kept})


# 1. What all classes have in common.
counts = itertools.cycle((1, 2, 3, 7, 14, 15, 50))
for name, spacing, prediction in itertools.product(CLASSES, SPACINGS, PREDICTIONS):
    if (name, prediction) != ("pndm", "sample"):
        add(name, next(counts), timestep_spacing=spacing, prediction_type=prediction, steps_offset=1)
for name in CLASSES:
    add(name, 48, timestep_spacing="trailing")  # halves, where numpy's arange is not exact
    for schedule in ("linear", "squaredcos_cap_v2"):
        add(name, 10, beta_schedule=schedule, prediction_type="v_prediction")
    add(name, 4, num_train_timesteps=20, trained_betas=[0.01 + 0.004 * i for i in range(20)])
    add(name, 7, num_train_timesteps=500, timestep_spacing="leading", steps_offset=2)
    for dtype in ("float16", "bfloat16"):
        for prediction in ("epsilon", "v_prediction"):
            add(name, 7, dtype, prediction_type=prediction)
    if name != "pndm":
        add(name, 7, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")

# 2. DDPM, DDIM and PNDM.
for name in ("ddpm", "ddim"):
    add(name, 10, clip_sample=True)
    add(name, 10, clip_sample=True, clip_sample_range=0.7, prediction_type="v_prediction")
for variance in ("fixed_small_log", "fixed_large", None):
    add("ddpm", 10, variance_type=variance)
add("ddim", 10, eta=1.0)
add("ddim", 10, eta=0.4, prediction_type="v_prediction", timestep_spacing="trailing")
for name, one in itertools.product(("ddim", "pndm"), (True, False)):
    add(name, 10, set_alpha_to_one=one)
for steps, spacing in ((4, "leading"), (5, "linspace"), (7, "trailing"), (10, "leading"), (14, "linspace"), (50, "trailing")):
    for prediction in ("epsilon", "v_prediction"):
        add("pndm", steps, skip_prk_steps=False, timestep_spacing=spacing, prediction_type=prediction, steps_offset=1)

# 3. Euler.
for steps, prediction in ((1, "epsilon"), (2, "v_prediction"), (7, "sample"), (15, "v_prediction"), (50, "epsilon")):
    add("euler", steps, use_karras_sigmas=True, prediction_type=prediction, timestep_spacing=SPACINGS[steps % 3], steps_offset=1)
add("euler", 7, use_karras_sigmas=True, sigma_min=0.02, sigma_max=20.0)
add("euler", 7, rescale_betas_zero_snr=True, timestep_spacing="trailing")
add("euler", 7, rescale_betas_zero_snr=True, use_karras_sigmas=True)
add("euler", 7, beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True)
add("euler", 1, timestep_spacing="trailing")  # SD-Turbo
add("euler", 4, timestep_spacing="trailing")
for options in ({}, {"use_karras_sigmas": True}, {"timestep_type": "continuous", "prediction_type": "v_prediction"}):
    add("euler", 7, interpolation_type="log_linear", **options)
    add("euler", 7, timestep_type="continuous", prediction_type="v_prediction", use_karras_sigmas="use_karras_sigmas" in options)
    add("euler", 7, final_sigmas_type="sigma_min", **options)

# 4. DPM-Solver.
counts = itertools.cycle((2, 3, 7, 14, 15, 20))
for algorithm, order, solver in itertools.product(("dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver"), (1, 2, 3), ("midpoint", "heun")):
    if (algorithm, order) == ("sde-dpmsolver", 3) or (solver == "heun" and order != 2):
        continue
    for final, lower, euler in (("zero", True, False), ("sigma_min", True, False), ("sigma_min", False, False), ("sigma_min", False, True)):
        if "++" in algorithm or final == "sigma_min":
            options = dict(algorithm_type=algorithm, solver_order=order, solver_type=solver, final_sigmas_type=final, lower_order_final=lower, euler_at_final=euler)
            add("dpmsolver++", next(counts), prediction_type=PREDICTIONS[len(cases) % 3], use_karras_sigmas=len(cases) % 4 == 0, **options)
for steps, spacing in ((1, "leading"), (3, "trailing"), (50, "linspace")):
    add("dpmsolver++", steps, use_karras_sigmas=True, timestep_spacing=spacing)
for spacing in SPACINGS:
    add("dpmsolver++", 15, beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1, timestep_spacing=spacing)
add("dpmsolver++", 7, beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True, prediction_type="v_prediction")
add("dpmsolver++", 7, rescale_betas_zero_snr=True)
add("dpmsolver++", 7, use_karras_sigmas=True, sigma_min=0.02, sigma_max=20.0)  # Euler's options, heeded by diffusers
add("dpmsolver++", 7, algorithm_type="deis", solver_type="logrho", final_sigmas_type="sigma_min")
add("dpmsolver++", 7, solver_type="bh2", variance_type="fixed_small")
add("dpmsolver++", 7, "float16", solver_order=3, algorithm_type="sde-dpmsolver++")

# 5. Noise added at the first and the sixth of ten sampling timesteps.
noisy = []
for name, options in itertools.product(("euler", "dpmsolver++"), ({}, {"use_karras_sigmas": True}, {"timestep_spacing": "trailing"})):
    scheduler = CLASSES[name].from_config({**SD, **options})
    scheduler.set_timesteps(10)
    out = scheduler.add_noise(sample, noise, scheduler.timesteps[[0, 5]])
    tensors[f"noisy.{len(noisy)}"] = out
    noisy.append({"name": name, "options": {**SD, **options}})
scheduler = EulerDiscreteScheduler.from_config(SD)
tensors["noisy.train"] = scheduler.add_noise(sample, noise, torch.tensor([17.0, 803.0]))

# 6. Noise schedules.
for schedule, zero in itertools.product(("linear", "scaled_linear", "squaredcos_cap_v2"), (False, True)):
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=schedule, rescale_betas_zero_snr=zero)
    tensors[f"alphas.{schedule}.{zero}"] = scheduler.alphas_cumprod

# 7. From class to class: the files' contents that each class would write.
SD14 = dict(_class_name="PNDMScheduler", _diffusers_version="0.6.0", **SD, num_train_timesteps=1000, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None)
SD21 = dict(_class_name="DDIMScheduler", _diffusers_version="0.8.0", **SD, num_train_timesteps=1000, prediction_type="v_prediction", set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None)
TURBO = dict(_class_name="EulerDiscreteScheduler", _diffusers_version="0.24.0", **SD, interpolation_type="linear", num_train_timesteps=1000, prediction_type="epsilon", sample_max_value=1.0, set_alpha_to_one=False, sigma_max=None, sigma_min=None, skip_prk_steps=True, steps_offset=1, timestep_spacing="trailing", timestep_type="discrete", trained_betas=None, use_karras_sigmas=False)
FINE_TUNE = dict(_class_name="DPMSolverMultistepScheduler", _diffusers_version="0.18.2", **SD, algorithm_type="dpmsolver++", lambda_min_clipped=-float("inf"), solver_order=2, solver_type="bh2", use_karras_sigmas=True, variance_type=None, thresholding=False, dynamic_thresholding_ratio=0.995, lower_order_final=True, num_train_timesteps=1000, timestep_spacing="leading", steps_offset=1)
names = {cls.__name__: name for name, cls in CLASSES.items()}
switches = []
for file, chain in itertools.product((SD14, SD21, TURBO, FINE_TUNE), itertools.permutations(CLASSES, 2)):
    scheduler, steps = CLASSES[names[file["_class_name"]]].from_config(file), []
    for name in chain:
        scheduler = CLASSES[name].from_config(scheduler.config)
        config = json.loads(scheduler.to_json_string())
        steps.append({"name": name, "json": {k: v for k, v in config.items() if k != "_diffusers_version"}})
    switches.append({"file": file, "chain": steps})
# One chain in three is enough, and each scheduler appears in both places.
switches = switches[::3]

metadata = {"cases": cases, "noisy": noisy, "switches": switches}
save_file({k: v.contiguous() for k, v in tensors.items()}, sys.argv[1], metadata={k: json.dumps(v) for k, v in metadata.items()})
print(len(cases), "runs")

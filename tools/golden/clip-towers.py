"""Writes test/golden/clip-towers.safetensors: text encoders (both ways to find the end token, hidden states of every
layer, projection), a whole CLIP, and CLIP's image preprocessing with various options.

Needs torch 2.13, torchvision, transformers 5.18 and safetensors:
    python tools/golden/clip-towers.py test/golden/clip-towers.safetensors
"""
import json
import sys

import torch
from closed_form import fill, wave
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPVisionConfig

TEXT = dict(
    vocab_size=20,
    hidden_size=12,
    intermediate_size=20,
    num_hidden_layers=3,
    num_attention_heads=3,
    max_position_embeddings=9,
    hidden_act="gelu",
    layer_norm_eps=1e-4,
    bos_token_id=17,
    eos_token_id=18,
    pad_token_id=0,
    projection_dim=5,
)
VISION = dict(
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    image_size=13,
    patch_size=4,
    hidden_act="quick_gelu",
    projection_dim=7,
)
torch.set_num_threads(1)
# Padding with the end token, with a higher id, with a lower one.
IDS = torch.tensor([[17, 3, 5, 18, 18, 18, 18], [17, 18, 19, 19, 19, 19, 19], [17, 4, 4, 1, 2, 18, 0]])
out = {"input_ids": IDS}
with torch.no_grad():
    text = fill(CLIPTextModelWithProjection(CLIPTextConfig(**TEXT)))
    o = text(IDS, output_hidden_states=True)
    out |= {"text.last_hidden_state": o.last_hidden_state, "text.text_embeds": o.text_embeds}
    for skip in range(TEXT["num_hidden_layers"] + 1):  # as diffusers' encode_prompt does with clip_skip
        out[f"text.skip{skip}"] = text.text_model.final_layer_norm(o.hidden_states[-(skip + 1)])
    out["text.pooled"] = text.text_model(IDS).pooler_output
    text.text_model.eos_token_id = 2
    out["text.pooled-legacy"] = text.text_model(IDS).pooler_output

    clip = fill(CLIPModel(CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=6)))
    pixels = wave((2, 3, 13, 13), 4).float()
    mask = (torch.arange(7) <= torch.tensor([3, 1, 5])[:, None]).long()
    o = clip(input_ids=IDS, attention_mask=mask, pixel_values=pixels)
    out |= {"clip.text_embeds": o.text_embeds, "clip.image_embeds": o.image_embeds}
    out |= {"clip.logits_per_image": o.logits_per_image}

PROCESSORS = {
    "numbers": dict(size=10, crop_size=8),
    "bilinear": dict(size={"shortest_edge": 9}, crop_size={"height": 7, "width": 5}, resample=2),
    "exact": dict(size={"height": 6, "width": 11}, crop_size={"height": 9, "width": 9}),
    "padded": dict(do_resize=False, crop_size={"height": 31, "width": 20}, do_normalize=False),
    "raw": dict(size=8, crop_size=8, do_rescale=False, image_mean=[100, 120, 140], image_std=[50, 60, 70]),
}
picture = ((wave((3, 17, 25), 5) + 1) * 127.5).round().to(torch.uint8)
tall = ((wave((3, 40, 12), 6) + 1) * 127.5).round().to(torch.uint8)
for name, options in PROCESSORS.items():
    processor = CLIPImageProcessor(**options)
    for which, image in {"wide": picture, "tall": tall}.items():
        pv = processor(images=[image.permute(1, 2, 0).numpy()], return_tensors="pt").pixel_values
        out[f"processor.{name}.{which}"] = pv.float()
for k, v in out.items():
    print(k, list(v.shape), v.float().std().item())
config = {"text": TEXT, "vision": VISION, "processors": PROCESSORS}
save_file({k: v.contiguous() for k, v in out.items()}, sys.argv[1], metadata={"config": json.dumps(config)})

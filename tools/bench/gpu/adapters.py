"""Low-rank adapters on every linear layer and convolution, in the two ways that people write them."""
import torch
from torch import nn

KINDS = (nn.Linear, nn.Conv2d)


class Wrapped(nn.Module):
    """A frozen layer beside its adapter: activations run through both (as PEFT does)."""

    def __init__(self, layer, rank):
        super().__init__()
        device = layer.weight.device
        self.layer = layer
        if isinstance(layer, nn.Linear):
            self.down = nn.Linear(layer.in_features, rank, bias=False, device=device)
            self.up = nn.Linear(rank, layer.out_features, bias=False, device=device)
        else:
            how = dict(stride=layer.stride, padding=layer.padding, bias=False, device=device)
            self.down = nn.Conv2d(layer.in_channels, rank, layer.kernel_size, **how)
            self.up = nn.Conv2d(rank, layer.out_channels, 1, bias=False, device=device)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.layer(x) + self.up(self.down(x))


def wrap(network, rank):
    """Puts an adapter around every layer; gives the trained parameters."""
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, KINDS)]
    trained = []
    for name, layer in layers:
        wrapped = Wrapped(layer, rank)
        parent, _, last = name.rpartition(".")
        owner = network.get_submodule(parent)
        if last.isdigit():
            owner[int(last)] = wrapped
        else:
            setattr(owner, last, wrapped)
        trained += [wrapped.down.weight, wrapped.up.weight]
    return network, trained


def compose(network, rank):
    """Adds the adapters' products to the weights before every forward pass; gives the function and the parameters."""
    pairs = {}
    for name, layer in network.named_modules():
        if isinstance(layer, KINDS):
            weight = layer.weight
            down = nn.Parameter(0.01 * torch.randn(rank, *weight.shape[1:], device=weight.device))
            up = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device))
            pairs[f"{name}.weight"] = (weight, down, up)

    def forward(*inputs):
        weights = {
            name: weight + (up @ down.flatten(1)).view(weight.shape) for name, (weight, down, up) in pairs.items()
        }
        return torch.func.functional_call(network, weights, inputs)

    return forward, [parameter for _, down, up in pairs.values() for parameter in (down, up)]

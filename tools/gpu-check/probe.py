"""What this Python's torch is, as one line of JSON on stdout. Works without torch, and with a torch that does not import."""
import importlib.util
import json
import sys


def card(torch, index):
    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    return {
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "freeBytes": free,
        "totalBytes": total,
    }


def cuda_state(torch):
    """The cards, or why there is none."""
    try:
        torch.cuda.init()
        return {"cards": [card(torch, i) for i in range(torch.cuda.device_count())]}
    except Exception as error:
        return {"cards": [], "cudaError": str(error).strip() or type(error).__name__}


def normal_numbers(torch, device):
    """Numbers of this build's generator, to be compared with ours."""
    generator = torch.Generator(device).manual_seed(1234)
    return torch.randn(64, generator=generator, device=device).tolist()


def describe(torch):
    found = {"torch": torch.__version__, "cuda": torch.version.cuda, "hip": torch.version.hip}
    if torch.version.cuda is not None:
        found |= cuda_state(torch)
        found["cudnn"] = torch.backends.cudnn.version()
    found["normal"] = {"cpu": normal_numbers(torch, "cpu")}
    if found.get("cards"):
        found["normal"]["cuda"] = normal_numbers(torch, "cuda")
    return found


def main():
    # The script's own folder is no place of packages.
    sys.path = sys.path[1:]
    found = {"executable": sys.executable, "python": sys.version.split()[0]}
    spec = importlib.util.find_spec("torch")
    if spec is not None and spec.origin:
        found["folder"] = spec.submodule_search_locations[0]
        try:
            import torch

            found |= describe(torch)
        except Exception as error:
            found["importError"] = f"{type(error).__name__}: {error}"
    print(json.dumps(found))


main()

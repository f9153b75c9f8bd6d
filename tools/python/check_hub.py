"""Finds with Python's huggingface_hub what `invdiff download` put into a cache, and fills another cache for the way back.

    python tools/python/check_hub.py OURS THEIRS ENDPOINT

OURS is a cache written by tools/check-hub.ts (which calls this script) from the server at ENDPOINT; THEIRS is filled by Python.
Prints one row per check; exit status 0 when all agree, 2 otherwise. Needs huggingface_hub; with diffusers it loads the model too.
"""

import hashlib
import os
import sys

ours, theirs, endpoint = sys.argv[1:4]
os.environ["HF_ENDPOINT"] = endpoint
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ.pop("HF_TOKEN", None)

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache  # noqa: E402

REPOS = {"model": "check/tiny-sd", "dataset": "check/birds"}
failures = 0


def row(what, good):
    global failures
    failures += not good
    print(f"{what:80} {'ok' if good else 'WRONG'}", flush=True)


def hash_of(path):
    """The name that the file's blob must have: SHA-256, or the SHA-1 of git."""
    data = open(path, "rb").read()
    name = os.path.basename(os.path.realpath(path))
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return (hashlib.sha256(data).hexdigest() if len(name) == 64 else git), name


def files_below(folder):
    names = [os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names]
    return sorted(name.replace(os.sep, "/") for name in names)


for kind, repo in REPOS.items():
    folder = snapshot_download(repo, repo_type=kind, cache_dir=ours, local_files_only=True)
    names = files_below(folder)
    row(f"snapshot_download finds {kind} {repo} ({len(names)} files)", len(names) > 0)
    paths = [hf_hub_download(repo, name, repo_type=kind, cache_dir=ours, local_files_only=True) for name in names]
    row(f"hf_hub_download finds each file of {repo}", paths == [os.path.join(folder, name) for name in names])
    found = [try_to_load_from_cache(repo, name, cache_dir=ours, repo_type=kind) for name in names]
    row(f"try_to_load_from_cache finds each file of {repo}", found == paths)
    row(f"the blobs of {repo} have the hashes of their names", all(a == b for a, b in map(hash_of, paths)))
    online = [hf_hub_download(repo, name, repo_type=kind, cache_dir=ours) for name in names]
    row(f"hf_hub_download with a connection takes the same files of {repo}", online == paths)
    snapshot_download(repo, repo_type=kind, cache_dir=theirs, allow_patterns=names)

scan = scan_cache_dir(ours)
row("scan_cache_dir has no warning", len(scan.warnings) == 0)
row("scan_cache_dir finds both repositories", sorted(r.repo_id for r in scan.repos) == sorted(REPOS.values()))
row("scan_cache_dir knows the branch", all({"main"} <= set(r.refs) for r in scan.repos))

try:
    from diffusers import StableDiffusionPipeline
except ImportError:
    print("diffusers is not installed: the model was not loaded")
else:
    pipe = StableDiffusionPipeline.from_pretrained(REPOS["model"], cache_dir=ours, local_files_only=True)
    row("StableDiffusionPipeline.from_pretrained loads the model", pipe.unet.config.sample_size > 0)

sys.exit(2 if failures else 0)

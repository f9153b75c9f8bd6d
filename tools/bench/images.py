"""Reading pictures as a network's input: decode, resize, crop, normalise, two processes, batches of 32. Twin of bench/images.ts.

torchvision's transforms on PIL images in a torch DataLoader, as the Python training scripts do it. Needs torch, torchvision and pillow.
"""
import hashlib
import os
import statistics

from measure import CALLS, now, prepare, print_result
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

CASES = {
    "512 px, Stable Diffusion's training": [T.Resize(512), T.CenterCrop(512), T.ToTensor(), T.Normalize([0.5] * 3, [0.5] * 3)],
    "224 px, a classifier": [T.Resize((224, 224)), T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])],
}
WORKERS, BATCH = 2, 32
FOLDER = os.environ["BENCH_FOLDER"]


class Pictures(Dataset):
    def __init__(self, transform):
        self.files = [os.path.join(FOLDER, name) for name in sorted(os.listdir(FOLDER))]
        self.transform = transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return self.transform(Image.open(self.files[index]).convert("RGB"))


def measure(transform):
    """Median of microseconds for a picture, and the digest of all values."""
    pictures = Pictures(T.Compose(transform))
    loader = DataLoader(pictures, batch_size=BATCH, num_workers=WORKERS, persistent_workers=True)
    # The first pass also starts the processes and fills the system's cache of files.
    digest = hashlib.sha256()
    for batch in loader:
        digest.update(batch.numpy())
    times = []
    for _ in range(CALLS):
        start = now()
        for batch in loader:
            pass
        times.append(1e6 * (now() - start) / len(pictures))
    return statistics.median(times), digest.hexdigest()


if __name__ == "__main__":
    prepare()
    results = {name: measure(transform) for name, transform in CASES.items()}
    values = {name: time for name, (time, _) in results.items()}
    digests = {name: digest for name, (_, digest) in results.items()}
    print_result("us/image", values, digests)

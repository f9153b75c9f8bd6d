// Runs the kernels of native/kernels/group-norm-*.cu.h, planned and launched as for a card, on the cases of a file.
// Usage: group-norm-host CASES RESULTS, or group-norm-host --plans to check the planning alone.
// A case: ten numbers (io weight aligned images pixels channels groups silu multiprocessors order), eps, then the bytes
// of x, dy [image][pixel][channel], weight and bias. A result: whether forward and backward were planned as one kernel,
// then the bytes of y, mean, rstd, dx, dweight, dbias.
#include "instances.h"

namespace {

using invdiff::GroupNormArgs;

// Memory with a margin on both sides that nobody may write; filled with NaN, so that nobody reads it unnoticed either.
class Buffer {
public:
  explicit Buffer(size_t bytes, size_t shift = 0) : bytes_(bytes), data_(bytes + 2 * kMargin + shift + 16, '\xff') {
    size_t at = reinterpret_cast<uintptr_t>(data_.data()) + kMargin;
    start_ = kMargin + (16 - at % 16) % 16 + shift;
  }
  void* get() { return data_.data() + start_; }
  float* floats() { return static_cast<float*>(get()); }
  size_t size() const { return bytes_; }
  bool isWhole() const {
    auto untouched = [](char value) { return value == '\xff'; };
    return std::all_of(data_.begin(), data_.begin() + start_, untouched) &&
           std::all_of(data_.begin() + start_ + bytes_, data_.end(), untouched);
  }

private:
  static constexpr size_t kMargin = 256;
  size_t bytes_;
  std::vector<char> data_;
  size_t start_;
};

void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(3);
}

template <class T> T readOne(FILE* file) {
  T value;
  if (std::fread(&value, sizeof(T), 1, file) != 1) fail("the cases end early");
  return value;
}

void runCase(FILE* in, FILE* out, int io) {
  const int weightKind = readOne<int32_t>(in), aligned = readOne<int32_t>(in);
  invdiff::GroupNormShape shape;
  shape.images = readOne<int32_t>(in);
  shape.pixels = readOne<int32_t>(in);
  shape.channels = readOne<int32_t>(in);
  shape.groups = readOne<int32_t>(in);
  const int silu = readOne<int32_t>(in), multiprocessors = readOne<int32_t>(in);
  const auto order = static_cast<host::Order>(readOne<int32_t>(in));
  const float eps = readOne<float>(in);
  shape.elementBytes = io == 0 ? 4 : 2;
  const size_t weightBytes = weightKind == 0 ? 4 : 2, shift = aligned ? 0 : shape.elementBytes;
  const size_t elements = shape.images * shape.pixels * shape.channels;
  auto input = [&](size_t bytes, size_t by) {
    Buffer buffer(bytes, by);
    if (std::fread(buffer.get(), 1, bytes, in) != bytes) fail("the cases end early");
    return buffer;
  };
  Buffer x = input(elements * shape.elementBytes, shift), dy = input(elements * shape.elementBytes, shift);
  Buffer weight = input(shape.channels * weightBytes, 0), bias = input(shape.channels * weightBytes, 0);

  const int vector = invdiff::group_norm::vectorOf(shape.channels, shape.elementBytes, aligned != 0);
  const Instance* instance = instanceOf(io, weightKind, vector);
  if (!instance) fail("these types are not compiled");
  Buffer y(x.size(), shift), dx(x.size(), shift), dweight(weight.size()), dbias(bias.size());
  Buffer mean(shape.images * shape.groups * 4), rstd(shape.images * shape.groups * 4);
  Buffer sums(2 * shape.images * shape.channels * 4), averages(2 * shape.images * shape.groups * 4);
  for (bool backward : {false, true}) {
    shape.backward = backward;
    const auto plan = invdiff::planGroupNorm(shape, vector, multiprocessors);
    if (!plan) fail("no plan");
    const int32_t small = plan->small;
    std::fwrite(&small, sizeof(small), 1, out);
    Buffer partial(plan->partialFloats * 4);
    GroupNormArgs args{};
    invdiff::applyPlan(shape, *plan, args);
    args.x = x.get();
    args.dy = dy.get();
    args.y = backward ? dx.get() : y.get();
    args.weight = weight.get();
    args.bias = bias.get();
    args.mean = mean.floats();
    args.rstd = rstd.floats();
    args.partial = partial.floats();
    args.sums = sums.floats();
    args.averages = averages.floats();
    args.dweight = dweight.get();
    args.dbias = dbias.get();
    args.silu = silu;
    args.eps = eps;
    auto launch = [&](const char* name, int64_t blocks, int threads, int sharedBytes) {
      instance->launch(name, args, blocks, threads, sharedBytes, order);
    };
    if (backward) invdiff::launchBackward(args, *plan, launch);
    else invdiff::launchForward(args, *plan, launch);
    if (!partial.isWhole()) fail("a kernel wrote outside its working memory");
  }
  for (Buffer* buffer : {&x, &dy, &weight, &bias, &y, &mean, &rstd, &sums, &averages, &dx, &dweight, &dbias})
    if (!buffer->isWhole()) fail("a kernel wrote outside a tensor");
  for (Buffer* buffer : {&y, &mean, &rstd, &dx, &dweight, &dbias})
    std::fwrite(buffer->get(), 1, buffer->size(), out);
}

// Every plan covers all pixels and channels once, within what a card and the kernels' ints allow.
void checkPlans() {
  std::mt19937 random(7);
  auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  int small = 0, large = 0;
  for (int i = 0; i < 20000; i++) {
    invdiff::GroupNormShape shape;
    const int64_t per = pick({1, 2, 3, 4, 5, 8, 10, 15, 16, 20, 30, 40, 60, 80, 97, 128, 320});
    shape.groups = pick({1, 2, 3, 7, 8, 16, 32, 64});
    shape.channels = per * shape.groups;
    shape.pixels = pick({1, 2, 15, 64, 77, 256, 1000, 1024, 4096, 16384, 65536, 262144});
    shape.images = pick({1, 2, 3, 8, 32, 64});
    shape.elementBytes = static_cast<int>(pick({2, 4}));
    shape.backward = random() % 2 == 0;
    const int vector = invdiff::group_norm::vectorOf(shape.channels, shape.elementBytes, random() % 4 != 0);
    const int multiprocessors = static_cast<int>(pick({1, 16, 108, 132}));
    const auto plan = invdiff::planGroupNorm(shape, vector, multiprocessors);
    if (!plan) fail("no plan for groups of up to 320 channels");
    const int64_t slabs = shape.channels / plan->slabChannels;
    const bool sound =
        plan->slabChannels * slabs == shape.channels && plan->slabChannels % per == 0 &&
        plan->columns * vector == plan->slabChannels && plan->rows >= 1 &&
        plan->threads() <= invdiff::group_norm::kThreads && plan->sharedBytes <= invdiff::group_norm::kSharedBytes &&
        static_cast<int64_t>(plan->chunks) * plan->chunkPixels >= shape.pixels &&
        static_cast<int64_t>(plan->chunks - 1) * plan->chunkPixels < shape.pixels && (!plan->small || plan->chunks == 1) &&
        plan->blocks == shape.images * slabs * plan->chunks && plan->rows <= plan->chunkPixels &&
        (plan->small || plan->chunkPixels <= invdiff::group_norm::kPixelsPerThread * plan->rows);
    if (!sound) fail("a plan is unsound");
    // Where there is work for it, every multiprocessor has some.
    const int64_t vectors = shape.images * shape.pixels * shape.channels / vector;
    if (!plan->small && vectors >= int64_t{2} * multiprocessors * invdiff::group_norm::kThreads &&
        plan->blocks < multiprocessors)
      fail("a plan leaves multiprocessors idle");
    (plan->small ? small : large)++;
  }
  std::printf("%d %d\n", small, large);
}

} // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "--plans") == 0) {
    checkPlans();
    return 0;
  }
  if (count != 3) fail("usage: group-norm-host CASES RESULTS");
  FILE* in = std::fopen(words[1], "rb");
  FILE* out = std::fopen(words[2], "wb");
  if (!in || !out) fail("the files do not open");
  int32_t io;
  while (std::fread(&io, sizeof(io), 1, in) == 1) runCase(in, out, io);
  if (std::fclose(out) != 0) fail("the results cannot be written");
  return 0;
}

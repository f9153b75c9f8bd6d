// How the work of group-norm-*.cu.h is split over blocks and which kernels run in which order. Plain C++, so that the
// test of the kernels on the processor plans and launches exactly as the card's side does.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>

namespace invdiff {

// The same struct as in group-norm-common.cu.h.
struct GroupNormArgs {
  const void* x;
  const void* dy;
  void* y;
  const void* weight;
  const void* bias;
  float* mean;
  float* rstd;
  float* partial;
  float* sums;
  float* averages;
  void* dweight;
  void* dbias;
  long long pixels;
  int images;
  int channels;
  int groups;
  int slabChannels;
  int columns;
  int rows;
  int chunkPixels;
  int chunks;
  int silu;
  float eps;
};

struct GroupNormShape {
  int64_t images = 0;
  int64_t pixels = 0;
  int64_t channels = 0;
  int64_t groups = 0;
  int elementBytes = 4;
  bool backward = false;
};

struct GroupNormPlan {
  bool small = false; // one block holds all pixels of its slab: one kernel
  int slabChannels = 0;
  int columns = 0;
  int rows = 0;
  int chunkPixels = 0;
  int chunks = 0;
  int64_t blocks = 0;
  int sharedBytes = 0;
  int64_t partialFloats = 0; // working memory between the kernels of a large image

  int threads() const { return columns * rows; }
};

namespace group_norm {

constexpr int kThreads = 320;            // as in the kernels' launch bounds
constexpr int kMergeThreads = 128;
constexpr int kMaxRows = 64;
constexpr int kPixelsPerThread = 64;     // more would cost the sums precision
constexpr int kSharedBytes = 48 * 1024;  // what every card gives without asking
constexpr int64_t kSmallBytes = 64 * 1024; // a slab that the cache still holds when it is read again

// 16 bytes of channels at once where every pixel begins on such a boundary, else one channel.
inline int vectorOf(int64_t channels, int elementBytes, bool aligned) {
  int vector = 16 / elementBytes;
  return aligned && channels % vector == 0 ? vector : 1;
}

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline int rowsOf(int columns, int64_t pixels) {
  return static_cast<int>(std::min<int64_t>(std::clamp(kThreads / columns, 1, kMaxRows), pixels));
}

inline int sharedBytesOf(const GroupNormShape& shape, int slab, int threads, int vector) {
  int64_t inSlab = slab / (shape.channels / shape.groups);
  return static_cast<int>(4 * (static_cast<int64_t>(threads) * vector + 2 * slab + 2 * inSlab));
}

} // namespace group_norm

// Nothing where a group is too wide for one block (more than 320 vectors) or the numbers do not fit the kernels' ints.
inline std::optional<GroupNormPlan> planGroupNorm(const GroupNormShape& shape, int vector, int multiprocessors) {
  using namespace group_norm;
  const int64_t per = shape.channels / shape.groups;
  const int64_t unit = std::lcm<int64_t>(per, vector);
  const int64_t units = shape.channels / unit;
  const int64_t enough = 2 * static_cast<int64_t>(multiprocessors); // blocks that keep the card busy
  if (shape.pixels > (int64_t{1} << 30) || shape.channels > (1 << 24) || shape.images > (1 << 24)) return std::nullopt;

  GroupNormPlan plan;
  int widest = 0;
  for (int64_t pieces = 1; pieces <= units; pieces++) {
    if (units % pieces != 0) continue;
    const int64_t slab = shape.channels / pieces;
    if (slab / vector > kThreads) continue;
    const int columns = static_cast<int>(slab / vector);
    const int rows = rowsOf(columns, shape.pixels);
    if (sharedBytesOf(shape, static_cast<int>(slab), columns * rows, vector) > kSharedBytes) continue;
    if (widest == 0) widest = static_cast<int>(slab);
    const int64_t tile = shape.pixels * slab * shape.elementBytes * (shape.backward ? 2 : 1);
    if (tile > kSmallBytes) continue;
    // Wide slabs read memory best; narrower ones are taken only to have blocks for all multiprocessors.
    plan.small = true;
    plan.slabChannels = static_cast<int>(slab);
    if (shape.images * pieces >= enough) break;
  }
  if (widest == 0) return std::nullopt;
  if (!plan.small) plan.slabChannels = widest;
  plan.columns = plan.slabChannels / vector;
  plan.rows = rowsOf(plan.columns, shape.pixels);
  const int64_t slabs = shape.channels / plan.slabChannels;
  if (plan.small) {
    plan.chunkPixels = static_cast<int>(shape.pixels);
  } else {
    const int64_t work = shape.images * slabs * shape.pixels;
    int64_t chunk = std::max<int64_t>(ceilDiv(work, 12 * int64_t{multiprocessors}), 4 * plan.rows);
    if (ceilDiv(work, chunk) < enough) chunk = std::max<int64_t>(ceilDiv(work, enough), plan.rows);
    chunk = std::min({chunk, static_cast<int64_t>(kPixelsPerThread) * plan.rows, shape.pixels});
    plan.chunkPixels = static_cast<int>(chunk);
  }
  plan.chunks = static_cast<int>(ceilDiv(shape.pixels, plan.chunkPixels));
  plan.blocks = shape.images * slabs * plan.chunks;
  plan.sharedBytes = sharedBytesOf(shape, plan.slabChannels, plan.threads(), vector);
  if (plan.chunkPixels * (shape.channels / vector) > INT32_MAX) return std::nullopt;
  if (plan.blocks > INT32_MAX || shape.images * shape.groups > INT32_MAX) return std::nullopt;
  if (!plan.small)
    plan.partialFloats = 2 * shape.images * plan.chunks * (shape.backward ? shape.channels : shape.groups);
  return plan;
}

inline void applyPlan(const GroupNormShape& shape, const GroupNormPlan& plan, GroupNormArgs& args) {
  args.pixels = shape.pixels;
  args.images = static_cast<int>(shape.images);
  args.channels = static_cast<int>(shape.channels);
  args.groups = static_cast<int>(shape.groups);
  args.slabChannels = plan.slabChannels;
  args.columns = plan.columns;
  args.rows = plan.rows;
  args.chunkPixels = plan.chunkPixels;
  args.chunks = plan.chunks;
}

// launch(kernel's name, blocks, threads, bytes of shared memory)
template <class Launch> void launchForward(const GroupNormArgs& args, const GroupNormPlan& plan, const Launch& launch) {
  using namespace group_norm;
  if (plan.small) return launch("group_norm_small", plan.blocks, plan.threads(), plan.sharedBytes);
  const int64_t groups = static_cast<int64_t>(args.images) * args.groups;
  launch("group_norm_statistics", plan.blocks, plan.threads(), plan.sharedBytes);
  launch("group_norm_merge", groups, kMergeThreads, kMergeThreads * 4);
  launch("group_norm_normalize", plan.blocks, plan.threads(), 0);
}

// dx where args.y is set, dweight and dbias where those are.
template <class Launch> void launchBackward(const GroupNormArgs& args, const GroupNormPlan& plan, const Launch& launch) {
  using namespace group_norm;
  const int64_t groups = static_cast<int64_t>(args.images) * args.groups;
  if (plan.small) {
    launch("group_norm_small_backward", plan.blocks, plan.threads(), plan.sharedBytes);
  } else {
    launch("group_norm_backward_sums", plan.blocks, plan.threads(), plan.sharedBytes);
    launch("group_norm_backward_merge", groups, kMergeThreads, kMergeThreads * 8);
    if (args.y) launch("group_norm_backward_input", plan.blocks, plan.threads(), 0);
  }
  if (args.dweight) launch("group_norm_backward_affine", ceilDiv(args.channels, 64), 64, 0);
}

} // namespace invdiff

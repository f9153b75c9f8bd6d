// The kernels' text once more, in a namespace of its own, for one choice of INVDIFF_IO, INVDIFF_WEIGHT and INVDIFF_VECTOR.
// Included once per choice; kernels.cu is the text, written out by the test.
namespace INVDIFF_NAME {

float shared[kSharedFloats];

#include "kernels.cu"

#define SAME(field) (offsetof(Args, field) == offsetof(invdiff::GroupNormArgs, field))
static_assert(sizeof(Args) == sizeof(invdiff::GroupNormArgs));
static_assert(SAME(x) && SAME(dy) && SAME(y) && SAME(weight) && SAME(bias) && SAME(mean) && SAME(rstd) &&
              SAME(partial) && SAME(sums) && SAME(averages) && SAME(dweight) && SAME(dbias) && SAME(pixels) &&
              SAME(images) && SAME(channels) && SAME(groups) && SAME(slabChannels) && SAME(columns) && SAME(rows) &&
              SAME(chunkPixels) && SAME(chunks) && SAME(silu) && SAME(eps));
#undef SAME

Args own(const invdiff::GroupNormArgs& args) {
  Args result;
  std::memcpy(&result, &args, sizeof(result));
  return result;
}

#define KERNEL_NAMED(name) {#name, [](const invdiff::GroupNormArgs& args) { name(own(args)); }}
const Instance instance = {INVDIFF_IO,
                           INVDIFF_WEIGHT,
                           INVDIFF_VECTOR,
                           shared,
                           {KERNEL_NAMED(group_norm_small), KERNEL_NAMED(group_norm_statistics),
                            KERNEL_NAMED(group_norm_merge), KERNEL_NAMED(group_norm_normalize),
                            KERNEL_NAMED(group_norm_small_backward), KERNEL_NAMED(group_norm_backward_sums),
                            KERNEL_NAMED(group_norm_backward_merge), KERNEL_NAMED(group_norm_backward_input),
                            KERNEL_NAMED(group_norm_backward_affine)}};
#undef KERNEL_NAMED

} // namespace INVDIFF_NAME

#undef INVDIFF_NAME
#undef INVDIFF_IO
#undef INVDIFF_WEIGHT
#undef INVDIFF_VECTOR

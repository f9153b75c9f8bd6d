R"CUDA(
// Group normalisation of channels-last images x[image][pixel][channel], the part that all kernels share.
// Compiled at run time once per (element type, weight type, vector length): INVDIFF_IO and INVDIFF_WEIGHT are 0 for
// float32, 1 for bfloat16, 2 for float16; INVDIFF_VECTOR is how many channels one thread loads at once, 16 bytes or 1.
// No header is needed. test/kernels runs the same text on the processor, with INVDIFF_HOST and a shim for CUDA's words.

#define INLINE __device__ __forceinline__
#ifndef KERNEL
// With as few registers as it takes to have this many blocks on a multiprocessor.
#define KERNEL(blocks, name) extern "C" __global__ void __launch_bounds__(320, blocks) name
#endif
constexpr int V = INVDIFF_VECTOR;

// The same struct as in group-norm-plan.h.
struct Args {
  const void* x;
  const void* dy;
  void* y; // result: y, or dx
  const void* weight;
  const void* bias;
  float* mean;     // [image][group]
  float* rstd;     // [image][group]
  float* partial;  // forward [image][group][chunk][2], backward [image][chunk][channel][2]
  float* sums;     // backward [image][channel][2]
  float* averages; // backward [image][group][2]
  void* dweight;
  void* dbias;
  long long pixels;
  int images;
  int channels;
  int groups;
  int slabChannels; // of one block: whole groups, whole vectors
  int columns;      // slabChannels / V: threads side by side
  int rows;         // threads one below the other: pixels that a block treats at once
  int chunkPixels;  // of one block
  int chunks;
  int silu;
  float eps;
};

// ---- numbers ----

INLINE float bfloat16ToFloat(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

// Two values, the first one in the lower half.
#if defined(INVDIFF_HOST) || __CUDA_ARCH__ < 800
INLINE unsigned short floatToBfloat16(float value) {
  if (value != value) return 0x7fff;
  unsigned bits = __float_as_uint(value);
  return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
INLINE unsigned floatsToBfloat16(float first, float second) {
  return (unsigned)floatToBfloat16(first) | ((unsigned)floatToBfloat16(second) << 16);
}
#else
INLINE unsigned short floatToBfloat16(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
INLINE unsigned floatsToBfloat16(float first, float second) {
  unsigned bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
  return bits;
}
#endif

#ifdef INVDIFF_HOST
using host::floatToHalf;
using host::halfToFloat;
#else
INLINE float halfToFloat(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
INLINE unsigned short floatToHalf(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#endif
INLINE unsigned floatsToHalf(float first, float second) {
  return (unsigned)floatToHalf(first) | ((unsigned)floatToHalf(second) << 16);
}

template <int Kind> struct Number;
template <> struct Number<0> {
  typedef float Stored;
  static INLINE float load(float stored) { return stored; }
  static INLINE float store(float value) { return value; }
};
template <> struct Number<1> {
  typedef unsigned short Stored;
  static INLINE float load(unsigned short stored) { return bfloat16ToFloat(stored); }
  static INLINE unsigned short store(float value) { return floatToBfloat16(value); }
  static INLINE unsigned storeTwo(float first, float second) { return floatsToBfloat16(first, second); }
};
template <> struct Number<2> {
  typedef unsigned short Stored;
  static INLINE float load(unsigned short stored) { return halfToFloat(stored); }
  static INLINE unsigned short store(float value) { return floatToHalf(value); }
  static INLINE unsigned storeTwo(float first, float second) { return floatsToHalf(first, second); }
};

typedef Number<INVDIFF_IO> Io;
typedef Number<INVDIFF_WEIGHT> Affine;
typedef Io::Stored Element;
typedef Affine::Stored Weight;

// V neighbouring channels of one pixel.
#if INVDIFF_VECTOR == 1
typedef Element Pack;
INLINE void unpack(const Pack& pack, float* values) { values[0] = Io::load(pack); }
INLINE Pack packed(const float* values) { return Io::store(values[0]); }
#elif INVDIFF_IO == 0
typedef float4 Pack;
INLINE void unpack(const Pack& pack, float* values) {
  values[0] = pack.x;
  values[1] = pack.y;
  values[2] = pack.z;
  values[3] = pack.w;
}
INLINE Pack packed(const float* values) {
  Pack pack;
  pack.x = values[0];
  pack.y = values[1];
  pack.z = values[2];
  pack.w = values[3];
  return pack;
}
#else
typedef uint4 Pack;
INLINE void unpackTwo(unsigned two, float* values) {
  values[0] = Io::load((unsigned short)(two & 0xffffu));
  values[1] = Io::load((unsigned short)(two >> 16));
}
INLINE void unpack(const Pack& pack, float* values) {
  unpackTwo(pack.x, values);
  unpackTwo(pack.y, values + 2);
  unpackTwo(pack.z, values + 4);
  unpackTwo(pack.w, values + 6);
}
INLINE Pack packed(const float* values) {
  Pack pack;
  pack.x = Io::storeTwo(values[0], values[1]);
  pack.y = Io::storeTwo(values[2], values[3]);
  pack.z = Io::storeTwo(values[4], values[5]);
  pack.w = Io::storeTwo(values[6], values[7]);
  return pack;
}
#endif

// Exact for float32; for the 16-bit types two approximations of the card, whose error is far below their rounding.
INLINE float sigmoid(float z) {
#if INVDIFF_IO == 0 || defined(INVDIFF_HOST)
  return 1.0f / (1.0f + expf(-z));
#else
  float power, result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(z * -1.44269504f));
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(1.0f + power));
  return result;
#endif
}

// ---- who does what ----

// A thread's share: `count` pixels of the V channels from `channel` on, in Packs from `first`, `stride` apart.
struct Place {
  int image, slab, chunk, column, row, channel, count;
  int pixels; // of the whole chunk
  int stride; // times count it fits an int: the plan sees to that
  long long first;
};

// Blocks that lie side by side in memory follow each other. A second pass over x goes backwards: what the first pass
// read last is still in the cache.
INLINE Place placeOf(const Args& a, bool backwards) {
  Place p;
  int block = (int)(backwards ? gridDim.x - 1 - blockIdx.x : blockIdx.x);
  int slabs = a.channels / a.slabChannels;
  p.slab = block % slabs;
  p.chunk = block / slabs % a.chunks;
  p.image = block / slabs / a.chunks;
  p.column = (int)threadIdx.x % a.columns;
  p.row = (int)threadIdx.x / a.columns;
  p.channel = p.slab * a.slabChannels + p.column * V;
  long long start = (long long)p.chunk * a.chunkPixels;
  long long left = a.pixels - start;
  p.pixels = left < a.chunkPixels ? (int)left : a.chunkPixels;
  p.count = p.row < p.pixels ? (p.pixels - p.row + a.rows - 1) / a.rows : 0;
  int packs = a.channels / V; // of one pixel
  p.first = ((long long)p.image * a.pixels + start + p.row) * packs + p.channel / V;
  p.stride = a.rows * packs;
  return p;
}

INLINE float loadWeight(const void* base, int at) { return Affine::load(((const Weight*)base)[at]); }

// ---- sums over a block, in a fixed order ----

// total[channel in the slab] = the sum of value over the block's rows. Like the next one it ends with a barrier, so that
// what it read may be written after it.
INLINE void channelSums(const Args& a, const Place& p, const float* value, float* scratch, float* total) {
#pragma unroll
  for (int k = 0; k < V; k++) scratch[(k * a.rows + p.row) * a.columns + p.column] = value[k];
  __syncthreads();
  for (int i = (int)threadIdx.x; i < a.slabChannels; i += (int)blockDim.x) {
    int k = i / a.columns, column = i % a.columns;
    float sum = 0.0f;
    for (int row = 0; row < a.rows; row++) sum += scratch[(k * a.rows + row) * a.columns + column];
    total[column * V + k] = sum;
  }
  __syncthreads();
}

// group[group in the slab] = factor times the sum of total over the group's channels, each times its weight if given.
INLINE void groupSums(const Args& a, const Place& p, const float* total, const void* weight, float factor, float* group) {
  int per = a.channels / a.groups;
  int first = p.slab * a.slabChannels;
  for (int g = (int)threadIdx.x; g < a.slabChannels / per; g += (int)blockDim.x) {
    float sum = 0.0f;
    for (int c = g * per; c < (g + 1) * per; c++) sum += weight ? total[c] * loadWeight(weight, first + c) : total[c];
    group[g] = sum * factor;
  }
  __syncthreads();
}

// The sum of value over the threads of a block, for every thread.
INLINE float blockSum(float value, float* scratch) {
  __syncthreads();
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (int n = (int)blockDim.x; n > 1;) {
    int half = (n + 1) / 2;
    if ((int)threadIdx.x + half < n) scratch[threadIdx.x] += scratch[threadIdx.x + half];
    n = half;
    __syncthreads();
  }
  return scratch[0];
}
)CUDA"

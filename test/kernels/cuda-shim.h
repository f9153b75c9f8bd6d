// CUDA's words on the processor: a block's threads are fibers of one thread of the process, which change places at
// __syncthreads() only. The order in which they run between two barriers is chosen by the caller: results that depend on
// it come from a missing barrier.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#define __device__
#define __forceinline__ inline
#define __shared__
#define INVDIFF_HOST 1
#define KERNEL(blocks, name) void name

struct Index {
  unsigned x = 0;
};
struct float4 {
  alignas(16) float x;
  float y, z, w;
};
struct uint4 {
  alignas(16) unsigned x;
  unsigned y, z, w;
};

inline Index threadIdx, blockIdx, blockDim, gridDim;

inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline float rsqrtf(float value) { return 1.0f / std::sqrt(value); }

namespace host {

inline float halfToFloat(unsigned short bits) {
  int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  float size = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                               : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return bits & 0x8000 ? -size : size;
}

inline unsigned short floatToHalf(float value) {
  unsigned short sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return 0x7fff;
  double size = std::fabs(static_cast<double>(value));
  if (size >= 65520) return sign | 0x7c00;
  int exponent = size == 0 ? -14 : std::max(std::ilogb(size), -14);
  // A carry out of the fraction runs into the exponent, as it should.
  auto units = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return static_cast<unsigned short>(sign | (units + ((exponent + 14) << 10)));
}

enum Order { kUp, kDown, kShuffled };

class Block {
public:
  Block(int threads, Order order) : order_(order) {
    fibers_.resize(threads);
    sequence_.resize(threads);
    std::iota(sequence_.begin(), sequence_.end(), 0);
    if (order == kDown) std::reverse(sequence_.begin(), sequence_.end());
  }

  // Fails where some threads end while others wait at a barrier.
  void run(const std::function<void()>& body) {
    body_ = &body;
    active_ = this;
    for (auto& fiber : fibers_) {
      fiber.done = false;
      getcontext(&fiber.context);
      fiber.context.uc_stack.ss_sp = fiber.stack.get();
      fiber.context.uc_stack.ss_size = kStack;
      fiber.context.uc_link = &scheduler_;
      makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Block::enter), 0);
    }
    for (size_t ended = 0; ended < fibers_.size();) {
      if (order_ == kShuffled) std::shuffle(sequence_.begin(), sequence_.end(), random_);
      ended = 0;
      for (int i : sequence_) {
        current_ = i;
        threadIdx.x = static_cast<unsigned>(i);
        swapcontext(&scheduler_, &fibers_[i].context);
        ended += fibers_[i].done;
      }
      if (ended != 0 && ended != fibers_.size()) {
        std::fprintf(stderr, "%zu of %zu threads do not come to a barrier\n", ended, fibers_.size());
        std::exit(3);
      }
    }
  }

  static void barrier() {
    Block* block = active_;
    swapcontext(&block->fibers_[block->current_].context, &block->scheduler_);
  }

private:
  static constexpr size_t kStack = 64 * 1024;
  struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[kStack]};
    bool done = false;
  };

  static void enter() {
    Block* block = active_;
    (*block->body_)();
    block->fibers_[block->current_].done = true;
  }

  static inline Block* active_ = nullptr;
  Order order_;
  std::vector<Fiber> fibers_;
  std::vector<int> sequence_;
  std::mt19937 random_{1};
  ucontext_t scheduler_;
  const std::function<void()>* body_ = nullptr;
  int current_ = 0;
};

// Runs every block of a grid. Shared memory begins as NaN, and what lies behind the bytes asked for must stay untouched.
inline void launch(const std::function<void()>& body, int64_t blocks, int threads, int sharedBytes, float* shared,
                   int sharedFloats, Order order) {
  constexpr float kUntouched = -12345.0f;
  const int mine = sharedBytes / 4;
  Block block(threads, order);
  blockDim.x = static_cast<unsigned>(threads);
  gridDim.x = static_cast<unsigned>(blocks);
  for (int64_t i = 0; i < blocks; i++) {
    int64_t at = order == kDown ? blocks - 1 - i : i;
    blockIdx.x = static_cast<unsigned>(at);
    std::fill(shared, shared + mine, std::numeric_limits<float>::quiet_NaN());
    std::fill(shared + mine, shared + sharedFloats, kUntouched);
    block.run(body);
    if (std::any_of(shared + mine, shared + sharedFloats, [](float value) { return value != kUntouched; })) {
      std::fprintf(stderr, "a block wrote behind its %d bytes of shared memory\n", sharedBytes);
      std::exit(3);
    }
  }
}

} // namespace host

inline void __syncthreads() { host::Block::barrier(); }

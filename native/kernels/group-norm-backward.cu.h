R"CUDA(
// ---- backward ----
// With xhat = (x - mean) rstd, z = xhat weight + bias and g = dy act'(z), each channel needs the sums over its pixels of
// g and of g xhat: over the images they are dbias and dweight, over a group, weighted, what dx subtracts.

constexpr int PAIRS_AHEAD = 2; // loads of x and dy under way at once

struct Channels {
  float center[V], scale[V], shift[V];
};

// mean and rstd of the image's first group.
INLINE void loadChannels(const Args& a, const Place& p, const float* mean, const float* rstd, Channels& c) {
  int per = a.channels / a.groups;
  int group = p.channel / per, next = (group + 1) * per;
#pragma unroll
  for (int k = 0; k < V; k++) {
    if (p.channel + k == next) group++, next += per;
    c.center[k] = mean[group];
    c.scale[k] = rstd[group] * loadWeight(a.weight, p.channel + k);
    c.shift[k] = loadWeight(a.bias, p.channel + k);
  }
}

// (x - mean, dy) -> g in place of dy.
template <bool Silu> INLINE float gradientAt(float centered, float dy, float scale, float shift) {
  if (!Silu) return dy;
  float z = centered * scale + shift;
  float s = sigmoid(z);
  return dy * (s * (1.0f + z * (1.0f - s)));
}

// Calls each(x, dy, at) for the thread's pixels, in the order of memory or against it.
template <class Each> INLINE void forPairs(const Args& a, const Place& p, bool backwards, const Each& each) {
  const Pack* x = (const Pack*)a.x + p.first;
  const Pack* dy = (const Pack*)a.dy + p.first;
  int stride = backwards ? -p.stride : p.stride;
  int i = 0, at = backwards ? (p.count - 1) * p.stride : 0;
  for (; i + PAIRS_AHEAD <= p.count; i += PAIRS_AHEAD) {
    Pack xs[PAIRS_AHEAD], dys[PAIRS_AHEAD];
#pragma unroll
    for (int u = 0; u < PAIRS_AHEAD; u++) {
      xs[u] = x[at + u * stride];
      dys[u] = dy[at + u * stride];
    }
#pragma unroll
    for (int u = 0; u < PAIRS_AHEAD; u++) each(xs[u], dys[u], at + u * stride);
    at += PAIRS_AHEAD * stride;
  }
  for (; i < p.count; i++, at += stride) each(x[at], dy[at], at);
}

// The thread's sums over its pixels of g and of g (x - mean).
template <bool Silu>
INLINE void ownGradientSums(const Args& a, const Place& p, const Channels& c, float* plain, float* centered) {
#pragma unroll
  for (int k = 0; k < V; k++) plain[k] = centered[k] = 0.0f;
  forPairs(a, p, false, [&](const Pack& xPack, const Pack& dyPack, int) {
    float x[V], dy[V];
    unpack(xPack, x);
    unpack(dyPack, dy);
#pragma unroll
    for (int k = 0; k < V; k++) {
      float d = x[k] - c.center[k];
      float g = gradientAt<Silu>(d, dy[k], c.scale[k], c.shift[k]);
      plain[k] += g;
      centered[k] += g * d;
    }
  });
}

// The block's sums for each channel of the slab, in shared memory: of g, and of g xhat.
INLINE void slabGradientSums(const Args& a, const Place& p, const Channels& c, const float* rstd, float* shared,
                             float** plainTotal, float** hatTotal) {
  float* scratch = shared;
  *plainTotal = scratch + (int)blockDim.x * V;
  *hatTotal = *plainTotal + a.slabChannels;
  float plain[V], centered[V];
  if (a.silu) ownGradientSums<true>(a, p, c, plain, centered);
  else ownGradientSums<false>(a, p, c, plain, centered);
  channelSums(a, p, plain, scratch, *plainTotal);
  channelSums(a, p, centered, scratch, *hatTotal);
  int per = a.channels / a.groups;
  for (int i = (int)threadIdx.x; i < a.slabChannels; i += (int)blockDim.x)
    (*hatTotal)[i] *= rstd[(p.slab * a.slabChannels + i) / per];
  __syncthreads();
}

// dx = rstd (g weight - average of (g weight) - xhat average of (g weight xhat)); the averages of the slab's first group.
template <bool Silu>
INLINE void inputGradient(const Args& a, const Place& p, const Channels& c, const float* rstd, const float* plain,
                          const float* hat, int step) {
  int per = a.channels / a.groups;
  int first = p.slab * (a.slabChannels / per);
  float offset[V], slope[V];
  int group = p.channel / per, next = (group + 1) * per;
#pragma unroll
  for (int k = 0; k < V; k++) {
    if (p.channel + k == next) group++, next += per;
    float r = rstd[group];
    offset[k] = r * plain[(group - first) * step];
    slope[k] = r * r * hat[(group - first) * step];
  }
  Pack* dx = (Pack*)a.y + p.first;
  forPairs(a, p, true, [&](const Pack& xPack, const Pack& dyPack, int at) {
    float x[V], dy[V];
    unpack(xPack, x);
    unpack(dyPack, dy);
#pragma unroll
    for (int k = 0; k < V; k++) {
      float d = x[k] - c.center[k];
      float g = gradientAt<Silu>(d, dy[k], c.scale[k], c.shift[k]);
      dy[k] = g * c.scale[k] - offset[k] - d * slope[k];
    }
    dx[at] = packed(dy);
  });
}

INLINE float averageFactor(const Args& a) { return 1.0f / ((float)a.pixels * (float)(a.channels / a.groups)); }

// All of it but the sum over the images, where one block holds every pixel of its slab.
KERNEL(2, group_norm_small_backward)(Args a) {
  extern __shared__ float shared[];
  Place p = placeOf(a, false);
  const float* mean = a.mean + (long long)p.image * a.groups;
  const float* rstd = a.rstd + (long long)p.image * a.groups;
  Channels c;
  loadChannels(a, p, mean, rstd, c);
  float *plain, *hat;
  slabGradientSums(a, p, c, rstd, shared, &plain, &hat);
  for (int i = (int)threadIdx.x; i < a.slabChannels; i += (int)blockDim.x) {
    float* sums = a.sums + ((long long)p.image * a.channels + p.slab * a.slabChannels + i) * 2;
    sums[0] = plain[i];
    sums[1] = hat[i];
  }
  if (!a.y) return;
  float* plainAverage = hat + a.slabChannels;
  float* hatAverage = plainAverage + a.slabChannels / (a.channels / a.groups);
  groupSums(a, p, plain, a.weight, averageFactor(a), plainAverage);
  groupSums(a, p, hat, a.weight, averageFactor(a), hatAverage);
  if (a.silu) inputGradient<true>(a, p, c, rstd, plainAverage, hatAverage, 1);
  else inputGradient<false>(a, p, c, rstd, plainAverage, hatAverage, 1);
}

// Large images, first step: the sums of each chunk of pixels.
KERNEL(2, group_norm_backward_sums)(Args a) {
  extern __shared__ float shared[];
  Place p = placeOf(a, false);
  const float* rstd = a.rstd + (long long)p.image * a.groups;
  Channels c;
  loadChannels(a, p, a.mean + (long long)p.image * a.groups, rstd, c);
  float *plain, *hat;
  slabGradientSums(a, p, c, rstd, shared, &plain, &hat);
  float* partial =
      a.partial + (((long long)p.image * a.chunks + p.chunk) * a.channels + p.slab * a.slabChannels) * 2;
  for (int i = (int)threadIdx.x; i < a.slabChannels; i += (int)blockDim.x) {
    partial[2 * i] = plain[i];
    partial[2 * i + 1] = hat[i];
  }
}

// Second step, one block for each image and group: the chunks put together, and the group's averages.
KERNEL(2, group_norm_backward_merge)(Args a) {
  extern __shared__ float shared[];
  int image = (int)blockIdx.x / a.groups, group = (int)blockIdx.x % a.groups;
  int per = a.channels / a.groups;
  int threads = (int)blockDim.x;
  int width = per < threads ? per : threads, height = threads / width;
  int column = (int)threadIdx.x % width, row = (int)threadIdx.x / width;
  float* plainScratch = shared;
  float* hatScratch = shared + threads;
  float plainGroup = 0.0f, hatGroup = 0.0f;
  for (int first = 0; first < per; first += width) {
    int channel = group * per + first + column;
    bool mine = row < height && first + column < per;
    float plain = 0.0f, hat = 0.0f;
    for (int chunk = row; mine && chunk < a.chunks; chunk += height) {
      const float* partial = a.partial + (((long long)image * a.chunks + chunk) * a.channels + channel) * 2;
      plain += partial[0];
      hat += partial[1];
    }
    __syncthreads();
    plainScratch[threadIdx.x] = plain;
    hatScratch[threadIdx.x] = hat;
    __syncthreads();
    if (!mine || row > 0) continue;
    for (int other = 1; other < height; other++) {
      plain += plainScratch[other * width + column];
      hat += hatScratch[other * width + column];
    }
    float* sums = a.sums + ((long long)image * a.channels + channel) * 2;
    sums[0] = plain;
    sums[1] = hat;
    float weight = loadWeight(a.weight, channel);
    plainGroup += plain * weight;
    hatGroup += hat * weight;
  }
  plainGroup = blockSum(plainGroup, shared);
  hatGroup = blockSum(hatGroup, shared);
  if (threadIdx.x == 0) {
    a.averages[2 * blockIdx.x] = plainGroup * averageFactor(a);
    a.averages[2 * blockIdx.x + 1] = hatGroup * averageFactor(a);
  }
}

// Third step.
KERNEL(2, group_norm_backward_input)(Args a) {
  Place p = placeOf(a, true);
  const float* rstd = a.rstd + (long long)p.image * a.groups;
  Channels c;
  loadChannels(a, p, a.mean + (long long)p.image * a.groups, rstd, c);
  const float* averages =
      a.averages + ((long long)p.image * a.groups + p.slab * (a.slabChannels / (a.channels / a.groups))) * 2;
  if (a.silu) inputGradient<true>(a, p, c, rstd, averages, averages + 1, 2);
  else inputGradient<false>(a, p, c, rstd, averages, averages + 1, 2);
}

// One thread for each channel: the images put together.
KERNEL(2, group_norm_backward_affine)(Args a) {
  int channel = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel >= a.channels) return;
  float plain = 0.0f, hat = 0.0f;
  for (int image = 0; image < a.images; image++) {
    const float* sums = a.sums + ((long long)image * a.channels + channel) * 2;
    plain += sums[0];
    hat += sums[1];
  }
  ((Weight*)a.dbias)[channel] = Affine::store(plain);
  ((Weight*)a.dweight)[channel] = Affine::store(hat);
}
)CUDA"

R"CUDA(
// ---- forward ----
// Statistics never pass through E[x^2] - E[x]^2: a thread takes its own first pixel as the origin of its few sums, and
// wherever means are put together, squares are taken about the common mean.

constexpr int AHEAD = 3; // loads under way at once

INLINE void addPixel(const Pack& pack, const float* origin, float* sum, float* squares) {
  float x[V];
  unpack(pack, x);
#pragma unroll
  for (int k = 0; k < V; k++) {
    float d = x[k] - origin[k];
    sum[k] += d;
    squares[k] += d * d;
  }
}

// Mean and sum of squares about it, of each of the thread's channels over its own pixels.
INLINE void ownStatistics(const Args& a, const Place& p, float* mean, float* squares) {
  float sum[V];
#pragma unroll
  for (int k = 0; k < V; k++) mean[k] = sum[k] = squares[k] = 0.0f;
  if (p.count == 0) return;
  const Pack* x = (const Pack*)a.x + p.first;
  float origin[V];
  unpack(x[0], origin);
  int i = 0, at = 0;
  for (; i + AHEAD <= p.count; i += AHEAD) {
    Pack pack[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) pack[u] = x[at + u * p.stride];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) addPixel(pack[u], origin, sum, squares);
    at += AHEAD * p.stride;
  }
  for (; i < p.count; i++, at += p.stride) addPixel(x[at], origin, sum, squares);
  float share = 1.0f / (float)p.count;
#pragma unroll
  for (int k = 0; k < V; k++) {
    float d = sum[k] * share;
    mean[k] = origin[k] + d;
    squares[k] = fmaxf(squares[k] - sum[k] * d, 0.0f);
  }
}

// The same for each group of the slab over the block's pixels, in shared memory.
INLINE void slabStatistics(const Args& a, const Place& p, float* shared, float** groupMean, float** groupSquares) {
  int per = a.channels / a.groups;
  float* scratch = shared;
  float* total = scratch + (int)blockDim.x * V;
  *groupMean = total + a.slabChannels;
  *groupSquares = *groupMean + a.slabChannels / per;
  float mean[V], squares[V], value[V];
  ownStatistics(a, p, mean, squares);
  float count = (float)p.count;
#pragma unroll
  for (int k = 0; k < V; k++) value[k] = mean[k] * count;
  channelSums(a, p, value, scratch, total);
  groupSums(a, p, total, 0, 1.0f / ((float)p.pixels * (float)per), *groupMean);
  int inSlab = p.column * V, group = inSlab / per, next = (group + 1) * per;
#pragma unroll
  for (int k = 0; k < V; k++) {
    if (inSlab + k == next) group++, next += per;
    float d = mean[k] - (*groupMean)[group];
    value[k] = squares[k] + count * d * d;
  }
  channelSums(a, p, value, scratch, total);
  groupSums(a, p, total, 0, 1.0f, *groupSquares);
}

// mean and rstd point at the first group of the slab.
template <bool Silu> INLINE void normalize(const Args& a, const Place& p, const float* mean, const float* rstd) {
  int per = a.channels / a.groups;
  float center[V], scale[V], shift[V];
  int inSlab = p.column * V, group = inSlab / per, next = (group + 1) * per;
#pragma unroll
  for (int k = 0; k < V; k++) {
    if (inSlab + k == next) group++, next += per;
    center[k] = mean[group];
    scale[k] = rstd[group] * loadWeight(a.weight, p.channel + k);
    shift[k] = loadWeight(a.bias, p.channel + k);
  }
  const Pack* x = (const Pack*)a.x + p.first;
  Pack* y = (Pack*)a.y + p.first;
  auto one = [&](const Pack& pack, int at) {
    float z[V];
    unpack(pack, z);
#pragma unroll
    for (int k = 0; k < V; k++) {
      z[k] = (z[k] - center[k]) * scale[k] + shift[k];
      if (Silu) z[k] *= sigmoid(z[k]);
    }
    y[at] = packed(z);
  };
  // Backwards, as the blocks: the pixels read last come first.
  int i = 0, at = (p.count - 1) * p.stride;
  for (; i + AHEAD <= p.count; i += AHEAD) {
    Pack pack[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) pack[u] = x[at - u * p.stride];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) one(pack[u], at - u * p.stride);
    at -= AHEAD * p.stride;
  }
  for (; i < p.count; i++, at -= p.stride) one(x[at], at);
}

INLINE float rstdOf(const Args& a, float squares) {
  float count = (float)a.pixels * (float)(a.channels / a.groups);
  return rsqrtf(squares / count + a.eps);
}

// All of it where one block holds every pixel of its slab: x comes from memory once, the second time from the cache.
KERNEL(3, group_norm_small)(Args a) {
  extern __shared__ float shared[];
  Place p = placeOf(a, false);
  float *groupMean, *groupRstd;
  slabStatistics(a, p, shared, &groupMean, &groupRstd);
  int inSlab = a.slabChannels / (a.channels / a.groups);
  for (int g = (int)threadIdx.x; g < inSlab; g += (int)blockDim.x) {
    long long at = (long long)p.image * a.groups + p.slab * inSlab + g;
    groupRstd[g] = rstdOf(a, groupRstd[g]);
    a.mean[at] = groupMean[g];
    a.rstd[at] = groupRstd[g];
  }
  __syncthreads();
  if (a.silu) normalize<true>(a, p, groupMean, groupRstd);
  else normalize<false>(a, p, groupMean, groupRstd);
}

// Large images, first step: mean and squares of each chunk of pixels.
KERNEL(3, group_norm_statistics)(Args a) {
  extern __shared__ float shared[];
  Place p = placeOf(a, false);
  float *groupMean, *groupSquares;
  slabStatistics(a, p, shared, &groupMean, &groupSquares);
  int inSlab = a.slabChannels / (a.channels / a.groups);
  for (int g = (int)threadIdx.x; g < inSlab; g += (int)blockDim.x) {
    float* partial = a.partial + (((long long)p.image * a.groups + p.slab * inSlab + g) * a.chunks + p.chunk) * 2;
    partial[0] = groupMean[g];
    partial[1] = groupSquares[g];
  }
}

// Second step, one block for each image and group: the chunks put together.
KERNEL(3, group_norm_merge)(Args a) {
  extern __shared__ float shared[];
  const float* partial = a.partial + (long long)blockIdx.x * a.chunks * 2;
  float lastPixels = (float)(a.pixels - (long long)(a.chunks - 1) * a.chunkPixels);
  float sum = 0.0f;
  for (int i = (int)threadIdx.x; i < a.chunks; i += (int)blockDim.x)
    sum += partial[2 * i] * (i == a.chunks - 1 ? lastPixels : (float)a.chunkPixels);
  float mean = blockSum(sum, shared) / (float)a.pixels;
  float per = (float)(a.channels / a.groups);
  float squares = 0.0f;
  for (int i = (int)threadIdx.x; i < a.chunks; i += (int)blockDim.x) {
    float d = partial[2 * i] - mean;
    squares += partial[2 * i + 1] + per * (i == a.chunks - 1 ? lastPixels : (float)a.chunkPixels) * d * d;
  }
  squares = blockSum(squares, shared);
  if (threadIdx.x == 0) {
    a.mean[blockIdx.x] = mean;
    a.rstd[blockIdx.x] = rstdOf(a, squares);
  }
}

// Third step.
KERNEL(3, group_norm_normalize)(Args a) {
  Place p = placeOf(a, true);
  long long at = (long long)p.image * a.groups + p.slab * (a.slabChannels / (a.channels / a.groups));
  if (a.silu) normalize<true>(a, p, a.mean + at, a.rstd + at);
  else normalize<false>(a, p, a.mean + at, a.rstd + at);
}
)CUDA"

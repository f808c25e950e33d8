#include "engine.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#if defined(__linux__)
#include <sys/mman.h>
#endif

const Kernels *kernels() {
  static const Kernels *const chosen = []() -> const Kernels * {
#if defined(__x86_64__)
    const char *most = std::getenv("GRU_RESEARCH_NATIVE_ISA");
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
    if (avx512 && !(most && !std::strcmp(most, "avx2"))) return &kernels_avx512;
    return avx2 ? &kernels_avx2 : nullptr;
#elif defined(__aarch64__)
    return &kernels_neon;
#else
    return nullptr;
#endif
  }();
  return chosen;
}

namespace {

constexpr int FEW_ROWS = 3;       // up to this number of rows, units are divided among threads
constexpr int TILE_ROWS = 8;      // a part of fewer rows wastes registers
constexpr int CACHED_ROWS = 32;   // rows of a part that make up for reading kernels from beyond the second-level cache
constexpr int MOST_OF_SHAPE = 8;  // the most parts: each has sums for the gradients of all weights
constexpr size_t CACHED_KERNELS = 512 << 10, LARGE_PAGE = 2 << 20, WORTH_LARGE_PAGES = 4 * LARGE_PAGE;

// How many tiles' worth of work `parts` parts make of one tile's worth of rows.
double waste(int rows, int parts) {
  int each = (rows + parts - 1) / parts;
  return (double)parts * ((each + TILE_ROWS - 1) / TILE_ROWS) * TILE_ROWS / rows;
}

// Depends on the shape alone, so that any number of threads adds the gradients of weights in the same order.
void divide(Layer &l, size_t layers) {
  l.few = layers == 1 && l.B <= FEW_ROWS;
  l.parts = 1;
  if (l.few || l.B < 2) return;
  size_t kernels = (size_t)gates_of(l.kind) * l.H * l.H * sizeof(float);
  int least = kernels > CACHED_KERNELS ? CACHED_ROWS : TILE_ROWS;
  int most = layers > 1 ? l.B / (2 * least) : MOST_OF_SHAPE;
  l.parts = layers > 1 ? 1 : 2;
  for (int parts = 2 * l.parts; parts <= std::min(most, MOST_OF_SHAPE) && l.B / parts >= least; parts *= 2)
    if (waste(l.B, parts) <= 1.05 * waste(l.B, l.parts)) l.parts = parts;
}

// Memory that is kept from call to call, as new pages cost more than the work in them. One buffer for each of as many
// calls as were ever at work together.
class Memory {
 public:
  explicit Memory(size_t floats) {
    size_t bytes = (floats * sizeof(float) + LARGE_PAGE) / LARGE_PAGE * LARGE_PAGE;
    {
      std::lock_guard<std::mutex> lock(mutex());
      auto &free = free_buffers();
      auto best = std::max_element(free.begin(), free.end(), [](auto &a, auto &b) { return a.bytes < b.bytes; });
      if (best != free.end()) buffer_ = *best, free.erase(best);
    }
    if (buffer_.bytes >= bytes) return;
    std::free(buffer_.data);
    buffer_ = {static_cast<float *>(std::aligned_alloc(LARGE_PAGE, bytes)), bytes};
    if (!buffer_.data) buffer_.bytes = 0;
    else large_pages(buffer_.data, bytes);
  }
  ~Memory() {
    std::lock_guard<std::mutex> lock(mutex());
    if (buffer_.data) free_buffers().push_back(buffer_);
  }
  Memory(const Memory &) = delete;
  float *data() const { return buffer_.data; }

 private:
  struct Buffer {
    float *data = nullptr;
    size_t bytes = 0;
  };
  // Never destroyed: threads of XLA's may still be at work when the process ends.
  static std::mutex &mutex() {
    static auto *m = new std::mutex;
    return *m;
  }
  static std::vector<Buffer> &free_buffers() {
    static auto *buffers = new std::vector<Buffer>;
    return *buffers;
  }
  Buffer buffer_;
};

// Tasks 0 .. count - 1, each claimed by the caller or by a helper that comes. The caller never waits for a helper that
// hasn't begun: one may come tens of milliseconds late where other work holds the cores.
void run(const Pool *pool, int count, std::function<void(int)> task) {
  int helpers = pool ? std::min(pool->threads, count) - 1 : 0;
  if (helpers < 1) {
    for (int i = 0; i < count; i++) task(i);
    return;
  }
  struct Shared {  // outlives the call: a late helper still reads it
    std::atomic<int> next{0}, done{0};
    int count;
    std::function<void(int)> task;
  };
  auto shared = std::make_shared<Shared>();
  shared->count = count, shared->task = std::move(task);
  auto work = [shared] {
    for (int i; (i = shared->next.fetch_add(1)) < shared->count;) {
      shared->task(i);
      shared->done.fetch_add(1, std::memory_order_release);
    }
  };
  for (int i = 0; i < helpers; i++) pool->schedule(work);
  work();
  while (shared->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
}

void run_few(const Pool *pool, const Layer &layer, void (*few)(const Layer &, Halves &, bool)) {
  struct Shared {
    Layer layer;
    Halves halves;
  };
  auto shared = std::make_shared<Shared>();
  shared->layer = layer;
  if (pool && pool->threads > 1) {
    auto caller = std::this_thread::get_id();
    pool->schedule([shared, few, caller] {
      // A pool may run this at once in the calling thread, which would then wait for itself.
      if (std::this_thread::get_id() != caller) few(shared->layer, shared->halves, false);
    });
  }
  few(shared->layer, shared->halves, true);
}

void run_layers(std::vector<Layer> &layers, const Pool *pool, size_t (*scratch)(const Layer &),
                void (*prepare)(const Layer &), void (*part)(const Layer &, int),
                void (*few)(const Layer &, Halves &, bool), void (*finish)(const Layer &)) {
  if (layers.empty()) return;
  for (Layer &l : layers) divide(l, layers.size());
  size_t floats = (scratch(layers[0]) + 15) / 16 * 16;
  Memory memory(floats * layers.size());
  if (!memory.data()) throw std::bad_alloc();
  for (size_t i = 0; i < layers.size(); i++) layers[i].scratch = memory.data() + i * floats;
  int count = (int)layers.size(), parts = layers[0].parts;
  run(count > 1 ? pool : nullptr, count, [&](int i) { prepare(layers[i]); });
  if (layers[0].few) run_few(pool, layers[0], few);
  else run(pool, count * parts, [&, parts](int i) { part(layers[i / parts], i % parts); });
  if (finish) run(count > 1 ? pool : nullptr, count, [&](int i) { finish(layers[i]); });
}

}  // namespace

void large_pages(void *data, size_t bytes) {
#if defined(__linux__)
  if (bytes < WORTH_LARGE_PAGES) return;
  constexpr uintptr_t PAGE = 4096;
  uintptr_t begin = ((uintptr_t)data + PAGE - 1) & ~(PAGE - 1), end = ((uintptr_t)data + bytes) & ~(PAGE - 1);
  madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#endif
}

void forward(std::vector<Layer> &layers, const Pool *pool) {
  const Kernels *k = kernels();
  run_layers(layers, pool, k->forward_scratch, k->forward_prepare, k->forward_part, k->forward_few, nullptr);
}

void backward(std::vector<Layer> &layers, const Pool *pool) {
  const Kernels *k = kernels();
  run_layers(layers, pool, k->backward_scratch, k->backward_prepare, k->backward_part, k->backward_few, k->backward_finish);
}

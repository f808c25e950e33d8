// Runs layers: which kernels, how rows are divided, and who does what.
#pragma once
#include <functional>
#include <vector>
#include "layer.h"

// Provides helper threads. `schedule` may run a task here and now, later, on another thread, or when all is done.
struct Pool {
  int threads;
  std::function<void(std::function<void()>)> schedule;
};

// The kernels for this processor, or null where it has none of the instruction sets. The environment variable
// GRU_RESEARCH_NATIVE_ISA=avx2 asks for the smaller set.
const Kernels *kernels();

// Layers of one shape, with parameters and inputs of their own. Null pool: the calling thread alone.
void forward(std::vector<Layer> &layers, const Pool *pool);
void backward(std::vector<Layer> &layers, const Pool *pool);

// Asks for large pages where an array will be written for the first time: thousands of page faults fewer.
void large_pages(void *data, size_t bytes);

// Compares small layers with plain loops. Null, or what is wrong.
const char *self_test();

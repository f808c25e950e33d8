// Few rows: the units of a step are two halves, done by two threads that meet after every step, if there are two.
//
// A thread claims a half of an item (a step, or a chunk's products) before it computes it. Each thread takes its own half
// first, and then the other half if the other thread hasn't claimed it for a while. So the helper may come late, never come,
// or lose its core: the other thread then does everything alone. A thread waits only for a half that is being computed.
#pragma once
#include <algorithm>
#include <thread>
#include "layer.h"
#include "vector.h"

namespace NAME {

constexpr int SPINS_BEFORE_TAKING = 100, SPINS_BEFORE_YIELDING = 3000;

INLINE void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
INLINE void wait_a_moment(int spins) {
  if (spins < SPINS_BEFORE_YIELDING) pause();
  else std::this_thread::yield();
}

// Calls half(item, 0) and half(item, 1) for every item, in order: none begins before both halves of the one before are
// done. done[k] is the state of half k: 2 i if item i isn't claimed, 2 i + 1 if a thread computes it.
template <class Half> INLINE void in_halves(Halves &halves, int items, int me, Half half) {
  auto claim = [&](int item, int k) {
    int unclaimed = 2 * item;
    auto &done = halves.done[k].value;
    if (!done.compare_exchange_strong(unclaimed, 2 * item + 1, std::memory_order_acq_rel)) return false;
    half(item, k);
    done.store(2 * item + 2, std::memory_order_release);
    return true;
  };
  auto progress = [&](int k) { return halves.done[k].value.load(std::memory_order_acquire); };
  auto first_open = [&] { return std::min(progress(0), progress(1)) / 2; };
  if (me == 1) halves.helped.value.store(1, std::memory_order_release);
  // How long to wait for the other thread to claim its half: not at all before it is there, nor once it failed to, until
  // it is seen at work again.
  int patience = me ? SPINS_BEFORE_TAKING : 0;
  for (int item = first_open(); item < items; item = first_open()) {
    claim(item, me);
    if (!me && !patience && halves.helped.value.load(std::memory_order_acquire) == 1) {
      halves.helped.value.store(2, std::memory_order_relaxed);
      patience = SPINS_BEFORE_TAKING;
    }
    for (int spins = 0;; spins++) {
      int other = progress(1 - me);
      if (other >= 2 * item + 2) break;
      if (other == 2 * item && spins >= patience) {
        if (claim(item, 1 - me)) patience = 0;
      } else {
        if (other == 2 * item + 1) patience = SPINS_BEFORE_TAKING;
        wait_a_moment(spins);
      }
    }
    for (int spins = 0; progress(me) < 2 * item + 2; spins++) {  // the other thread took it, and so is there
      patience = SPINS_BEFORE_TAKING;
      wait_a_moment(spins);
    }
  }
}

}  // namespace NAME

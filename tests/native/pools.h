// Pools of threads as a layer may meet them: helpers that come at once, late, never, in the calling thread, when the call
// is over, or that lose their core in the middle of their work.
#pragma once
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include "engine.h"

enum Helpers { AT_ONCE, LATE, STALLED, IN_THE_CALLER, NEVER, AFTERWARDS, HELPERS };

class Helping {
 public:
  Helping(Helpers how, int threads) : how_(how) {
    pool = {threads, [this](std::function<void()> task) { schedule(std::move(task)); }};
    if (how > STALLED) return;
    for (int i = 0; i < threads - 1; i++) threads_.emplace_back([this, i] { work(i); });
    if (how == STALLED) {
      struct sigaction action = {};
      action.sa_handler = [](int) { usleep(300); };
      action.sa_flags = SA_RESTART;
      sigaction(SIGUSR1, &action, nullptr);
      staller_ = std::thread([this] {
        for (size_t i = 0; !over_; i++, usleep(100))
          if (!threads_.empty()) pthread_kill(threads_[i % threads_.size()].native_handle(), SIGUSR1);
      });
    }
  }
  // Waits until the helpers are done with what they were given.
  ~Helping() {
    over_ = true;
    if (staller_.joinable()) staller_.join();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    come_.notify_all();
    for (std::thread &t : threads_) t.join();
  }
  // The helpers that come when the call is over.
  void come_now() {
    for (auto &task : kept_) task();
    kept_.clear();
  }
  Pool pool;

 private:
  void schedule(std::function<void()> task) {
    if (how_ == IN_THE_CALLER) return task();
    if (how_ == NEVER) return;
    if (how_ == AFTERWARDS) return kept_.push_back(std::move(task));
    {
      std::lock_guard<std::mutex> lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    come_.notify_one();
  }
  void work(int number) {
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        come_.wait(lock, [this] { return closed_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      if (how_ == LATE) usleep(50 * (number + 1));
      task();
    }
  }
  Helpers how_;
  std::vector<std::thread> threads_;
  std::thread staller_;
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  std::condition_variable come_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::function<void()>> kept_;
  bool closed_ = false;
};

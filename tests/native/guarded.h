// Arrays that end, or begin, exactly at a page that nobody may touch: what is read or written behind them, or before
// them, ends the program, masked vectors included, which sanitizers don't see.
#pragma once
#include <sys/mman.h>
#include <unistd.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

class Guarded {
 public:
  bool at_end = true;  // whether arrays end at a guard, or begin there

  explicit Guarded(size_t bytes) : page_(sysconf(_SC_PAGESIZE)), size_(bytes) {
    void *all = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) std::perror("mmap"), std::exit(2);
    begin_ = (char *)all;
  }
  // n values, their bytes all `fill`; 0xff makes NaN of floats. The rest of the pages is filled as well, and watched.
  template <class Value> Value *take(size_t n, unsigned char fill = 0xff) {
    size_t bytes = n * sizeof(Value), pages = (bytes + page_ - 1) / page_ * page_;
    if (used_ + pages + 2 * page_ > size_) std::fprintf(stderr, "the guarded arrays are too large\n"), std::exit(2);
    used_ += page_;
    char *at = begin_ + used_;
    used_ += pages;
    if (pages && mprotect(at, pages, PROT_READ | PROT_WRITE)) std::perror("mprotect"), std::exit(2);
    char *data = at_end ? at + pages - bytes : at;
    std::memset(at, MARGIN, pages);
    std::memset(data, fill, bytes);
    pieces_.push_back({at, pages, data, bytes});
    return (Value *)data;
  }
  // Whether what lies beside the arrays in their pages is as it was.
  bool margins_hold() const {
    for (const Piece &p : pieces_)
      for (const char *at = p.page; at < p.page + p.pages; at++)
        if ((at < p.data || at >= p.data + p.bytes) && (unsigned char)*at != MARGIN) return false;
    return true;
  }
  void allow(bool allowed) {
    for (const Piece &p : pieces_)
      if (p.pages && mprotect(p.page, p.pages, allowed ? PROT_READ | PROT_WRITE : PROT_NONE)) std::exit(2);
  }
  void clear() {
    if (used_ && mprotect(begin_, used_, PROT_NONE)) std::perror("mprotect"), std::exit(2);
    used_ = 0, pieces_.clear();
  }

 private:
  static constexpr unsigned char MARGIN = 0xa5;
  struct Piece {
    char *page;
    size_t pages;
    char *data;
    size_t bytes;
  };
  char *begin_;
  size_t page_, size_, used_ = 0;
  std::vector<Piece> pieces_;
};

// Weights brought into the order in which tiles read them, once a call; the scratch memory's layout.
#pragma once
#include <algorithm>
#include "layer.h"
#include "vector.h"

namespace NAME {

// Units and inputs of a layer in panels of L.
struct Panels {
  int units, inputs;            // how many panels
  int unit_tail, input_tail;    // columns of the last
  explicit Panels(const Layer &l)
      : units(divide_up(l.H, L)), inputs(divide_up(l.D, L)), unit_tail(l.H - (units - 1) * L),
        input_tail(l.D - (inputs - 1) * L) {}
  int lanes(int p) const { return p == units - 1 ? unit_tail : L; }
  int input_lanes(int q) const { return q == inputs - 1 ? input_tail : L; }
};

// Takes pieces of a scratch buffer one after the other, each beginning at a cache line.
struct Scratch {
  float *base;
  size_t used = 0;
  explicit Scratch(float *base) : base(base) {}
  float *take(size_t floats) {
    float *piece = base + used;
    used += (floats + 15) / 16 * 16;
    return piece;
  }
};

// n <= L floats from memory, and 0 in the rest of L.
INLINE void copy_padded(float *to, const float *from, int n) { store<L>(to, load<L>(from, n)); }

// `gates` kernels [K, H] as [block of `wide` panels][K][panel of the block][gate][L].
inline void pack(const float *const *kernels, int gates, int K, int H, int wide, float *out) {
  int panels = divide_up(H, L);
  for (int block = 0; block < panels; block += wide)
    for (int k = 0; k < K; k++)
      for (int p = block; p < std::min(block + wide, panels); p++)
        for (int g = 0; g < gates; g++, out += L)
          copy_padded(out, kernels[g] + (size_t)k * H + p * L, std::min(L, H - p * L));
}

// `gates` kernels [K, H] transposed: [block of 2 panels of the K rows][gate][H][panel of the block][L].
inline void pack_transposed(const float *const *kernels, int gates, int K, int H, float *out) {
  int panels = divide_up(K, L);
  for (int block = 0; block < panels; block += 2) {
    int first = block * L, wide = std::min(2, panels - block) * L;
    for (int g = 0; g < gates; g++, out += (size_t)H * wide)
      for (int u0 = 0; u0 < H; u0 += 16)  // some columns at a time: they are written while they are in the cache
        for (int i = 0; i < wide; i++)
          for (int u = u0; u < std::min(H, u0 + 16); u++)
            out[(size_t)u * wide + i] = first + i < K ? kernels[g][(size_t)(first + i) * H + u] : 0.f;
  }
}
inline size_t packed_floats(int gates, int K, int H) { return (size_t)divide_up(H, L) * L * K * gates; }

// The first row of a part.
inline int first_row(const Layer &l, int part) { return (int)((long)l.B * part / l.parts); }
inline int most_rows_of_part(const Layer &l) { return std::max(1, divide_up(l.B, l.parts)); }

// x of step t, rows r0 .. r0 + R, in panel form with `panel` floats from one panel to the next; 0 at unreal steps, whose
// inputs may be anything. Lanes behind the last input are 0.
INLINE void put_inputs(const Layer &l, const Panels &in, int t, int r0, int R, float *out, size_t panel) {
  for (int i = 0; i < R; i++) {
    bool real = !l.real || l.real[(size_t)t * l.B + r0 + i];
    const float *x = l.x.at(t, r0 + i);
    for (int q = 0; q < in.inputs; q++)
      store<L>(out + q * panel + i * L, real ? load<L>(x + q * L, in.input_lanes(q)) : Floats<L>{});
  }
}
// A carry [B, H] of rows r0 .. r0 + R in panel form.
INLINE void put_carry(const Layer &l, const Panels &in, const float *carry, int r0, int R, float *out, size_t panel) {
  for (int i = 0; i < R; i++)
    for (int p = 0; p < in.units; p++)
      copy_padded(out + p * panel + i * L, carry + (size_t)(r0 + i) * l.H + p * L, in.lanes(p));
}
INLINE void take_carry(const Layer &l, const Panels &in, const float *from, size_t panel, int r0, int R, float *carry) {
  for (int i = 0; i < R; i++)
    for (int p = 0; p < in.units; p++)
      store<L>(carry + (size_t)(r0 + i) * l.H + p * L, load<L>(from + p * panel + i * L), in.lanes(p));
}
// What forward keeps of panel p of row r at step t: `kept` values of each of the panel's lanes, one after the other.
template <class Float> INLINE Float *record_at(const Layer &l, Float *record, int kept, int t, int p, int r, int lanes) {
  return record + ((size_t)t * l.B * l.H + (size_t)p * L * l.B + (size_t)r * lanes) * kept;
}

}  // namespace NAME

// The two matrix products that all kernels are made of, as tiles that stay in registers.
//
// Private arrays are in panel form, [panel of L columns][row][L], so that every stride within a tile is a constant.
#pragma once
#include <type_traits>
#include "vector.h"

namespace NAME {

template <int V> using Constant = std::integral_constant<int, V>;
constexpr int MOST_TILE = 12 * 4 * L;  // floats of the largest tile's results


// Rows of a tile of NV vectors: rows * NV accumulators, NV vectors of the right side and a broadcast are in registers.
template <int NV> constexpr int most_rows() {
#if defined(__AVX512VL__)
  return NV <= 2 ? 12 : NV == 3 ? 8 : 6;
#elif defined(__AVX2__)
  return NV == 1 ? 8 : NV == 2 ? 6 : NV == 3 ? 4 : 3;
#else
  return NV <= 2 ? 8 : NV == 3 ? 6 : 4;
#endif
}

// The left and right side of a product over K: rows of `panels` panels, the last one with `tail` columns, and K rows of
// NV vectors each, one after the other.
struct Sides {
  const float *left;  // the tile's first row in the first panel
  size_t panel;       // floats from one panel to the next
  int panels, tail;
  const float *right;
};

// acc[s][i][v] += sum over k of left[i, k] * right[k, v]. With few accumulators, `S` sets of them take turns: an addition
// takes several cycles until the next to the same one can begin.
template <int N, int MR, int NV, int S>
INLINE void accumulate(Floats<N> (&acc)[S][MR][NV], const float *left, const float *right, int K) {
  constexpr int UNROLL = S > 1 ? S : 4;
  int k = 0;
  auto one = [&](int s, int k) __attribute__((always_inline)) {
    Floats<N> v[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) v[j] = load<N>(right + k * NV * L + j * L);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      float a = left[i * L + k];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) acc[s][i][j] += v[j] * a;
    }
  };
  for (; k + UNROLL <= K; k += UNROLL) {
#pragma GCC unroll 4
    for (int u = 0; u < UNROLL; u++) one(S > 1 ? u : 0, k + u);
  }
  for (; k < K; k++) one(0, k);
}

// out[i][v] = begin[i * begin_row + v * begin_vector ..] + the products of all `sides`, MR rows of NV vectors (of N of L lanes).
// With SPLIT the last vector's sum over the first of the sides goes to out[i][NV] instead, and its sum over the others
// begins with begin[.. NV * begin_vector]: a candidate's part from the inputs and its part from the state.
template <int N, int MR, int NV, bool SPLIT>
__attribute__((noinline)) void product_tile(const Sides *sides, int count, const float *begin, size_t begin_row,
                                            size_t begin_vector, float *out) {
  constexpr int S = MR * NV >= 6 ? 1 : MR * NV >= 3 ? 2 : 4;
  constexpr int OUT = (NV + SPLIT) * L;
  Floats<N> acc[S][MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) {
      acc[0][i][j] = load<N>(begin + i * begin_row + j * begin_vector);
#pragma GCC unroll 4
      for (int s = 1; s < S; s++) acc[s][i][j] = Floats<N>{};
    }
  auto total = [&](int i, int j) __attribute__((always_inline)) {
    Floats<N> sum = acc[0][i][j];
#pragma GCC unroll 4
    for (int s = 1; s < S; s++) sum += acc[s][i][j];
    return sum;
  };
  for (int c = 0; c < count; c++) {
    const float *left = sides[c].left, *right = sides[c].right;
    for (int q = 0; q < sides[c].panels - 1; q++, left += sides[c].panel, right += L * NV * L)
      accumulate<N, MR, NV, S>(acc, left, right, L);
    accumulate<N, MR, NV, S>(acc, left, right, sides[c].tail);
    if constexpr (SPLIT)
      if (c == 0) {
#pragma GCC unroll 16
        for (int i = 0; i < MR; i++) {
          store<N>(out + i * OUT + NV * L, total(i, NV - 1));
          acc[0][i][NV - 1] = load<N>(begin + i * begin_row + NV * begin_vector);
#pragma GCC unroll 4
          for (int s = 1; s < S; s++) acc[s][i][NV - 1] = Floats<N>{};
        }
      }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) store<N>(out + i * OUT + j * L, total(i, j));
}

typedef void (*ProductTile)(const Sides *, int, const float *, size_t, size_t, float *);
template <int N, int NV, bool SPLIT, int MR> constexpr ProductTile tile_or_none() {
  if constexpr (MR <= most_rows<NV>()) return product_tile<N, MR, NV, SPLIT>;
  else return nullptr;
}
// The tile of `rows` rows, from 1 to most_rows<NV>().
template <int N, int NV, bool SPLIT = false> ProductTile product_of(int rows) {
  static const ProductTile tiles[] = {
      nullptr, tile_or_none<N, NV, SPLIT, 1>(), tile_or_none<N, NV, SPLIT, 2>(), tile_or_none<N, NV, SPLIT, 3>(),
      tile_or_none<N, NV, SPLIT, 4>(), tile_or_none<N, NV, SPLIT, 5>(), tile_or_none<N, NV, SPLIT, 6>(),
      tile_or_none<N, NV, SPLIT, 7>(), tile_or_none<N, NV, SPLIT, 8>(), tile_or_none<N, NV, SPLIT, 9>(),
      tile_or_none<N, NV, SPLIT, 10>(), tile_or_none<N, NV, SPLIT, 11>(), tile_or_none<N, NV, SPLIT, 12>()};
  return tiles[rows];
}

// Calls tile(first row, rows) for all of `rows` rows in blocks of at most `most`, as equal as possible.
template <class Tile> INLINE void in_blocks(int rows, int most, Tile tile) {
  int blocks = divide_up(rows, most);
  for (int k = 0; k < blocks; k++) {
    int first = (int)((long)rows * k / blocks);
    tile(first, (int)((long)rows * (k + 1) / blocks) - first);
  }
}

// Units of a tile of the product over rows. A panel has a whole number of such tiles.
template <int NV> constexpr int units_of() {
  constexpr int units = NV == 1 ? 16 : NV <= 3 ? 8 : 4;
  return units < L ? units : L;
}
// out[u][v] += sum over rows k of left[k, u] * right[v][k]: what a batch sends to a kernel. `left` begins at one of a
// panel's columns, `right` are NV planes, `plane` apart.
template <int N, int NV, int MU>
__attribute__((noinline)) void outer_tile(const float *left, const float *right, size_t plane, size_t K, float *out) {
  Floats<N> acc[MU][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MU; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) acc[i][j] = load<N>(out + (i * NV + j) * L);
#pragma GCC unroll 2
  for (size_t k = 0; k < K; k++) {
    Floats<N> v[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) v[j] = load<N>(right + j * plane + k * L);
#pragma GCC unroll 16
    for (int i = 0; i < MU; i++) {
      float a = left[k * L + i];
#pragma GCC unroll 4
      for (int j = 0; j < NV; j++) acc[i][j] += v[j] * a;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < MU; i++)
#pragma GCC unroll 4
    for (int j = 0; j < NV; j++) store<N>(out + (i * NV + j) * L, acc[i][j]);
}

// out[panel of units][unit][v][L] += the product of `left` (panel form, `units` columns, panels `panel` floats apart)
// with one panel of NV planes. All units of a tile are computed; those behind the last are never read. One or two input
// features are common, and have a tile of their own.
template <int NV>
INLINE void outer(const float *left, size_t panel, int units, const float *right, size_t plane, int lanes, size_t K,
                  float *out) {
  constexpr int MU = units_of<NV>(), FEW = 2;
  bool half = lanes <= HALF;
  if (units <= FEW) return (half ? outer_tile<HALF, NV, FEW> : outer_tile<L, NV, FEW>)(left, right, plane, K, out);
  for (int u = 0; u < units; u += MU) {
    const float *from = left + u / L * panel + u % L;
    (half ? outer_tile<HALF, NV, MU> : outer_tile<L, NV, MU>)(from, right, plane, K, out + (size_t)u * NV * L);
  }
}

}  // namespace NAME

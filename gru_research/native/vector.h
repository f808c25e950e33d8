// Vectors of floats in the compilers' vector extensions, and the functions of gates.
//
// A vector has N lanes; L is the number of the instruction set's own. What is compiled for one instruction set lives in
// a namespace of its own, since the linker would otherwise keep one copy of an inline function for all of them.
#pragma once
#include <cstddef>
#include <cstring>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))

namespace NAME {

#if defined(__AVX512VL__)
constexpr int L = 16;
#elif defined(__AVX2__)
constexpr int L = 8;
#else
constexpr int L = 4;
#endif
// A last panel of units that fits half a vector is computed in half vectors.
constexpr int HALF = L > 4 ? L / 2 : L;

template <int N> struct Types {
  typedef float f __attribute__((vector_size(N * 4), aligned(4), may_alias));
  typedef int i __attribute__((vector_size(N * 4), aligned(4), may_alias));
};
template <int N> using Floats = typename Types<N>::f;
template <int N> using Ints = typename Types<N>::i;

template <int N> INLINE Floats<N> load(const float *p) { return *(const Floats<N> *)p; }
template <int N> INLINE void store(float *p, Floats<N> v) { *(Floats<N> *)p = v; }
template <int N> INLINE Floats<N> all(float a) { return Floats<N>{} + a; }

// The first n <= N lanes from memory, 0 in the others. Memory behind them is not touched.
template <int N> INLINE Floats<N> load(const float *p, int n) {
  if (n == N) return load<N>(p);
#if defined(__AVX512VL__)
  if constexpr (N == 16) return (Floats<N>)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
  if constexpr (N == 8) return (Floats<N>)_mm256_maskz_loadu_ps((__mmask8)((1u << n) - 1), p);
#elif defined(__AVX2__)
  if constexpr (N == 8)
    return (Floats<N>)_mm256_maskload_ps(
        p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
#endif
  float a[N] __attribute__((aligned(64))) = {};
  for (int i = 0; i < n; i++) a[i] = p[i];
  return load<N>(a);
}

// The first n <= N lanes to memory.
template <int N> INLINE void store(float *p, Floats<N> v, int n) {
  if (n == N) return store<N>(p, v);
#if defined(__AVX512VL__)
  if constexpr (N == 16) return _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
  if constexpr (N == 8) return _mm256_mask_storeu_ps(p, (__mmask8)((1u << n) - 1), (__m256)v);
#elif defined(__AVX2__)
  if constexpr (N == 8)
    return _mm256_maskstore_ps(
        p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)), (__m256)v);
#endif
  float a[N] __attribute__((aligned(64)));
  store<N>(a, v);
  for (int i = 0; i < n; i++) p[i] = a[i];
}

// NaN stays NaN: each comparison with it is false.
template <int N> INLINE Floats<N> clamp(Floats<N> x, float least, float most) {
  x = x < all<N>(least) ? all<N>(least) : x;
  return x > all<N>(most) ? all<N>(most) : x;
}

// x = n ln 2 + f with |f| <= ln 2 / 2. Returns e^f - 1 with a small relative error (a polynomial of degree 7 as in
// Cephes' expf), and n.
template <int N> INLINE Floats<N> expm1_reduced(Floats<N> x, Ints<N> &n) {
  const float magic = 12582912.f;  // 1.5 * 2^23: adding it rounds to a whole number, in the low bits
  Floats<N> k = x * 1.44269504088896341f + magic;
  n = (Ints<N>)k - (Ints<N>)all<N>(magic);
  k = k - magic;
  Floats<N> f = x - k * 0.693359375f;  // ln 2 in two parts, the first exact in few bits
  f = f - k * -2.12194440e-4f;
  Floats<N> p = f * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  return p * (f * f) + f;
}
template <int N> INLINE Floats<N> power_of_2(Ints<N> n) { return (Floats<N>)((n + 127) << 23); }

// 1 / (1 + e^-x), with half of e^-x on the way: 2^128 would be infinite, and a smaller power made of it NaN. What is
// beyond the floats becomes infinite at the end, and the quotient 0.
template <int N> INLINE Floats<N> sigmoid(Floats<N> x) {
  Ints<N> n;
  Floats<N> e = expm1_reduced<N>(clamp<N>(-x, -87.f, 89.f), n), s = power_of_2<N>(n - 1);
  return 1.f / ((e * s + s) * 2.f + 1.f);
}
// (e^2x - 1) / (e^2x + 1); beyond 9.1 it rounds to 1.
template <int N> INLINE Floats<N> tanh(Floats<N> x) {
  Ints<N> n;
  x = clamp<N>(x, -9.1f, 9.1f);
  Floats<N> e = expm1_reduced<N>(x + x, n), s = power_of_2<N>(n);
  Floats<N> t = e * s + (s - 1.f);
  return t / (t + 2.f);
}
// max(x, 0), NaN for NaN, as XLA has it.
template <int N> INLINE Floats<N> relu(Floats<N> x) { return x < all<N>(0.f) ? all<N>(0.f) : x; }

INLINE int divide_up(int a, int b) { return (a + b - 1) / b; }

}  // namespace NAME

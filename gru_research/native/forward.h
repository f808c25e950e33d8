// Forward: for each step and block of units, the products with the kernels in registers, then the gates.
#pragma once
#include <utility>
#include "few_rows.h"
#include "pack.h"
#include "product.h"

namespace NAME {

// One product of a step, with the kernels of G gates. Gates of one panel side by side give G vectors; where that is a
// single one, two panels make a block.
template <int G, bool SPLIT> struct Stage {
  static constexpr int WIDE = G == 1 ? 2 : 1, VECTORS = G + SPLIT;
  float *W, *U, *bias;  // packed; bias [panel][VECTORS][L], with SPLIT the hidden bias last

  Stage() = default;
  Stage(Scratch &s, const Layer &l, const Panels &in)
      : W(s.take(packed_floats(G, l.D, l.H))), U(s.take(packed_floats(G, l.H, l.H))),
        bias(s.take((size_t)in.units * VECTORS * L)) {}

  void prepare(const Layer &l, const Panels &in, int first_gate) const {
    pack(l.W + first_gate, G, l.D, l.H, WIDE, W);
    pack(l.U + first_gate, G, l.H, l.H, WIDE, U);
    for (int p = 0; p < in.units; p++)
      for (int g = 0; g < VECTORS; g++)
        copy_padded(bias + ((size_t)p * VECTORS + g) * L, (g < G ? l.b[first_gate + g] : l.hidden_bias) + p * L, in.lanes(p));
  }
  // Calls block(lanes of a vector, panels of the block, first panel) for the panels from `from` (a multiple of WIDE) to
  // `to`; the first two are constants. Every other step takes them in reverse: its first kernels are still in the cache.
  template <class Block> static INLINE void blocks(const Panels &in, int from, int to, bool backwards, Block block) {
    int count = divide_up(to - from, WIDE);
    for (int o = 0; o < count; o++) {
      int p = from + (backwards ? count - 1 - o : o) * WIDE;
      if constexpr (WIDE == 2)
        if (p + 1 < to) {
          block(Constant<L>(), Constant<2>(), p);
          continue;
        }
      if (in.lanes(p) <= HALF) block(Constant<HALF>(), Constant<1>(), p);
      else block(Constant<L>(), Constant<1>(), p);
    }
  }
  // x W + b of `rows` rows in panel form, to `out`, which has places for `places` rows: [panel][row][VECTORS][L], or
  // blocks of two panels [row][panel][L].
  void project(const Layer &l, const Panels &in, int from, int to, const float *x, size_t panel, int rows, int places,
               float *out) const {
    blocks(in, from, to, false, [&](auto n, auto wide, int p) {
      constexpr int N = n, NV = wide * G, VS = NV + SPLIT;
      in_blocks(rows, most_rows<NV>(), [&](int a, int mr) {
        float tile[MOST_TILE] __attribute__((aligned(64)));
        Sides side{x + a * L, panel, in.inputs, in.input_tail, W + (size_t)p * l.D * G * L};
        product_of<N, NV>(mr)(&side, 1, bias + (size_t)p * VECTORS * L, 0, L, tile);
        for (int i = 0; i < mr; i++) {
          float *to = out + ((size_t)p * places + (size_t)(a + i) * wide) * VECTORS * L;
          for (int v = 0; v < NV; v++) store<N>(to + v * L, load<N>(tile + (i * NV + v) * L));
          if constexpr (SPLIT) {  // of a split product: the hidden bias takes the place of the candidate, which is last
            store<N>(to + G * L, load<N>(to + (G - 1) * L));
            store<N>(to + (G - 1) * L, load<N>(bias + ((size_t)p * VS + G) * L));
          }
        }
      });
    });
  }
};

// Where a step finds its inputs: in panel form, or projected by `Stage::project` with `rows` places, from `row` on.
struct Inputs {
  const float *x = nullptr;
  size_t panel = 0;
  const float *projected = nullptr;
  int rows = 0, row = 0;
};

// The products of one step for R rows and some panels, and gates(lanes, panel, row, sums, candidate's part from x).
template <int G, bool SPLIT, class Gates>
INLINE void step_products(const Stage<G, SPLIT> &s, const Layer &l, const Panels &in, const Inputs &from, const float *h,
                          size_t panel, int R, int first, int last, bool backwards, Gates gates) {
  s.blocks(in, first, last, backwards, [&](auto n, auto wide, int p) {
    constexpr int N = n, NV = wide * G;
    in_blocks(R, most_rows<NV>(), [&](int a, int mr) {
      // By way of memory, so that the gates' code exists once and not once for every height of a tile.
      float tile[MOST_TILE] __attribute__((aligned(64)));
      Sides sides[2] = {{from.x + a * L, from.panel, in.inputs, in.input_tail, s.W + (size_t)p * l.D * G * L},
                        {h + a * L, panel, in.units, in.unit_tail, s.U + (size_t)p * l.H * G * L}};
      constexpr size_t V = Stage<G, SPLIT>::VECTORS * L;
      const float *candidate;
      size_t stride, candidates;
      if (from.projected) {
        const float *begin = from.projected + ((size_t)p * from.rows + (size_t)(from.row + a) * wide) * V;
        product_of<N, NV>(mr)(sides + 1, 1, begin, wide * V, L, tile);
        candidate = begin + G * L, candidates = wide * V, stride = NV * L;
      } else {
        product_of<N, NV, SPLIT>(mr)(sides, 2, s.bias + p * V, 0, L, tile);
        candidate = tile + G * L, candidates = stride = (NV + SPLIT) * L;
      }
#pragma GCC unroll 2
      for (int i = 0; i < mr; i++)
        for (int w = 0; w < wide; w++) gates(n, p + w, a + i, tile + i * stride + w * G * L, candidate + i * candidates);
    });
  });
}

// Buffers of R rows in panel form, panels `panel` floats apart.
struct Carried {
  float *h, *next, *c, *gated, *z;  // h before and after a step; c (LSTM); r * h and z (GRU, reset="before")
  size_t panel;
};

template <Kind K> struct Forward {
  static constexpr bool BEFORE = K == GRU_BEFORE, STATE = K == LSTM || K == LSTM_PEEPHOLES;
  static constexpr int G = BEFORE ? 2 : K == GRU_AFTER ? 3 : K == GRU_NONE ? 2 : STATE ? 4 : 1;
  static constexpr int KEPT = BEFORE ? 3 : K == GRU_AFTER ? 4 : K == GRU_NONE ? 2 : STATE ? 5 : 0;
  static constexpr int STAGES = BEFORE ? 2 : 1, CHUNK = 32;  // steps whose inputs a layer of few rows projects together
  const Layer &l;
  Panels in;
  Stage<G, K == GRU_AFTER> gates;
  Stage<1, false> candidate;  // reset="before": needs r * h of all units
  Scratch scratch;
  size_t shared = 0;

  explicit Forward(const Layer &l) : l(l), in(l), scratch(l.scratch) {
    gates = {scratch, l, in};
    if (BEFORE) candidate = {scratch, l, in};
    shared = scratch.used;
  }
  void prepare() const {
    gates.prepare(l, in, 0);
    if (BEFORE) candidate.prepare(l, in, 2);
  }
  Carried carried(Scratch &s, int R) const {
    size_t floats = (size_t)in.units * R * L;
    Carried b{s.take(floats), s.take(floats), nullptr, nullptr, nullptr, (size_t)R * L};
    if (STATE) b.c = s.take(floats);
    if (BEFORE) b.gated = s.take(floats), b.z = s.take(floats);
    return b;
  }
  // Step number -> step in time, and the number of steps: they are processed from the last with `reverse`.
  int time(int step) const { return l.reverse ? l.T - 1 - step : step; }
  bool real(int t, int row) const { return !l.real || l.real[(size_t)t * l.B + row]; }
  bool reset_before(int step, int row) const { return l.resets && step < l.T && l.resets[(size_t)time(step) * l.B + row]; }

  void begin(const Carried &b, int r0, int R) const {
    put_carry(l, in, l.h0, r0, R, b.h, b.panel);
    if (STATE) put_carry(l, in, l.c0, r0, R, b.c, b.panel);
    for (int i = 0; i < R; i++)
      if (reset_before(0, r0 + i)) {
        put_carry(l, in, l.reset_h, r0 + i, 1, b.h + i * L, b.panel);
        if (STATE) put_carry(l, in, l.reset_c, r0 + i, 1, b.c + i * L, b.panel);
      }
  }
  void end(const Carried &b, int r0, int R) const {
    take_carry(l, in, b.h, b.panel, r0, R, l.final_h);
    if (STATE) take_carry(l, in, b.c, b.panel, r0, R, l.final_c);
  }

  // A step (or, with reset="before", one of its two stages) for R rows and the panels from `first` to `last`.
  INLINE void step(const Carried &b, int number, int stage, const Inputs &from, const Inputs &from_candidate, int r0, int R,
                   int first, int last) const {
    int t = time(number);
    bool backwards = number & 1;
    if (BEFORE && stage == 1) {
      step_products(candidate, l, in, from_candidate, b.gated, b.panel, R, first, last, backwards,
                    [&](auto n, int p, int i, const float *sums, const float *) __attribute__((always_inline)) {
                      constexpr int N = n;
                      size_t at = p * b.panel + i * L;
                      Floats<N> h = load<N>(b.h + at), new_h = tanh<N>(load<N>(sums)), z = load<N>(b.z + at);
                      finish<N>(b, number, t, r0 + i, p, at, new_h + z * (h - new_h), Floats<N>{}, 2, new_h);
                    });
      return;
    }
    step_products(gates, l, in, from, b.h, b.panel, R, first, last, backwards,
                  [&](auto n, int p, int i, const float *a, const float *x) __attribute__((always_inline)) {
                    this->template evaluate<n>(b, number, t, r0 + i, p, p * b.panel + i * L, a, x);
                  });
  }

  // Computes the gates and the new state of panel p of a row from its sums; `at` is the panel's place in the buffers.
  template <int N>
  INLINE void evaluate(const Carried &b, int number, int t, int row, int p, size_t at, const float *sums,
                       const float *candidate) const {
    Floats<N> h = load<N>(b.h + at), a0 = load<N>(sums);
    if constexpr (K == RNN_TANH) finish<N>(b, number, t, row, p, at, tanh<N>(a0), Floats<N>{}, 0);
    else if constexpr (K == RNN_RELU) finish<N>(b, number, t, row, p, at, relu<N>(a0), Floats<N>{}, 0);
    else if constexpr (K == GRU_AFTER) {
      Floats<N> m = load<N>(sums + 2 * L);
      Floats<N> r = sigmoid<N>(a0), z = sigmoid<N>(load<N>(sums + L)), n = tanh<N>(load<N>(candidate) + r * m);
      finish<N>(b, number, t, row, p, at, n + z * (h - n), Floats<N>{}, 0, r, z, n, m);
    } else if constexpr (K == GRU_NONE) {
      Floats<N> z = sigmoid<N>(a0), n = tanh<N>(load<N>(sums + L));
      finish<N>(b, number, t, row, p, at, n + z * (h - n), Floats<N>{}, 0, z, n);
    } else if constexpr (BEFORE) {
      Floats<N> r = sigmoid<N>(a0), z = sigmoid<N>(load<N>(sums + L));
      store<N>(b.gated + at, r * h);
      store<N>(b.z + at, z);
      keep<N>(t, row, p, 0, r, z);
    } else {
      Floats<N> c = load<N>(b.c + at), a1 = load<N>(sums + L), a3 = load<N>(sums + 3 * L);
      if constexpr (K == LSTM_PEEPHOLES) {
        a0 += load<N>(l.peephole[0] + p * L, in.lanes(p)) * c;
        a1 += load<N>(l.peephole[1] + p * L, in.lanes(p)) * c;
      }
      Floats<N> i = sigmoid<N>(a0), f = sigmoid<N>(a1), g = tanh<N>(load<N>(sums + 2 * L)), new_c = f * c + i * g;
      if constexpr (K == LSTM_PEEPHOLES) a3 += load<N>(l.peephole[2] + p * L, in.lanes(p)) * new_c;
      Floats<N> o = sigmoid<N>(a3);
      finish<N>(b, number, t, row, p, at, o * tanh<N>(new_c), new_c, 0, i, f, g, o, c);
    }
  }
  // Writes the new state for the next step, for the caller and for the gradient.
  template <int N, class... Kept>
  INLINE void finish(const Carried &b, int number, int t, int row, int p, size_t at, Floats<N> h, Floats<N> c, int slot,
                     Kept... kept) const {
    int lanes = in.lanes(p);
    bool taken = real(t, row);
    if (l.ys) store<N>(l.ys.at(t, row) + p * L, taken ? h : Floats<N>{}, lanes);
    keep<N>(t, row, p, slot, (taken ? kept : Floats<N>{})...);
    if (!taken) {
      h = load<N>(b.h + at);
      if (STATE) c = load<N>(b.c + at);
    }
    if (reset_before(number + 1, row)) {
      h = load<N>(l.reset_h + (size_t)row * l.H + p * L, lanes);
      if (STATE) c = load<N>(l.reset_c + (size_t)row * l.H + p * L, lanes);
    }
    store<N>(b.next + at, h);
    if (STATE) store<N>(b.c + at, c);
  }
  template <int N, class... Kept> INLINE void keep(int t, int row, int p, int slot, Kept... kept) const {
    if (!KEPT || !l.record) return;
    int lanes = in.lanes(p);
    float *to = record_at(l, l.record, KEPT, t, p, row, lanes) + slot * lanes;
    ((store<N>(to, kept, lanes), to += lanes), ...);
  }

  // All steps for one part of the rows.
  void part(int k) const {
    int r0 = first_row(l, k), R = first_row(l, k + 1) - r0;
    if (!R) return;
    Scratch s = of_part(k);
    Carried b = carried(s, R);
    float *x = s.take((size_t)in.inputs * R * L);
    begin(b, r0, R);
    for (int number = 0; number < l.T; number++) {
      put_inputs(l, in, time(number), r0, R, x, b.panel);
      Inputs from{x, b.panel};
      for (int stage = 0; stage < STAGES; stage++) step(b, number, stage, from, from, r0, R, 0, in.units);
      std::swap(b.h, b.next);
    }
    end(b, r0, R);
  }
  size_t part_floats() const {
    Scratch s(nullptr);
    carried(s, most_rows_of_part(l));
    s.take((size_t)in.inputs * most_rows_of_part(l) * L);
    return s.used;
  }
  Scratch of_part(int k) const {
    Scratch s(l.scratch);
    s.used = shared + k * part_floats();
    return s;
  }

  // Few rows: see few_rows.h. The inputs of a chunk of steps are projected together: one step's would read all kernels
  // for a few multiplications.
  void few(Halves &halves, bool caller) const {
    if (!caller)
      for (int spins = 0; !halves.ready.value.load(std::memory_order_acquire); spins++) wait_a_moment(spins);
    Scratch s = of_part(0);
    int chunk = std::min(l.T, CHUNK), rows = chunk * l.B, me = caller ? 0 : 1;
    Carried b = carried(s, l.B);
    float *x = s.take((size_t)in.inputs * rows * L);
    if (!caller) x = s.take((size_t)in.inputs * rows * L);
    else s.take((size_t)in.inputs * rows * L);
    float *projected = s.take((size_t)in.units * rows * gates.VECTORS * L);
    float *projected_candidate = BEFORE ? s.take((size_t)in.units * rows * L) : nullptr;
    if (caller) {
      begin(b, 0, l.B);
      halves.ready.value.store(1, std::memory_order_release);
    }
    if (!chunk) return caller ? end(b, 0, l.B) : void();
    int each = chunk * STAGES + 1, chunks = divide_up(l.T, chunk), items = l.T * STAGES + chunks;
    in_halves(halves, items, me, [&](int item, int k) {
      int begin_step = item / each * chunk, place = item % each;
      int middle = BEFORE || G == 1 ? divide_up(in.units, 4) * 2 : divide_up(in.units, 2);  // even for blocks of two
      middle = std::min(middle, in.units);
      int first = k ? middle : 0, last = k ? in.units : middle;
      if (!place) {
        int n = std::min(chunk, l.T - begin_step);
        for (int i = 0; i < n; i++)
          put_inputs(l, in, time(begin_step + i), 0, l.B, x + (size_t)i * l.B * L, (size_t)rows * L);
        gates.project(l, in, first, last, x, (size_t)rows * L, n * l.B, rows, projected);
        if (BEFORE) candidate.project(l, in, first, last, x, (size_t)rows * L, n * l.B, rows, projected_candidate);
        return;
      }
      int i = (place - 1) / STAGES, number = begin_step + i;
      Carried now = b;
      if (number & 1) std::swap(now.h, now.next);
      step(now, number, (place - 1) % STAGES, {nullptr, 0, projected, rows, i * l.B},
           {nullptr, 0, projected_candidate, rows, i * l.B}, 0, l.B, first, last);
    });
    if (!caller) return;
    if (l.T & 1) std::swap(b.h, b.next);
    end(b, 0, l.B);
  }
  size_t few_floats() const {
    Scratch s(nullptr);
    int rows = std::min(l.T, CHUNK) * l.B;
    carried(s, l.B);
    for (int thread = 0; thread < 2; thread++) s.take((size_t)in.inputs * rows * L);
    s.take((size_t)in.units * rows * gates.VECTORS * L);
    if (BEFORE) s.take((size_t)in.units * rows * L);
    return s.used;
  }
  size_t floats() const { return shared + (l.few ? few_floats() : part_floats() * l.parts); }
};

}  // namespace NAME

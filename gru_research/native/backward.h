// Backward: from the last step to the first, the cotangents of the gates' arguments, and from them all others.
//
// A step's loop is fused: a tile of the product of the gates' cotangents with the transposed U gives the cotangent of h
// before the step. While the tile is in the first-level cache, the step before it is differentiated. So the cotangents of h
// are never written as an array. The cotangents of the gates' arguments stay in the cache for a chunk of steps, until the
// products over its rows are added to the gradients of the weights.
#pragma once
#include <utility>
#include "few_rows.h"
#include "pack.h"
#include "product.h"

namespace NAME {

template <int N> INLINE float sum(Floats<N> v) {
  float a[N] __attribute__((aligned(64)));
  store<N>(a, v);
  for (int n = N / 2; n; n /= 2)
    for (int i = 0; i < n; i++) a[i] += a[i + n];
  return a[0];
}

// Where a step's values are within a chunk: the first row of
struct Place {
  float *d;      // the cotangents of the gates' arguments, [plane][panel][row of the chunk][L]
  float *h;      // h before the step
  float *gated;  // r * h (GRU, reset="before")
};

template <Kind K> struct Backward {
  static constexpr bool AFTER = K == GRU_AFTER, BEFORE = K == GRU_BEFORE, PEEPHOLES = K == LSTM_PEEPHOLES;
  static constexpr bool STATE = K == LSTM || PEEPHOLES, GRU = AFTER || BEFORE || K == GRU_NONE;
  // Planes of cotangents: n, r, z and, with reset="after", that of h U_n + c_n; z, n; i, f, g, o; h. W's gradient is made
  // of the first G of them, U's of `UG` from `U_PLANE` on, and with reset="before" U_n's of plane 0.
  static constexpr int G = AFTER || BEFORE ? 3 : K == GRU_NONE ? 2 : STATE ? 4 : 1, PLANES = G + AFTER;
  static constexpr int UG = BEFORE ? 2 : G, U_PLANE = AFTER || BEFORE ? 1 : 0;
  static constexpr int KEPT = BEFORE ? 3 : AFTER ? 4 : K == GRU_NONE ? 2 : STATE ? 5 : 0;
  static constexpr int STAGES = BEFORE ? 2 : 1, FEW_INPUTS = 8, FEW_CHUNK = 64;
  static constexpr size_t CHUNK_FLOATS = 100 * 1024;  // what stays in a second-level cache beside the kernels
  // The gate of W's plane, and of U's.
  static constexpr int w_gate(int plane) { return AFTER || BEFORE ? (plane + 2) % 3 : plane; }
  static constexpr int u_gate(int v) { return v; }

  const Layer &l;
  Panels in;
  int R, C, slots;  // rows of a part, steps of a chunk, places for steps in its buffers
  bool few_inputs, passes;  // whether d_x is made by dot products; whether h passes a step by other ways than kernels
  float *U, *U_n, *W;       // transposed
  int *before;              // with masks: the step [T, B] whose output is h before each; -1: h0, -2: reset_h
  size_t shared = 0;

  explicit Backward(const Layer &l)
      : l(l), in(l), R(most_rows_of_part(l)), few_inputs(l.D < FEW_INPUTS), passes(GRU || l.real) {
    size_t step = ((size_t)(PLANES + 1 + BEFORE) * in.units + in.inputs) * R * L;
    C = (int)std::max<size_t>(1, std::min<size_t>((size_t)l.T, CHUNK_FLOATS / step));
    if ((size_t)C * R < 64) C = std::min(l.T, divide_up(64, R));  // the weights' sums are read and written once a chunk
    if (l.few) C = std::max(1, std::min(l.T, FEW_CHUNK));
    slots = l.few ? C : C + 1;
    Scratch s(l.scratch);
    U = s.take(packed_floats(UG, in.units * L, l.H));
    U_n = BEFORE ? s.take(packed_floats(1, in.units * L, l.H)) : nullptr;
    W = l.d_x ? s.take(packed_floats(G, std::max(l.D, L) + L, l.H)) : nullptr;
    before = (int *)(l.real || l.resets ? s.take((size_t)l.T * l.B) : nullptr);
    shared = s.used;
  }
  int time(int step) const { return l.reverse ? l.T - 1 - step : step; }
  size_t panel() const { return (size_t)slots * R * L; }
  size_t plane() const { return in.units * panel(); }

  void prepare() const {
    const float *by_plane[MOST_GATES];
    for (int g = 0; g < G; g++) by_plane[g] = l.W[w_gate(g)];
    pack_transposed(l.U, UG, l.H, l.H, U);
    if (BEFORE) pack_transposed(l.U + 2, 1, l.H, l.H, U_n);
    if (l.d_x && few_inputs) {  // [input][panel][gate][L]
      float *to = W;
      for (int i = 0; i < l.D; i++)
        for (int p = 0; p < in.units; p++)
          for (int g = 0; g < G; g++, to += L) copy_padded(to, by_plane[g] + (size_t)i * l.H + p * L, in.lanes(p));
    } else if (l.d_x) pack_transposed(by_plane, G, l.D, l.H, W);
    if (before)
      for (int row = 0; row < l.B; row++)
        for (int step = 0, from = -1; step < l.T; step++) {
          size_t at = (size_t)time(step) * l.B + row;
          if (l.resets && l.resets[at]) from = -2;
          before[at] = from;
          if (!l.real || l.real[at]) from = time(step);
        }
    if (l.resets) {
      std::memset(l.d_reset_h, 0, (size_t)l.B * l.H * sizeof(float));
      if (STATE) std::memset(l.d_reset_c, 0, (size_t)l.B * l.H * sizeof(float));
    }
  }

  // The buffers and sums of a part, or of a layer of few rows.
  struct Own {
    Place chunk[2];
    float *x[2];      // of a chunk, in panel form; one for each thread
    float *pass, *c;  // [panel][row][L]: what reaches h before a step beside the products; the cotangent of c
    float *d_W, *d_U, *d_U_n, *d_b, *d_peephole;  // sums: [panel][input or unit][gate][L], [plane][panel][L]
    size_t used;
  };
  Own own(int part) const {
    Scratch s(l.scratch);
    s.used = shared;
    Own o{};
    for (int k = 0; k <= part; k++) {
      for (int set = 0; set < (l.few ? 2 : 1); set++) {
        o.chunk[set] = {s.take(PLANES * plane()), s.take(plane()), BEFORE ? s.take(plane()) : nullptr};
        o.x[set] = s.take((size_t)in.inputs * C * R * L);
      }
      size_t row = (size_t)in.units * R * L, units = (size_t)in.units * L;
      o.pass = passes ? s.take(row) : nullptr;
      o.c = STATE ? s.take(row) : nullptr;
      o.d_W = s.take(sums());
      o.d_U = o.d_W + (size_t)in.units * padded(l.D) * G * L;
      o.d_U_n = o.d_U + (size_t)in.units * units * UG * L;
      o.d_b = o.d_U_n + (BEFORE ? (size_t)in.units * units * L : 0);
      o.d_peephole = o.d_b + PLANES * units;
    }
    o.used = s.used;
    return o;
  }
  size_t sums() const {
    size_t units = (size_t)in.units * L;
    return in.units * (padded(l.D) * G + units * UG + (BEFORE ? units : 0)) * L + (PLANES + (PEEPHOLES ? 3 : 0)) * units;
  }
  static size_t padded(int n) { return (size_t)divide_up(n, L) * L; }
  size_t floats() const { return own(l.parts - 1).used; }

  // h before a step.
  INLINE const float *h_before(int step, int t, int row) const {
    int from = before ? before[(size_t)t * l.B + row] : step ? time(step - 1) : -1;
    return from >= 0 ? l.ys_given.at(from, row) : (from == -1 ? l.h0 : l.reset_h) + (size_t)row * l.H;
  }

  // Differentiates a step at panel p of a row. `d` is the cotangent of h after it, without the part from its output. `i` is
  // the row within the part.
  template <int N> INLINE void differentiate(const Own &o, const Place &to, int step, int p, int i, int row, Floats<N> d) const {
    int t = time(step), lanes = in.lanes(p);
    size_t at = p * panel() + i * L, own_at = ((size_t)p * R + i) * L;
    auto put = [&](int plane_number, Floats<N> v) __attribute__((always_inline)) { store<N>(to.d + plane_number * plane() + at, v); };
    if (l.real && !l.real[(size_t)t * l.B + row]) {
      for (int k = 0; k < PLANES; k++) put(k, Floats<N>{});
      store<L>(to.h + at, Floats<L>{});
      if (BEFORE) store<L>(to.gated + at, Floats<L>{});
      store<N>(o.pass + own_at, d);
      return;
    }
    if (l.d_ys) d += load<N>(l.d_ys.at(t, row) + p * L, lanes);
    const float *from = h_before(step, t, row) + p * L;
    copy_padded(to.h + at, from, lanes);
    Floats<N> h = load<N>(from, lanes);
    const float *s = KEPT ? record_at(l, l.record_given, KEPT, t, p, row, lanes) : nullptr;
    auto kept = [&](int k) __attribute__((always_inline)) { return load<N>(s + k * lanes, lanes); };
    if constexpr (K == RNN_TANH || K == RNN_RELU) {
      Floats<N> y = load<N>(l.ys_given.at(t, row) + p * L, lanes);
      put(0, K == RNN_TANH ? d - d * (y * y) : y > all<N>(0.f) ? d : Floats<N>{});
      if (passes) store<N>(o.pass + own_at, Floats<N>{});
    } else if constexpr (STATE) {
      Floats<N> gi = kept(0), f = kept(1), g = kept(2), go = kept(3), c = kept(4), shown = tanh<N>(f * c + gi * g);
      Floats<N> d_o = d * shown * go * (1.f - go);
      Floats<N> d_c = load<N>(o.c + own_at) + d * go * (1.f - shown * shown);
      auto peephole = [&](int k) { return load<N>(l.peephole[k] + p * L, lanes); };
      auto add = [&](int k, Floats<N> v) {
        float *total = o.d_peephole + ((size_t)k * in.units + p) * L;
        store<N>(total, load<N>(total) + v);
      };
      if constexpr (PEEPHOLES) {
        d_c += d_o * peephole(2);
        add(2, d_o * (f * c + gi * g));
      }
      Floats<N> d_i = d_c * g * gi * (1.f - gi), d_f = d_c * c * f * (1.f - f);
      put(0, d_i), put(1, d_f), put(2, d_c * gi * (1.f - g * g)), put(3, d_o);
      d_c = d_c * f;
      if constexpr (PEEPHOLES) {
        d_c += d_i * peephole(0) + d_f * peephole(1);
        add(0, d_i * c), add(1, d_f * c);
      }
      store<N>(o.c + own_at, d_c);
      if (passes) store<N>(o.pass + own_at, Floats<N>{});
    } else {
      constexpr int Z = K == GRU_NONE ? 0 : 1;  // in what was kept
      Floats<N> z = kept(Z), n = kept(Z + 1), d_n = d - d * z;
      Floats<N> d_z = d_n * z * (h - n);
      store<N>(o.pass + own_at, d * z);
      d_n = d_n - d_n * (n * n);
      if constexpr (K == GRU_NONE) put(0, d_z), put(1, d_n);
      else {
        Floats<N> r = kept(0);
        put(0, d_n), put(2, d_z);
        if constexpr (AFTER) {
          Floats<N> d_m = d_n * r;
          put(3, d_m), put(1, d_m * kept(3) * (1.f - r));
        } else store<N>(to.gated + at, r * h);  // d_r needs the product with U_n first
      }
    }
  }

  // The product of planes of a step's cotangents with transposed kernels, for R rows and the panels from `first` (even) to
  // `last`, and finish(lanes, panel, row, d): `d` begins with `begin` where that isn't null.
  template <class Finish>
  INLINE void back(const Place &now, int first_plane, int planes, const float *transposed, const float *begin, int rows,
                   int first, int last, bool backwards, Finish finish) const {
    static const float zeros[2 * L] = {};
    int count = divide_up(last - first, 2);
    for (int o = 0; o < count; o++) {
      int p = first + (backwards ? count - 1 - o : o) * 2;
      auto block = [&](auto n, auto wide) __attribute__((always_inline)) {
        constexpr int N = n, NV = wide;
        in_blocks(rows, most_rows<NV>(), [&](int a, int mr) {
          float tile[MOST_TILE] __attribute__((aligned(64)));
          Sides sides[MOST_GATES];
          for (int g = 0; g < planes; g++)
            sides[g] = {now.d + (first_plane + g) * plane() + a * L, panel(), in.units, in.unit_tail,
                        transposed + ((size_t)p * planes + (size_t)g * NV) * l.H * L};
          if (begin) product_of<N, NV>(mr)(sides, planes, begin + ((size_t)p * R + a) * L, L, (size_t)R * L, tile);
          else product_of<N, NV>(mr)(sides, planes, zeros, 0, L, tile);
#pragma GCC unroll 1
          for (int w = 0; w < NV; w++)
#pragma GCC unroll 1
            for (int i = 0; i < mr; i++) finish(n, p + w, a + i, tile + (i * NV + w) * L);
        });
      };
      if (p + 1 < last) block(Constant<L>(), Constant<2>());
      else if (in.lanes(p) <= HALF) block(Constant<HALF>(), Constant<1>());
      else block(Constant<L>(), Constant<1>());
    }
  }
  // Computes the cotangents of the step before `step`, at `next`, from those of `step`, at `now`.
  INLINE void step_back(const Own &o, int step, int stage, const Place &now, const Place &next, int r0, int rows, int first,
                        int last) const {
    bool backwards = step & 1;
    int t = time(step);
    if (BEFORE && stage == 0) {
      back(now, 0, 1, U_n, nullptr, rows, first, last, backwards, [&](auto n, int p, int i, const float *product) {
        constexpr int N = n;
        if (l.real && !l.real[(size_t)t * l.B + r0 + i]) return;
        size_t at = p * panel() + i * L, own_at = ((size_t)p * R + i) * L;
        int lanes = in.lanes(p);
        Floats<N> d = load<N>(product), r = load<N>(record_at(l, l.record_given, KEPT, t, p, r0 + i, lanes), lanes);
        store<N>(now.d + plane() + at, d * load<N>(now.h + at) * r * (1.f - r));
        store<N>(o.pass + own_at, load<N>(o.pass + own_at) + d * r);
      });
      return;
    }
    back(now, U_PLANE, UG, U, o.pass, rows, first, last, backwards, [&](auto n, int p, int i, const float *product) {
      constexpr int N = n;
      int row = r0 + i, lanes = in.lanes(p);
      Floats<N> d = load<N>(product);
      float *d_c = STATE ? o.c + ((size_t)p * R + i) * L : nullptr;
      if (l.resets && l.resets[(size_t)t * l.B + row]) {  // a reset: the state before the step belongs to no earlier step
        size_t to = (size_t)row * l.H + p * L;
        store<N>(l.d_reset_h + to, load<N>(l.d_reset_h + to, lanes) + d, lanes);
        d = Floats<N>{};
        if (STATE) {
          store<N>(l.d_reset_c + to, load<N>(l.d_reset_c + to, lanes) + load<N>(d_c), lanes);
          store<N>(d_c, d);
        }
      }
      if (step) return this->template differentiate<N>(o, next, step - 1, p, i, row, d);
      store<N>(l.d_h0 + (size_t)row * l.H + p * L, d, lanes);
      if (STATE) store<N>(l.d_c0 + (size_t)row * l.H + p * L, load<N>(d_c), lanes);
    });
  }
  // Sets the sums to 0 and differentiates the last step, at `to`. Without any step the final carry is the initial one.
  void begin(const Own &o, const Place &to, int r0, int rows) const {
    std::memset(o.d_W, 0, sums() * sizeof(float));
    for (int i = 0; i < rows; i++)
      for (int p = 0; p < in.units; p++) {
        size_t from = (size_t)(r0 + i) * l.H + p * L;
        int lanes = in.lanes(p);
        if (!l.T) {
          store<L>(l.d_h0 + from, load<L>(l.d_final_h + from, lanes), lanes);
          if (STATE) store<L>(l.d_c0 + from, load<L>(l.d_final_c + from, lanes), lanes);
          continue;
        }
        if (STATE) copy_padded(o.c + ((size_t)p * R + i) * L, l.d_final_c + from, lanes);
        if (lanes <= HALF) differentiate<HALF>(o, to, l.T - 1, p, i, r0 + i, load<HALF>(l.d_final_h + from, lanes));
        else differentiate<L>(o, to, l.T - 1, p, i, r0 + i, load<L>(l.d_final_h + from, lanes));
      }
  }
  // The gradients of the weights from a chunk of `count` rows over all its steps, for the panels from `first` to `last`.
  void add_up(const Own &o, const Place &chunk, const float *x, size_t x_panel, int count, int first, int last) const {
    for (int p = first; p < last; p++) {
      const float *d = chunk.d + p * panel();
      int lanes = in.lanes(p);
      size_t units = (size_t)in.units * L;
      outer<UG>(chunk.h, panel(), l.H, d + U_PLANE * plane(), plane(), lanes, count, o.d_U + p * units * UG * L);
      if (BEFORE) outer<1>(chunk.gated, panel(), l.H, d, plane(), lanes, count, o.d_U_n + p * units * L);
      outer<G>(x, x_panel, l.D, d, plane(), lanes, count, o.d_W + p * padded(l.D) * G * L);
      float *total = o.d_b + (size_t)p * L;
      size_t next = (size_t)in.units * L;  // a plane's sums
      auto add = [&](auto n) {
        constexpr int N = n;
        Floats<N> s[PLANES];
        for (int k = 0; k < PLANES; k++) s[k] = load<N>(total + k * next);
        for (int i = 0; i < count; i++)  // all planes together: an addition waits for the one before to the same sum
          for (int k = 0; k < PLANES; k++) s[k] += load<N>(d + k * plane() + (size_t)i * L);
        for (int k = 0; k < PLANES; k++) store<N>(total + k * next, s[k]);
      };
      if (lanes <= HALF) add(Constant<HALF>());
      else add(Constant<L>());
    }
  }
  // Computes d_x of `count` rows of a chunk, from row `from` on. to(row of the chunk) is where a row is written.
  template <class To> INLINE void inputs_back(const Place &chunk, int from, int count, To to) const {
    if (few_inputs) {
      for (int i = from; i < from + count; i++) {
        float *out = to(i);
        for (int k = 0; k < l.D; k++) {
          const float *w = W + (size_t)k * in.units * G * L;
          Floats<L> s[G] = {};
          for (int p = 0; p < in.units; p++, w += G * L)
            for (int g = 0; g < G; g++) {
              const float *d = chunk.d + g * plane() + p * panel() + (size_t)i * L;
              s[g] += load<L>(d, in.lanes(p)) * load<L>(w + g * L);
            }
          Floats<L> total = s[0];
          for (int g = 1; g < G; g++) total += s[g];
          out[k] = sum<L>(total);
        }
      }
      return;
    }
    static const float zeros[2 * L] = {};
    for (int q = 0; q < in.inputs; q += 2) {
      auto block = [&](auto n, auto wide) {
        constexpr int N = n, NV = wide;
        in_blocks(count, most_rows<NV>(), [&](int a, int mr) {
          float tile[MOST_TILE] __attribute__((aligned(64)));
          Sides sides[MOST_GATES];
          for (int g = 0; g < G; g++)
            sides[g] = {chunk.d + g * plane() + (size_t)(from + a) * L, panel(), in.units, in.unit_tail,
                        W + ((size_t)q * G + (size_t)g * NV) * l.H * L};
          product_of<N, NV>(mr)(sides, G, zeros, 0, L, tile);
          for (int i = 0; i < mr; i++)
            for (int w = 0; w < NV; w++)
              store<N>(to(from + a + i) + (q + w) * L, load<N>(tile + (i * NV + w) * L), in.input_lanes(q + w));
        });
      };
      if (q + 1 < in.inputs) block(Constant<L>(), Constant<2>());
      else if (in.input_lanes(q) <= HALF) block(Constant<HALF>(), Constant<1>());
      else block(Constant<L>(), Constant<1>());
    }
  }
  Place slot(const Place &chunk, int k, int rows) const {
    size_t at = (size_t)k * rows * L;
    return {chunk.d + at, chunk.h + at, BEFORE ? chunk.gated + at : nullptr};
  }

  // All steps for one part of the rows.
  void part(int k) const {
    Own o = own(k);
    int r0 = first_row(l, k), rows = first_row(l, k + 1) - r0;
    const Place &chunk = o.chunk[0];
    begin(o, chunk, r0, rows);
    if (!rows) return;
    for (int end = l.T; end > 0;) {  // the chunk's steps, the last first
      int n = std::min(C, end);
      size_t x_panel = (size_t)C * R * L;
      for (int i = 0; i < n; i++) {
        int step = end - 1 - i;
        for (int stage = 0; stage < STAGES; stage++)
          step_back(o, step, stage, slot(chunk, i, rows), slot(chunk, i + 1, rows), r0, rows, 0, in.units);
        put_inputs(l, in, time(step), r0, rows, o.x[0] + (size_t)i * rows * L, x_panel);
      }
      add_up(o, chunk, o.x[0], x_panel, n * rows, 0, in.units);
      if (l.d_x)
        inputs_back(chunk, 0, n * rows, [&](int at) { return l.d_x.at(time(end - 1 - at / rows), r0 + at % rows); });
      end -= n;
      if (!end) break;
      Place from = slot(chunk, n, rows);  // the next chunk's first step is there already
      for (int p = 0; p < in.units; p++) {
        size_t bytes = (size_t)rows * L * sizeof(float);
        for (int g = 0; g < PLANES; g++)
          std::memcpy(chunk.d + g * plane() + p * panel(), from.d + g * plane() + p * panel(), bytes);
        std::memcpy(chunk.h + p * panel(), from.h + p * panel(), bytes);
        if (BEFORE) std::memcpy(chunk.gated + p * panel(), from.gated + p * panel(), bytes);
      }
    }
  }

  // Few rows: see few_rows.h. Two sets of buffers take turns: a chunk's last step already differentiates the first one of
  // the next chunk, which needs a place that this chunk's products don't read.
  void few(Halves &halves, bool caller) const {
    if (!caller)
      for (int spins = 0; !halves.ready.value.load(std::memory_order_acquire); spins++) wait_a_moment(spins);
    Own o = own(0);
    if (caller) {
      begin(o, o.chunk[0], 0, l.B);
      halves.ready.value.store(1, std::memory_order_release);
    }
    if (!l.T) return;
    int each = C * STAGES + 1, me = caller ? 0 : 1, middle = std::min(in.units, divide_up(in.units, 4) * 2);
    in_halves(halves, l.T * STAGES + divide_up(l.T, C), me, [&](int item, int k) {
      int number = item / each, place = item % each, end = l.T - number * C, n = std::min(C, end);
      int first = k ? middle : 0, last = k ? in.units : middle;
      const Place &chunk = o.chunk[number % 2];
      if (place < n * STAGES) {
        int i = place / STAGES;
        Place next = i + 1 < C ? slot(chunk, i + 1, l.B) : o.chunk[(number + 1) % 2];
        return step_back(o, end - 1 - i, place % STAGES, slot(chunk, i, l.B), next, 0, l.B, first, last);
      }
      float *x = o.x[me];
      size_t x_panel = (size_t)C * R * L;
      for (int i = 0; i < n; i++) put_inputs(l, in, time(end - 1 - i), 0, l.B, x + (size_t)i * l.B * L, x_panel);
      add_up(o, chunk, x, x_panel, n * l.B, first, last);
      if (!l.d_x) return;
      int half = n * l.B / 2, from = k ? half : 0;
      inputs_back(chunk, from, k ? n * l.B - half : half,
                  [&](int at) { return l.d_x.at(time(end - 1 - at / l.B), at % l.B); });
    });
  }

  // The parts' sums added up, in their order, to the gradients.
  void finish() const {
    size_t units = (size_t)in.units * L;
    auto total = [&](auto of, size_t at, int lanes) {
      Floats<L> s = load<L>(of(own(0)) + at, lanes);
      for (int k = 1; k < l.parts; k++) s += load<L>(of(own(k)) + at, lanes);
      return s;
    };
    for (int p = 0; p < in.units; p++) {
      int lanes = in.lanes(p);
      auto unpack = [&](int count, int stride, int gates, auto of, auto to) {
        const float *parts[MOST_PARTS];
        for (int k = 0; k < l.parts; k++) parts[k] = of(own(k)) + (size_t)p * stride * gates * L;
        for (int u = 0; u < count; u++)
          for (int g = 0; g < gates; g++) {
            size_t at = ((size_t)u * gates + g) * L;
            Floats<L> s = load<L>(parts[0] + at);
            for (int k = 1; k < l.parts; k++) s += load<L>(parts[k] + at);
            store<L>(to(g) + (size_t)u * l.H + p * L, s, lanes);
          }
      };
      unpack(l.D, (int)padded(l.D), G, [](const Own &o) { return o.d_W; }, [&](int g) { return l.d_W[w_gate(g)]; });
      unpack(l.H, (int)units, UG, [](const Own &o) { return o.d_U; }, [&](int g) { return l.d_U[g]; });
      if (BEFORE) unpack(l.H, (int)units, 1, [](const Own &o) { return o.d_U_n; }, [&](int) { return l.d_U[2]; });
      for (int k = 0; k < PLANES; k++) {
        float *to = AFTER && k == 3 ? l.d_hidden_bias : l.d_b[w_gate(k)];
        store<L>(to + p * L, total([](const Own &o) { return o.d_b; }, ((size_t)k * in.units + p) * L, lanes), lanes);
      }
      for (int k = 0; k < (PEEPHOLES ? 3 : 0); k++)
        store<L>(l.d_peephole[k] + p * L,
                 total([](const Own &o) { return o.d_peephole; }, ((size_t)k * in.units + p) * L, lanes), lanes);
    }
  }
};

}  // namespace NAME

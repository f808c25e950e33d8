// One recurrent layer over a batch of sequences, as the handlers describe it to the kernels.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

enum Kind : int { GRU_AFTER, GRU_BEFORE, GRU_NONE, LSTM, LSTM_PEEPHOLES, RNN_TANH, RNN_RELU, KINDS };

// Rows of features over time: those of step t and row r begin at data + t * step + r * row.
template <class Float> struct Rows {
  Float *data = nullptr;
  size_t step = 0, row = 0;
  Float *at(int t, int r) const { return data + t * step + r * row; }
  explicit operator bool() const { return data != nullptr; }
};

constexpr int MOST_GATES = 4, MOST_PEEPHOLES = 3, MOST_PARTS = 16;

// Gates are in the order r, z, n (GRU; those it has), i, f, g, o (LSTM), h (vanilla RNN). Arrays that a kind, or a call,
// doesn't have are null. All are row-major and dense but for x, ys and their cotangents.
struct Layer {
  Kind kind;
  int T, B, D, H;  // steps, rows, input features, units
  bool reverse;
  Rows<const float> x;
  const float *W[MOST_GATES], *U[MOST_GATES], *b[MOST_GATES];  // [D, H], [H, H], [H]
  const float *hidden_bias;                                    // c_n [H]
  const float *peephole[MOST_PEEPHOLES];                       // p_i, p_f, p_o [H]
  const float *h0, *c0;                                        // the carry before the first step [B, H]
  const bool *real, *resets;                                    // [T, B]: is a step taken; is the carry reset before it
  const float *reset_h, *reset_c;                              // the carry after a reset [B, H]

  // Forward: the final carry [B, H]; every step's output; what the gradient needs of every step (`record_floats`).
  float *final_h, *final_c;
  Rows<float> ys;
  float *record;

  // Backward: what forward gave, the cotangents of its results (that of the outputs may be absent), and those of its
  // arguments, to be computed.
  Rows<const float> ys_given, d_ys;
  const float *record_given, *d_final_h, *d_final_c;
  Rows<float> d_x;
  float *d_W[MOST_GATES], *d_U[MOST_GATES], *d_b[MOST_GATES], *d_hidden_bias, *d_peephole[MOST_PEEPHOLES];
  float *d_h0, *d_c0, *d_reset_h, *d_reset_c;

  int parts;       // groups of rows, each a task of its own; decides in which order gradients of weights are added
  bool few;        // few rows: units are divided among threads, not rows
  float *scratch;  // as many floats as `forward_scratch` or `backward_scratch` says, of the whole layer
};

// The state that two threads share when they divide the units of a layer of few rows; see few_rows.h.
struct Halves {
  struct alignas(64) Progress {
    std::atomic<int> value{0};
  };
  Progress done[2], ready, helped;
};

// The kernels of one instruction set.
struct Kernels {
  const char *name;
  int lanes;
  size_t (*forward_scratch)(const Layer &);
  size_t (*backward_scratch)(const Layer &);
  void (*forward_prepare)(const Layer &);
  void (*forward_part)(const Layer &, int part);
  void (*forward_few)(const Layer &, Halves &, bool caller);
  void (*backward_prepare)(const Layer &);
  void (*backward_part)(const Layer &, int part);
  void (*backward_few)(const Layer &, Halves &, bool caller);
  void (*backward_finish)(const Layer &);
  void (*functions)(const float *in, float *sigmoid, float *tanh, size_t n);  // n a multiple of 16
};
extern const Kernels kernels_avx512, kernels_avx2, kernels_neon;

// How many gates a kind has: kernels W and U each.
inline int gates_of(Kind kind) {
  return kind == LSTM || kind == LSTM_PEEPHOLES ? 4 : kind == GRU_NONE ? 2 : kind >= RNN_TANH ? 1 : 3;
}
inline bool is_lstm(Kind kind) { return kind == LSTM || kind == LSTM_PEEPHOLES; }
// Floats that forward keeps of one unit of one row and step: GRU r, z, n and, with reset="after", h U_n + c_n; LSTM the
// gates and the cell state before the step; a vanilla RNN none. The state h before a step is read from the outputs.
inline int kept_of(Kind kind) {
  switch (kind) {
    case GRU_AFTER: return 4;
    case GRU_BEFORE: return 3;
    case GRU_NONE: return 2;
    case LSTM: case LSTM_PEEPHOLES: return 5;
    default: return 0;
  }
}
inline size_t record_floats(const Layer &l) { return (size_t)l.T * l.B * l.H * kept_of(l.kind); }

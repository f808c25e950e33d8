// The kernels of one instruction set: compiled once for each, with NAME=avx512, avx2 or neon and the matching -march.
#include "backward.h"
#include "forward.h"

namespace NAME {

// Calls use(pass) with the pass, `Forward` or `Backward`, of the layer's kind.
template <template <Kind> class Pass, class Use> auto with(const Layer &l, Use use) {
  switch (l.kind) {
    case GRU_AFTER: return use(Pass<GRU_AFTER>(l));
    case GRU_BEFORE: return use(Pass<GRU_BEFORE>(l));
    case GRU_NONE: return use(Pass<GRU_NONE>(l));
    case LSTM: return use(Pass<LSTM>(l));
    case LSTM_PEEPHOLES: return use(Pass<LSTM_PEEPHOLES>(l));
    case RNN_TANH: return use(Pass<RNN_TANH>(l));
    default: return use(Pass<RNN_RELU>(l));
  }
}

static size_t forward_scratch(const Layer &l) {
  return with<Forward>(l, [](const auto &pass) { return pass.floats(); });
}
static size_t backward_scratch(const Layer &l) {
  return with<Backward>(l, [](const auto &pass) { return pass.floats(); });
}
static void forward_prepare(const Layer &l) {
  with<Forward>(l, [](const auto &pass) { pass.prepare(); });
}
static void forward_part(const Layer &l, int part) {
  with<Forward>(l, [=](const auto &pass) { pass.part(part); });
}
static void forward_few(const Layer &l, Halves &halves, bool caller) {
  with<Forward>(l, [&](const auto &pass) { pass.few(halves, caller); });
}
static void backward_prepare(const Layer &l) {
  with<Backward>(l, [](const auto &pass) { pass.prepare(); });
}
static void backward_part(const Layer &l, int part) {
  with<Backward>(l, [=](const auto &pass) { pass.part(part); });
}
static void backward_few(const Layer &l, Halves &halves, bool caller) {
  with<Backward>(l, [&](const auto &pass) { pass.few(halves, caller); });
}
static void backward_finish(const Layer &l) {
  with<Backward>(l, [](const auto &pass) { pass.finish(); });
}
static void functions(const float *in, float *s, float *t, size_t n) {
  for (size_t i = 0; i < n; i += L) {
    store<L>(s + i, sigmoid<L>(load<L>(in + i)));
    store<L>(t + i, tanh<L>(load<L>(in + i)));
  }
}

}  // namespace NAME

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
extern const Kernels JOIN(kernels_, NAME);
const Kernels JOIN(kernels_, NAME) = {TEXT(NAME),
                                      NAME::L,
                                      NAME::forward_scratch,
                                      NAME::backward_scratch,
                                      NAME::forward_prepare,
                                      NAME::forward_part,
                                      NAME::forward_few,
                                      NAME::backward_prepare,
                                      NAME::backward_part,
                                      NAME::backward_few,
                                      NAME::backward_finish,
                                      NAME::functions};

// The entry points for XLA: they check its arguments, describe the layers, and run them on its threads.
#include <initializer_list>
#include <new>
#include <string>
#include "engine.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

struct Mismatch {
  std::string text;
};

// Arguments or results, taken one after the other; each must have the expected type and shape. All have a
// leading axis of layers; an argument may have 1 there, one for all.
template <class All> class Cursor {
 public:
  Cursor(All &all, const char *what, size_t layers) : all_(all), what_(what), layers_(layers) {}
  // Floats of shape [layers, ...shape], as a function of the layer.
  auto floats(std::initializer_list<int64_t> shape) { return take<float>(ffi::F32, shape); }
  auto booleans(std::initializer_list<int64_t> shape) { return take<bool>(ffi::PRED, shape); }
  void end() const {
    if (next_ != all_.size()) throw Mismatch{std::to_string(all_.size()) + " " + what_ + "; " + std::to_string(next_) + " are used"};
  }

 private:
  template <class Value> struct PerLayer {
    Value *data;
    size_t stride;
    Value *operator()(size_t layer) const { return data + layer * stride; }
  };
  template <class Value> PerLayer<Value> take(ffi::DataType type, std::initializer_list<int64_t> shape) {
    std::string name = std::string(what_) + " " + std::to_string(next_);
    if (next_ >= all_.size()) throw Mismatch{name + " is missing"};
    ffi::AnyBuffer buffer = get(next_++);
    auto found = buffer.dimensions();
    bool fits = buffer.element_type() == type && found.size() == shape.size() + 1 &&
                (found[0] == (int64_t)layers_ || (found[0] == 1 && what_[0] == 'a'));
    size_t size = 1, axis = 1;
    for (int64_t n : shape) {
      fits = fits && found[axis++] == n;
      size *= n;
    }
    if (!fits) throw Mismatch{name + " has another type or shape than the layer asks for"};
    if (what_[0] == 'r') large_pages(buffer.untyped_data(), buffer.size_bytes());
    return {static_cast<Value *>(buffer.untyped_data()), found[0] == 1 ? 0 : size};
  }
  ffi::AnyBuffer get(size_t i) const {
    if constexpr (std::is_same_v<All, ffi::RemainingArgs>) return all_.template get<ffi::AnyBuffer>(i).value();
    else return **all_.template get<ffi::AnyBuffer>(i);
  }
  All &all_;
  const char *what_;
  size_t layers_, next_ = 0;
};

struct Options {
  int32_t kind, threads;
  bool batch_major, reverse, real, resets, ys, record, d_ys, d_x;
};

// Fills in what forward and backward have in common. Returns the layers.
struct Call {
  std::vector<Layer> layers;
  int64_t T, B, D, H;
  Options o;
  Kind kind;

  Call(const Options &o, ffi::RemainingArgs &args) : o(o), kind((Kind)o.kind) {
    if (o.kind < 0 || o.kind >= KINDS) throw Mismatch{"kind " + std::to_string(o.kind) + " is unknown"};
    if (args.size() < 3) throw Mismatch{"too few arguments"};
    auto x = args.get<ffi::AnyBuffer>(0).value().dimensions(), h = args.get<ffi::AnyBuffer>(1).value().dimensions();
    if (x.size() != 4 || h.size() != 3) throw Mismatch{"inputs and carry must have four and three axes"};
    T = x[o.batch_major ? 2 : 1], B = x[o.batch_major ? 1 : 2], D = x[3], H = h[2];
    constexpr int64_t MOST = 1 << 27;  // LONGEST in Python; some counts are a few times an axis
    if (T > MOST || B > MOST || D > MOST || H > MOST || D < 1 || H < 1) throw Mismatch{"an axis is too long, or empty"};
    layers.resize(h[0]);
  }
  std::initializer_list<int64_t> none{};
  template <class Cursor, class Use> void each(Cursor taken, Use use) {
    for (size_t i = 0; i < layers.size(); i++) use(layers[i], taken(i));
  }
  template <class Float> Rows<Float> rows(Float *data, int64_t features) const {
    size_t n = features;
    return o.batch_major ? Rows<Float>{data, n, n * (size_t)T} : Rows<Float>{data, n * (size_t)B, n};
  }
  template <class C> auto over_time(C &cursor, int64_t n) {
    return o.batch_major ? cursor.floats({B, T, n}) : cursor.floats({T, B, n});
  }
  template <class C> void common(C &in) {
    for (Layer &l : layers) {
      l = Layer{};
      l.kind = kind, l.T = (int)T, l.B = (int)B, l.D = (int)D, l.H = (int)H, l.reverse = o.reverse;
    }
    each(over_time(in, D), [&](Layer &l, const float *a) { l.x = rows(a, D); });
    if (is_lstm(kind)) each(in.floats({B, H}), [](Layer &l, const float *a) { l.c0 = a; });
    each(in.floats({B, H}), [](Layer &l, const float *a) { l.h0 = a; });
    for (int g = 0; g < gates_of(kind); g++) each(in.floats({D, H}), [=](Layer &l, const float *a) { l.W[g] = a; });
    for (int g = 0; g < gates_of(kind); g++) each(in.floats({H, H}), [=](Layer &l, const float *a) { l.U[g] = a; });
    for (int g = 0; g < gates_of(kind); g++) each(in.floats({H}), [=](Layer &l, const float *a) { l.b[g] = a; });
    if (kind == GRU_AFTER) each(in.floats({H}), [](Layer &l, const float *a) { l.hidden_bias = a; });
    if (kind == LSTM_PEEPHOLES)
      for (int k = 0; k < 3; k++) each(in.floats({H}), [=](Layer &l, const float *a) { l.peephole[k] = a; });
    if (o.real) each(in.booleans({T, B}), [](Layer &l, const bool *a) { l.real = a; });
    if (o.resets) {
      each(in.booleans({T, B}), [](Layer &l, const bool *a) { l.resets = a; });
      if (is_lstm(kind)) each(in.floats({B, H}), [](Layer &l, const float *a) { l.reset_c = a; });
      each(in.floats({B, H}), [](Layer &l, const float *a) { l.reset_h = a; });
    }
  }
  int64_t record() const { return T * B * H * kept_of(kind); }
};

template <class Run> ffi::Error guarded(ffi::ThreadPool &threads, int32_t limit, Run run) {
  try {
    if (!kernels()) throw Mismatch{"no kernels for this processor"};
    Pool pool{limit ? limit : (int)threads.num_threads(),
              [&](std::function<void()> task) { threads.Schedule(std::move(task)); }};
    run(pool.threads > 1 ? &pool : nullptr);
    return ffi::Error::Success();
  } catch (const Mismatch &m) {
    return ffi::Error(ffi::ErrorCode::kInvalidArgument, "gru_research: " + m.text);
  } catch (const std::bad_alloc &) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "gru_research: no memory for the layer's scratch buffers");
  }
}

ffi::Error Forward(ffi::ThreadPool threads, int32_t kind, int32_t limit, bool batch_major, bool reverse, bool real,
                   bool resets, bool ys, bool record, ffi::RemainingArgs args, ffi::RemainingRets rets) {
  return guarded(threads, limit, [&](const Pool *pool) {
    Call call({kind, limit, batch_major, reverse, real, resets, ys, record, false, false}, args);
    Cursor in(args, "argument", call.layers.size());
    Cursor out(rets, "result", call.layers.size());
    call.common(in);
    in.end();
    if (is_lstm(call.kind)) call.each(out.floats({call.B, call.H}), [](Layer &l, float *a) { l.final_c = a; });
    call.each(out.floats({call.B, call.H}), [](Layer &l, float *a) { l.final_h = a; });
    if (ys) call.each(call.over_time(out, call.H), [&](Layer &l, float *a) { l.ys = call.rows(a, call.H); });
    if (record && kept_of(call.kind)) call.each(out.floats({call.record()}), [](Layer &l, float *a) { l.record = a; });
    out.end();
    forward(call.layers, pool);
  });
}

ffi::Error Backward(ffi::ThreadPool threads, int32_t kind, int32_t limit, bool batch_major, bool reverse, bool real,
                    bool resets, bool d_ys, bool d_x, ffi::RemainingArgs args, ffi::RemainingRets rets) {
  return guarded(threads, limit, [&](const Pool *pool) {
    Call call({kind, limit, batch_major, reverse, real, resets, true, true, d_ys, d_x}, args);
    Cursor in(args, "argument", call.layers.size());
    Cursor out(rets, "result", call.layers.size());
    call.common(in);
    int64_t B = call.B, D = call.D, H = call.H;
    call.each(call.over_time(in, H), [&](Layer &l, const float *a) { l.ys_given = call.rows(a, H); });
    if (kept_of(call.kind)) call.each(in.floats({call.record()}), [](Layer &l, const float *a) { l.record_given = a; });
    if (is_lstm(call.kind)) call.each(in.floats({B, H}), [](Layer &l, const float *a) { l.d_final_c = a; });
    call.each(in.floats({B, H}), [](Layer &l, const float *a) { l.d_final_h = a; });
    if (d_ys) call.each(call.over_time(in, H), [&](Layer &l, const float *a) { l.d_ys = call.rows(a, H); });
    in.end();
    if (d_x) call.each(call.over_time(out, D), [&](Layer &l, float *a) { l.d_x = call.rows(a, D); });
    if (is_lstm(call.kind)) call.each(out.floats({B, H}), [](Layer &l, float *a) { l.d_c0 = a; });
    call.each(out.floats({B, H}), [](Layer &l, float *a) { l.d_h0 = a; });
    int gates = gates_of(call.kind);
    for (int g = 0; g < gates; g++) call.each(out.floats({D, H}), [=](Layer &l, float *a) { l.d_W[g] = a; });
    for (int g = 0; g < gates; g++) call.each(out.floats({H, H}), [=](Layer &l, float *a) { l.d_U[g] = a; });
    for (int g = 0; g < gates; g++) call.each(out.floats({H}), [=](Layer &l, float *a) { l.d_b[g] = a; });
    if (call.kind == GRU_AFTER) call.each(out.floats({H}), [](Layer &l, float *a) { l.d_hidden_bias = a; });
    if (call.kind == LSTM_PEEPHOLES)
      for (int k = 0; k < 3; k++) call.each(out.floats({H}), [=](Layer &l, float *a) { l.d_peephole[k] = a; });
    if (resets) {
      if (is_lstm(call.kind)) call.each(out.floats({B, H}), [](Layer &l, float *a) { l.d_reset_c = a; });
      call.each(out.floats({B, H}), [](Layer &l, float *a) { l.d_reset_h = a; });
    }
    out.end();
    backward(call.layers, pool);
  });
}

auto binding() { return ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Attr<int32_t>("kind").Attr<int32_t>("threads"); }

}  // namespace

#pragma GCC visibility push(default)
XLA_FFI_DEFINE_HANDLER_SYMBOL(gru_research_forward, Forward,
                              binding()
                                  .Attr<bool>("batch_major")
                                  .Attr<bool>("reverse")
                                  .Attr<bool>("real")
                                  .Attr<bool>("fresh")
                                  .Attr<bool>("ys")
                                  .Attr<bool>("record")
                                  .RemainingArgs()
                                  .RemainingRets());
XLA_FFI_DEFINE_HANDLER_SYMBOL(gru_research_backward, Backward,
                              binding()
                                  .Attr<bool>("batch_major")
                                  .Attr<bool>("reverse")
                                  .Attr<bool>("real")
                                  .Attr<bool>("fresh")
                                  .Attr<bool>("d_ys")
                                  .Attr<bool>("d_x")
                                  .RemainingArgs()
                                  .RemainingRets());
#pragma GCC visibility pop

// Functions that Python calls by ctypes.
#define PUBLIC extern "C" __attribute__((visibility("default")))
PUBLIC const char *gru_research_instruction_set() { return kernels() ? kernels()->name : nullptr; }
PUBLIC const char *gru_research_self_test() { return self_test(); }
PUBLIC int gru_research_ffi_version() { return XLA_FFI_API_MAJOR * 1000 + XLA_FFI_API_MINOR; }
// sigmoid and tanh of n floats, a multiple of 16: for tests of their accuracy.
PUBLIC void gru_research_functions(const float *in, float *sigmoid, float *tanh, size_t n) {
  kernels()->functions(in, sigmoid, tanh, n);
}

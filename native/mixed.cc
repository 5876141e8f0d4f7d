// Mixed precision on a CPU: products, swiglu and rotation in bf16, computed in float32 between loading and storing.
// A product reads float32 weights and inputs as they are and rounds them while it packs them, so that nothing is converted beforehand.
#include "fused.h"
#include "pool.h"

namespace anneal {
namespace {

// ---- mixed_linear: y = x Wᵀ + b in bf16, x and W float32 or bf16; gradients in the type of what they are of ---------------------

Tensor mixedForward(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  Tensor y = roundedProductNT(rowsOf(x), weight, at::kBFloat16).view(sizes);
  return bias.has_value() ? y.add_(*bias) : y;
}

struct MixedLinear : torch::autograd::Function<MixedLinear> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
    bool needX = x.requires_grad(), needWeight = weight.requires_grad();
    context->save_for_backward({needWeight ? x : Tensor(), needX ? weight : Tensor()});
    context->saved_data["sizes"] = x.sizes().vec();
    context->saved_data["dtypes"] = std::vector<int64_t>{static_cast<int64_t>(x.scalar_type()), static_cast<int64_t>(weight.scalar_type())};
    context->saved_data["needBias"] = bias.has_value() && bias->requires_grad();
    return mixedForward(x, weight, bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("mixed_linear");
    auto saved = context->get_saved_variables();
    auto dtypes = context->saved_data["dtypes"].toIntVector();
    Tensor dy = rowsOf(gradients[0]), dx, dweight, dbias;
    if (saved[1].defined()) dx = roundedProductNT(dy, saved[1].t(), static_cast<at::ScalarType>(dtypes[0])).view(context->saved_data["sizes"].toIntVector());
    if (saved[0].defined()) dweight = roundedProductNT(dy.t(), rowsOf(saved[0]).t(), static_cast<at::ScalarType>(dtypes[1]));
    if (context->saved_data["needBias"].toBool()) dbias = dy.sum(0, false, at::kFloat);
    return {dx, dweight, dbias};
  }
};

bool mixes(const Tensor& t) { return fast(t) || half(t); }

Tensor mixedLinear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  TORCH_CHECK(weight.dim() == 2 && x.dim() > 0 && x.size(-1) == weight.size(1), "expected x [...,in] and weight [out,in]");
  bool ours = mixes(x) && mixes(weight) && x.numel() > 0 && weight.numel() > 0 && (!bias.has_value() || fast(*bias));
  if (!ours) {
    auto rounded = [](const Tensor& t) { return t.to(at::kBFloat16); };
    return at::linear(rounded(x), rounded(weight), bias.has_value() ? rounded(*bias) : Tensor());
  }
  bool records = recording({x, weight}) || (bias.has_value() && bias->requires_grad() && at::GradMode::is_enabled());
  return records ? MixedLinear::apply(x, weight, bias) : mixedForward(x, weight, bias);
}

// ---- bf16 in memory ----------------------------------------------------------------------------------------------------------

/** Bits of bf16 as the compiler's vector code reads and writes them. */
inline float wide(uint16_t bits) {
  union {
    uint32_t i;
    float f;
  } value = {static_cast<uint32_t>(bits) << 16};
  return value.f;
}
/** To the nearest, ties to even; NaN stays NaN. */
inline uint16_t narrow(float x) {
  union {
    float f;
    uint32_t i;
  } value = {x};
  uint32_t rounded = (value.i + 0x7fffu + ((value.i >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>(x != x ? 0x7fc0u : rounded);
}
uint16_t* bits(const Tensor& t) { return reinterpret_cast<uint16_t*>(t.data_ptr<at::BFloat16>()); }

// ---- swiglu -------------------------------------------------------------------------------------------------------------------

Tensor swigluOf(const Tensor& gate, const Tensor& up, bool records) {
  Tensor y = at::empty_like(gate);
  const uint16_t *pg = bits(gate), *pu = bits(up);
  uint16_t* py = bits(y);
  forwardLoop(records, gate.numel(), 32768, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) {
      float g = wide(pg[i]);
      py[i] = narrow(g / (1.0f + exponential(-g)) * wide(pu[i]));
    }
  });
  return y;
}

struct SwigluHalf : torch::autograd::Function<SwigluHalf> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return swigluOf(gate, up, true);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("swiglu");
    auto saved = context->get_saved_variables();
    Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[1]);
    const uint16_t *pdy = bits(dy), *pg = bits(saved[0]), *pu = bits(saved[1]);
    uint16_t *pdg = bits(dgate), *pdu = bits(dup);
    at::parallel_for(0, dy.numel(), 32768, [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) {
        float g = wide(pg[i]), d = wide(pdy[i]), s = 1.0f / (1.0f + exponential(-g));
        pdu[i] = narrow(d * g * s);
        pdg[i] = narrow(d * wide(pu[i]) * s * (1.0f + g * (1.0f - s)));
      }
    });
    return {dgate, dup};
  }
};

// ---- rope ---------------------------------------------------------------------------------------------------------------------

/** x [B, T, H, D]; cos, sin [T, R] or [B, T, R], as in elementwise.cc. */
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, float sign, bool records) {
  int64_t B = x.size(0), T = x.size(1), H = x.size(2), D = x.size(3), R = cos.size(-1);
  int64_t perBatch = cos.dim() == 3 && cos.size(0) > 1 ? T : 0;
  Tensor y = at::empty_like(x);
  const uint16_t* px = bits(x);
  const float *pc = data(cos), *ps = data(sin);
  uint16_t* py = bits(y);
  forwardLoop(records, B * T, grain(H * D), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      int64_t position = (token / T) * perBatch + token % T;
      const float *c = pc + position * R, *s = ps + position * R;
      for (int64_t head = 0; head < H; head++) {
        const uint16_t* in = px + (token * H + head) * D;
        uint16_t* out = py + (token * H + head) * D;
#pragma omp simd
        for (int64_t i = 0; i < R; i++) {
          float a = wide(in[i]), b = wide(in[i + R]);
          out[i] = narrow(a * c[i] - sign * b * s[i]);
          out[i + R] = narrow(b * c[i] + sign * a * s[i]);
        }
        for (int64_t i = 2 * R; i < D; i++) out[i] = in[i];
      }
    }
  });
  return y;
}

struct RopeHalf : torch::autograd::Function<RopeHalf> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate(x, cos, sin, 1.0f, true);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("rope");
    auto saved = context->get_saved_variables();
    return {rotate(gradients[0].contiguous(), saved[0], saved[1], -1.0f, true), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor swigluHalf(const Tensor& gate, const Tensor& up) {
  Tensor g = gate.contiguous(), u = up.contiguous();
  return recording({gate, up}) ? SwigluHalf::apply(g, u) : swigluOf(g, u, false);
}

Tensor ropeHalf(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  Tensor input = x.contiguous(), c = cos.contiguous(), s = sin.contiguous();
  return recording({x}) ? RopeHalf::apply(input, c, s) : rotate(input, c, s, 1.0f, false);
}

TORCH_LIBRARY_FRAGMENT(anneal, m) { m.def("mixed_linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor", &mixedLinear); }

}  // namespace anneal

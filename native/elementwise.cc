// rms_norm, swiglu, rope and scale_gradient: one pass over memory where a composition takes several.
#include "fused.h"
#include "pool.h"
#include "rows.h"

namespace anneal {
namespace {

// ---- rms_norm: y = x / sqrt(mean(x²) + eps) · (weight + offset), rows over the last dimension --------------------------------

std::tuple<Tensor, Tensor> rmsNormForward(const Tensor& x, const Tensor& weight, double eps, double offset, bool records) {
  int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(1, width);
  Tensor y = at::empty_like(x), rstd = at::empty({rows}, x.options());
  const float *px = data(x), *pw = data(weight);
  float *py = data(y), *pr = data(rstd), shift = static_cast<float>(offset);
  forwardLoop(records, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) pr[row] = normRow(px + row * width, pw, shift, static_cast<float>(eps), width, py + row * width);
  });
  return {y, rstd};
}

std::tuple<Tensor, Tensor> rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd, double offset, bool needWeight) {
  int64_t width = x.size(-1), rows = rstd.numel();
  Tensor dx = at::empty_like(x);
  int64_t tasks = needWeight ? std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows)) : 0;
  Tensor partial = at::zeros({std::max<int64_t>(tasks, 1), width}, x.options());
  const float *pdy = data(dy), *px = data(x), *pw = data(weight), *pr = data(rstd);
  float *pdx = data(dx), *pp = data(partial), shift = static_cast<float>(offset);
  int64_t slots = std::max<int64_t>(tasks, 1), each = (rows + slots - 1) / slots;
  auto work = [&](int64_t slot, int64_t begin, int64_t end) {
    float* dw = pp + slot * width;
    for (int64_t row = begin; row < end; row++) {
      const float *in = px + row * width, *grad = pdy + row * width;
      float* out = pdx + row * width;
      float scale = pr[row], dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t i = 0; i < width; i++) dot += grad[i] * (pw[i] + shift) * in[i];
      float correction = dot * scale * scale * scale / static_cast<float>(width);
#pragma omp simd
      for (int64_t i = 0; i < width; i++) out[i] = grad[i] * (pw[i] + shift) * scale - in[i] * correction;
      if (needWeight) {
#pragma omp simd
        for (int64_t i = 0; i < width; i++) dw[i] += grad[i] * in[i] * scale;
      }
    }
  };
  if (needWeight) {
    // One slot per thread, rows split the same way every time: the sum has one order for a given thread count.
    at::parallel_for(0, slots, 1, [&](int64_t first, int64_t last) {
      for (int64_t slot = first; slot < last; slot++) work(slot, slot * each, std::min(rows, (slot + 1) * each));
    });
  } else {
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) { work(0, begin, end); });
  }
  return {dx, needWeight ? partial.sum(0) : Tensor()};
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double eps, double offset) {
    auto [y, rstd] = rmsNormForward(x, weight, eps, offset, true);
    context->save_for_backward({x, weight, rstd});
    context->saved_data["offset"] = offset;
    context->saved_data["needWeight"] = weight.requires_grad();
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("rms_norm");
    auto saved = context->get_saved_variables();
    auto [dx, dw] = rmsNormBackward(gradients[0].contiguous(), saved[0], saved[1], saved[2], context->saved_data["offset"].toDouble(),
                                    context->saved_data["needWeight"].toBool());
    return {dx, dw, Tensor(), Tensor()};
  }
};

}  // namespace

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset) {
  TORCH_CHECK(x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1), "expected x [...,D] and weight [D]");
  if (x.device().is_cpu() && x.scalar_type() == at::kBFloat16 && !recording({x, weight})) return rmsNorm(x.to(at::kFloat), weight.to(at::kFloat), eps, offset).to(at::kBFloat16);
  if (!fast(x) || !fast(weight)) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
    // One launch in place of nine. An offset is not added in half precision, where 1 + weight would lose what the weight says.
    if (x.is_cuda() && x.scalar_type() == weight.scalar_type() && (offset == 0 || x.scalar_type() == at::kFloat))
      return std::get<0>(at::_fused_rms_norm(x, weight.sizes(), offset == 0 ? weight : weight + offset, eps));
#endif
    Tensor wide = x.to(at::promote_types(x.scalar_type(), at::kFloat));
    Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
    Tensor scale = weight.to(wide.scalar_type());
    return (scaled * (offset == 0 ? scale : scale + offset)).to(x.scalar_type());
  }
  Tensor input = x.contiguous(), scale = weight.contiguous();
  if (recording({x, weight})) return RmsNorm::apply(input, scale, eps, offset);
  return std::get<0>(rmsNormForward(input, scale, eps, offset, false));
}

namespace {

// ---- swiglu: silu(gate) · up, saving only its two inputs ----------------------------------------------------------------------

Tensor swigluForward(const Tensor& gate, const Tensor& up, bool records) {
  Tensor y = at::empty_like(gate);
  const float *pg = data(gate), *pu = data(up);
  float* py = data(y);
  forwardLoop(records, gate.numel(), 32768, [&](int64_t begin, int64_t end) { swigluRange(pg + begin, pu + begin, py + begin, end - begin); });
  return y;
}

struct Swiglu : torch::autograd::Function<Swiglu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return swigluForward(gate, up, true);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("swiglu");
    auto saved = context->get_saved_variables();
    Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[1]);
    const float *pdy = data(dy), *pg = data(saved[0]), *pu = data(saved[1]);
    float *pdg = data(dgate), *pdu = data(dup);
    at::parallel_for(0, dy.numel(), 32768, [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) {
        float s = 1.0f / (1.0f + exponential(-pg[i]));
        pdu[i] = pdy[i] * pg[i] * s;
        pdg[i] = pdy[i] * pu[i] * s * (1.0f + pg[i] * (1.0f - s));
      }
    });
    return {dgate, dup};
  }
};

}  // namespace

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "expected gate and up of one shape");
  if (half(gate) && half(up)) return swigluHalf(gate, up);
  if (!fast(gate) || !fast(up)) return at::silu(gate) * up;
  Tensor g = gate.contiguous(), u = up.contiguous();
  return recording({gate, up}) ? Swiglu::apply(g, u) : swigluForward(g, u, false);
}

namespace {

// ---- rope: rotates the first 2·R entries of each head by the position's angle (half-split layout, as Hugging Face) ------------

/** x [B, T, H, D]; cos, sin [T, R] or [B, T, R]. `sign` −1 is the inverse rotation, which is also the gradient. */
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, float sign, bool records) {
  int64_t B = x.size(0), T = x.size(1), H = x.size(2), D = x.size(3), R = cos.size(-1);
  int64_t perBatch = cos.dim() == 3 && cos.size(0) > 1 ? T : 0;
  Tensor y = at::empty_like(x);
  const float *px = data(x), *pc = data(cos), *ps = data(sin);
  float* py = data(y);
  forwardLoop(records, B * T, grain(H * D), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      int64_t position = (token / T) * perBatch + token % T;
      const float *c = pc + position * R, *s = ps + position * R;
      for (int64_t head = 0; head < H; head++) {
        const float* in = px + (token * H + head) * D;
        float* out = py + (token * H + head) * D;
#pragma omp simd
        for (int64_t i = 0; i < R; i++) {
          out[i] = in[i] * c[i] - sign * in[i + R] * s[i];
          out[i + R] = in[i + R] * c[i] + sign * in[i] * s[i];
        }
        for (int64_t i = 2 * R; i < D; i++) out[i] = in[i];
      }
    }
  });
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
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

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  TORCH_CHECK(x.dim() == 4 && (cos.dim() == 2 || (cos.dim() == 3 && (cos.size(0) == 1 || cos.size(0) == x.size(0)))) && cos.sizes() == sin.sizes() &&
                  cos.size(-2) == x.size(1) && 2 * cos.size(-1) <= x.size(-1),
              "expected x [B,T,H,D] and cos, sin [T,R] or [B,T,R] with 2·R ≤ D");
  int64_t R = cos.size(-1), D = x.size(-1);
  if (half(x) && fast(cos)) return ropeHalf(x, cos, sin);
  if (!fast(x) || !fast(cos)) {
    Tensor c = cos.unsqueeze(-2), s = sin.unsqueeze(-2), a = x.narrow(-1, 0, R), b = x.narrow(-1, R, R);
    Tensor turned = at::cat({at::addcmul(a * c, b, s, -1), at::addcmul(b * c, a, s)}, -1).to(x.scalar_type());
    return 2 * R == D ? turned : at::cat({turned, x.narrow(-1, 2 * R, D - 2 * R)}, -1);
  }
  Tensor input = x.contiguous();
  return recording({x}) ? Rope::apply(input, cos.contiguous(), sin.contiguous()) : rotate(input, cos.contiguous(), sin.contiguous(), 1.0f, false);
}

// ---- scale_gradient: the identity, whose gradient is multiplied by a constant; saves nothing -------------------------------------

struct ScaleGradient : torch::autograd::Function<ScaleGradient> {
  static Tensor forward(AutogradContext* context, const Tensor& x, double scale) {
    context->saved_data["scale"] = scale;
    return x;  // autograd makes a view of it
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * context->saved_data["scale"].toDouble(), Tensor()};
  }
};

Tensor scaleGradient(const Tensor& x, double scale) { return recording({x}) ? ScaleGradient::apply(x, scale) : x.alias(); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("rms_norm(Tensor x, Tensor weight, float eps, float offset=0.) -> Tensor", &rmsNorm);
  m.def("swiglu(Tensor gate, Tensor up) -> Tensor", &swiglu);
  m.def("rope(Tensor x, Tensor cos, Tensor sin) -> Tensor", &rope);
  m.def("scale_gradient(Tensor x, float scale) -> Tensor", &scaleGradient);
}

}  // namespace anneal

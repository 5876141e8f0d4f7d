// parallelFor: at::parallel_for for the kernels of inference, on a small pool of threads of our own. A token is some hundred short loops,
// and OpenMP's barrier waits for every thread at the end of each: beside other work on the machine that is milliseconds a loop. Here the
// caller takes chunks itself and waits only for those that a helper is really working on. Training keeps at::parallel_for.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace anneal {

/** More chunks than threads, so that whoever comes late or is interrupted holds up little. */
constexpr int64_t kChunksPerThread = 4;

/** A loop over [begin, end) in pieces of `chunk`. */
struct PoolJob {
  void (*run)(const void* body, int64_t begin, int64_t end);
  const void* body;
  int64_t begin, end, chunk;
};

/** Whether this thread is one of the pool's, or is in a loop that it shares. */
bool insidePool();
/** Runs `job` on this thread and up to `threads − 1` others; on this one alone while another caller has them. */
void runShared(const PoolJob& job, int64_t threads);

/**
 * body(from, to) on pieces of [begin, end) of at least `grain` (the last may be shorter), on up to at::get_num_threads() threads, this one
 * among them. Which pieces, and where they run, is not fixed: a body must give the same result for any. It may throw, but must not call
 * operators. Inside another parallel loop it is a plain call.
 */
template <class Body> void parallelFor(int64_t begin, int64_t end, int64_t grain, const Body& body) {
  if (begin >= end) return;
  int64_t count = end - begin, least = std::max<int64_t>(1, grain);
  if (count <= least || insidePool() || at::in_parallel_region()) return body(begin, end);
  int64_t threads = at::get_num_threads();
  if (threads <= 1) return body(begin, end);
  int64_t chunks = std::min((count + least - 1) / least, threads * kChunksPerThread);
  auto run = [](const void* at, int64_t from, int64_t to) { (*static_cast<const Body*>(at))(from, to); };
  runShared({run, &body, begin, end, (count + chunks - 1) / chunks}, threads);
}

/** A loop of a forward pass: on the pool, or where a backward pass is recorded on OpenMP's threads, which the rest of training uses. */
template <class Body> void forwardLoop(bool records, int64_t count, int64_t grain, const Body& body) {
  if (records) at::parallel_for(0, count, grain, body);
  else parallelFor(0, count, grain, body);
}

}  // namespace anneal

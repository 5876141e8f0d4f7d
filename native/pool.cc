// The threads behind parallelFor. Chunks are claimed by compare-and-swap on one number, the ticket: the caller takes them from the front
// and helpers from the back, so that each reads memory in one direction. Helpers spin for a moment after their last chunk, because the
// next loop of a token follows within microseconds, and then sleep.
#include "pool.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <condition_variable>
#include <mutex>
#endif

namespace anneal {
namespace {

thread_local bool isInside = false;

/** A number that threads can sleep on until it changes. */
struct Signal {
  std::atomic<uint32_t> value{0};
#if defined(__linux__)
  void sleepWhile(uint32_t seen) { syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0); }
  void wake(int count) { syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0); }
#else
  std::mutex mutex;
  std::condition_variable changed;
  void sleepWhile(uint32_t seen) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return value.load() != seen; });
  }
  void wake(int) {
    { std::lock_guard<std::mutex> lock(mutex); }
    changed.notify_all();
  }
#endif
};

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/** Until `isDone`, or for some time (a pause is 40 cycles on one processor and 140 on another). Returns what `isDone` says. */
template <class Condition> bool spin(Condition isDone) {
  constexpr auto kLimit = std::chrono::microseconds(20);
  auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 32; i++) {
      if (isDone()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() - start < kLimit);
  return isDone();
}

/** What is left of a job: chunks front … back − 1, and how many more helpers may join it. In one number, so that a claim is one exchange. */
struct Ticket {
  uint64_t bits;
  static constexpr uint64_t kFront = 1, kBack = uint64_t{1} << 16, kSlot = uint64_t{1} << 32, kJob = uint64_t{1} << 42;
  static Ticket make(uint64_t job, uint64_t slots, uint64_t chunks) { return {job * kJob | slots * kSlot | chunks * kBack}; }
  uint64_t front() const { return bits & 0xffff; }
  uint64_t back() const { return bits >> 16 & 0xffff; }
  uint64_t slots() const { return bits >> 32 & 0x3ff; }
  uint64_t job() const { return bits >> 42; }
  bool isEmpty() const { return front() >= back(); }
};
constexpr int64_t kMaxSlots = 0x3ff, kMaxChunks = 0xffff;

struct Pool {
  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) Signal jobs;  // counts them
  std::atomic<int> sleepers{0};
  alignas(64) Signal finished;  // chunks of the current job that helpers are through with
  std::atomic<bool> callerSleeps{false};
  alignas(64) std::atomic<bool> isBusy{false};
  // Written by the caller before the ticket; a helper reads them after it has claimed a chunk, until which the caller waits for it.
  PoolJob job{};
  std::atomic<bool> hasFailed{false};
  std::exception_ptr failure;
  int64_t helpers = 0;
  bool isFull = false;

  void runChunk(uint64_t index) {
    if (hasFailed.load(std::memory_order_relaxed)) return;
    int64_t from = job.begin + static_cast<int64_t>(index) * job.chunk;
    try {
      job.run(job.body, from, std::min(job.end, from + job.chunk));
    } catch (...) {
      if (!hasFailed.exchange(true)) failure = std::current_exception();
    }
  }

  /** The next chunk from the front, for the caller. */
  bool claimFront(uint64_t& index) {
    uint64_t seen = ticket.load(std::memory_order_relaxed);
    do {
      if (Ticket{seen}.isEmpty()) return false;
      index = Ticket{seen}.front();
    } while (!ticket.compare_exchange_weak(seen, seen + Ticket::kFront, std::memory_order_relaxed));
    return true;
  }

  /** The next chunk from the back, of a job that this helper has joined or that has room for one more. */
  bool claimBack(uint64_t& joined, uint64_t& index) {
    uint64_t seen = ticket.load(std::memory_order_relaxed), next;
    do {
      Ticket now{seen};
      bool isIn = now.job() == joined;
      if (now.isEmpty() || (!isIn && now.slots() == 0)) return false;
      joined = now.job();
      index = now.back() - 1;
      next = seen - Ticket::kBack - (isIn ? 0 : Ticket::kSlot);
    } while (!ticket.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
  }

  void help() {
    isInside = true;
    uint64_t joined = ~uint64_t{0}, index;
    for (;;) {
      uint32_t seen = jobs.value.load();
      while (claimBack(joined, index)) {
        runChunk(index);
        finished.value.fetch_add(1);
        if (callerSleeps.load()) finished.wake(1);
      }
      if (spin([&] { return jobs.value.load(std::memory_order_relaxed) != seen; })) continue;
      sleepers.fetch_add(1);
      jobs.sleepWhile(seen);  // not at all if a job has come since
      sleepers.fetch_sub(1);
    }
  }

  /** Starts threads until there are `wanted`, or as many as the system gives. */
  void grow(int64_t wanted) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the threads of the program
    try {
      for (; helpers < wanted; helpers++) std::thread([this] { help(); }).detach();
    } catch (const std::system_error&) {
      isFull = true;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  /** The caller's side; `isBusy` is taken. */
  void share(const PoolJob& what, int64_t threads) {
    int64_t chunks = (what.end - what.begin + what.chunk - 1) / what.chunk;
    int64_t slots = std::min({threads - 1, chunks - 1, kMaxSlots});
    if (helpers < slots && !isFull) grow(slots);
    job = what;
    hasFailed.store(false, std::memory_order_relaxed);
    finished.value.store(0, std::memory_order_relaxed);
    uint64_t number = Ticket{ticket.load(std::memory_order_relaxed)}.job() + 1;
    ticket.store(Ticket::make(number, static_cast<uint64_t>(slots), static_cast<uint64_t>(chunks)).bits, std::memory_order_release);
    jobs.value.fetch_add(1);
    if (int asleep = sleepers.load(); asleep > 0) jobs.wake(std::min(asleep, static_cast<int>(slots)));

    uint64_t index;
    auto others = static_cast<uint32_t>(chunks);
    for (; claimFront(index); others--) runChunk(index);
    auto isDone = [&] { return finished.value.load(std::memory_order_acquire) == others; };
    if (spin(isDone)) return;
    callerSleeps.store(true);
    for (uint32_t seen = finished.value.load(); seen != others; seen = finished.value.load()) finished.sleepWhile(seen);
    callerSleeps.store(false);
  }
};

/** Never destroyed: helpers may sleep on it while the process exits. A forked child has none of the threads and begins anew. */
std::atomic<Pool*>& pool() {
  static std::atomic<Pool*> instance{[] {
    pthread_atfork(nullptr, nullptr, [] { pool().store(new Pool); });
    return new Pool;
  }()};
  return instance;
}

}  // namespace

bool insidePool() { return isInside; }

void runShared(const PoolJob& job, int64_t threads) {
  Pool& shared = *pool().load(std::memory_order_acquire);
  if ((job.end - job.begin) / job.chunk >= kMaxChunks || shared.isBusy.exchange(true, std::memory_order_acquire)) return job.run(job.body, job.begin, job.end);
  isInside = true;
  shared.share(job, threads);
  isInside = false;
  std::exception_ptr failure = shared.hasFailed.load() ? std::exchange(shared.failure, nullptr) : nullptr;
  shared.isBusy.store(false, std::memory_order_release);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace anneal

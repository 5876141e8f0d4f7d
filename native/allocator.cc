// A caching allocator for CPU tensors. A training step asks for the same few hundred sizes again and again; glibc gives large blocks
// back to the kernel each time and faults every page in anew. Freed blocks are kept here by size class instead.
// Blocks are 64-byte aligned, which also keeps vectorised sums in the same order from run to run.
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "multiply.h"
#include "shim.h"

namespace anneal {
namespace {

constexpr size_t kAlignment = 64;
/** From here on a block has huge pages of its own; from kShared on, in inference, it shares them with others, as the matrices of small models do. */
constexpr size_t kHuge = size_t{4} << 20, kShared = size_t{256} << 10, kHugePage = size_t{2} << 20, kSlab = size_t{64} << 20;

/** Address space with huge pages, out of which blocks are cut one behind the other. Pages count as memory when they are written to. */
struct Slab {
  char* begin;
  size_t used = 0, blocks = 0;
};

/** Sits in front of every block, so that freeing needs only the pointer. */
struct alignas(kAlignment) Header {
  size_t size;  // bytes of the size class, without this header
  Slab* slab;   // null: from malloc
};

/**
 * Multiples of 64 bytes up to 1 KiB, then eight classes per power of two: at most 12.5 % is wasted. Where pages are shared, what is wasted
 * is memory for good, so there are sixteen.
 */
size_t sizeClass(size_t bytes) {
  if (bytes <= 1024) return (std::max<size_t>(bytes, 1) + 63) / 64 * 64;
  size_t step = size_t{1} << ((bytes > kShared && bytes < kHuge ? 59 : 60) - __builtin_clzll(bytes - 1));
  return (bytes + step - 1) / step * step;
}

/** Bytes this process may use: physical memory or the cgroup's limit, whichever is smaller. */
size_t memoryLimit() {
  size_t limit = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    size_t value = 0;
    if (std::ifstream(path) >> value && value > 0) limit = std::min(limit, value);
  }
  return limit;
}

struct Cache {
  std::mutex mutex;
  std::unordered_map<size_t, std::vector<Header*>> blocks;
  size_t live = 0, cached = 0, peak = 0, limit = memoryLimit();
  Slab* slab = nullptr;  // the one that is being cut

  void* take(size_t bytes) {
    size_t size = sizeClass(bytes);
    std::unique_lock<std::mutex> lock(mutex);
    auto found = blocks.find(size);
    if (found != blocks.end() && !found->second.empty()) {
      Header* header = found->second.back();
      found->second.pop_back();
      cached -= size;
      grow(size);
      return header + 1;
    }
    if (live + size > limit) fail(bytes);
    if (live + cached + size > limit) releaseLocked();
    if (Header* header = cut(size)) {
      grow(size);
      return header + 1;
    }
    lock.unlock();
    void* memory = nullptr;
    bool huge = size >= kHuge;
    if (posix_memalign(&memory, huge ? size_t{2} << 20 : kAlignment, size + sizeof(Header)) != 0) {
      lock.lock();
      releaseLocked();
      if (posix_memalign(&memory, kAlignment, size + sizeof(Header)) != 0) fail(bytes);
      lock.unlock();
    }
#ifdef MADV_HUGEPAGE
    if (huge) madvise(memory, size, MADV_HUGEPAGE);
#endif
    auto* header = new (memory) Header{size, nullptr};
    lock.lock();
    grow(size);
    return header + 1;
  }
  void give(void* pointer) {
    Header* header = static_cast<Header*>(pointer) - 1;
    std::lock_guard<std::mutex> lock(mutex);
    live -= header->size;
    cached += header->size;
    blocks[header->size].push_back(header);
  }
  void releaseLocked() {
    for (auto& [size, list] : blocks)
      for (Header* header : list) {
        if (header->slab) giveToSlab(header);
        else std::free(header);
      }
    blocks.clear();
    cached = 0;
  }
  /**
   * A block out of a slab; null where blocks of this size are not shared, or the system gives no slab. For inference alone, and what is loaded for
   * it: a training step gained nothing by them (eight pairs of 22 M: 5 % less to 18 % more processor time).
   */
  Header* cut(size_t size) {
#ifdef MADV_HUGEPAGE
    if (size <= kShared || size >= kHuge || !isInference()) return nullptr;
    size_t bytes = size + sizeof(Header);
    if (slab == nullptr || slab->used + bytes > kSlab) {
      void* memory = mmap(nullptr, kSlab + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) return nullptr;
      char *start = static_cast<char*>(memory), *begin = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory) + kHugePage - 1) / kHugePage * kHugePage);
      if (begin > start) munmap(start, static_cast<size_t>(begin - start));
      if (begin < start + kHugePage) munmap(begin + kSlab, static_cast<size_t>(start + kHugePage - begin));
      madvise(begin, kSlab, MADV_HUGEPAGE);
      Slab* old = std::exchange(slab, new Slab{begin});
      if (old && old->blocks == 0) drop(old);
    }
    auto* header = new (slab->begin + slab->used) Header{size, slab};
    slab->used += bytes;
    slab->blocks++;
    return header;
#else
    return nullptr;
#endif
  }
  /** Gives the pages of a block back to the system, and the slab with the last of its blocks. */
  void giveToSlab(Header* header) {
    Slab* from = header->slab;
    static const auto kPage = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    uintptr_t begin = (reinterpret_cast<uintptr_t>(header) + kPage - 1) / kPage * kPage, end = (reinterpret_cast<uintptr_t>(header + 1) + header->size) / kPage * kPage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    if (--from->blocks == 0 && from != slab) drop(from);
  }
  static void drop(Slab* empty) {
    munmap(empty->begin, kSlab);
    delete empty;
  }
  void grow(size_t size) {
    live += size;
    peak = std::max(peak, live);
  }
  [[noreturn]] void fail(size_t bytes) const {
    throw OutOfMemory("asked for " + std::to_string(bytes >> 20) + " MiB with " + std::to_string(live >> 20) + " MiB in use, of " + std::to_string(limit >> 20) +
                      " MiB. Use a smaller batch, a shorter max_length or gradient_checkpointing");
  }
};

// Never destroyed: tensors of other threads may still be freed while the process exits.
Cache& cache() {
  static Cache* instance = new Cache;
  return *instance;
}

void giveBack(void* pointer) {
  if (pointer != nullptr) cache().give(pointer);
}

struct CachingAllocator final : c10::Allocator {
  c10::DataPtr make(size_t bytes) const {
    void* pointer = bytes == 0 ? nullptr : cache().take(bytes);
    return {pointer, pointer, &giveBack, c10::Device(c10::DeviceType::CPU)};
  }
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 3)
  c10::DataPtr allocate(size_t bytes) override { return make(bytes); }
  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }
#elif TORCH_VERSION_MAJOR == 2
  c10::DataPtr allocate(size_t bytes) const override { return make(bytes); }
  void copy_data(void* to, const void* from, size_t count) const override { default_copy_data(to, from, count); }
#else
  c10::DataPtr allocate(size_t bytes) const override { return make(bytes); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &giveBack; }
};

}  // namespace

void installAllocator() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("ANNEAL_SYSTEM_ALLOCATOR") == nullptr) c10::SetCPUAllocator(new CachingAllocator, /*priority=*/1);
  });
}

MemoryStats memoryStats() {
  std::lock_guard<std::mutex> lock(cache().mutex);
  return {static_cast<int64_t>(cache().live), static_cast<int64_t>(cache().cached), static_cast<int64_t>(cache().peak)};
}

void resetPeakMemory() {
  std::lock_guard<std::mutex> lock(cache().mutex);
  cache().peak = cache().live;
}

void releaseCachedMemory() {
  std::lock_guard<std::mutex> lock(cache().mutex);
  cache().releaseLocked();
}

}  // namespace anneal

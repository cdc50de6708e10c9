// Tells the thread sanitizer what Swift's Mutex does where it is contended: for LD_PRELOAD.
//
// Its fast path is compiled into our code, where the sanitizer sees the atomic operations. The slow path is in
// libswiftSynchronization, which is not instrumented: a lock taken there looks like none, and each access under it like
// a race. The word that both paths work on is the handle's first, so what is said of its address here adds to what the
// sanitizer has seen there.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define CONTEXT __attribute__((swift_context))

// Absent in processes that are not instrumented.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

typedef SWIFT void (*lock_function)(uint32_t thread, CONTEXT void *mutex);
typedef SWIFT void (*unlock_function)(CONTEXT void *mutex);

// Synchronization._MutexHandle._lockSlow(UInt32) and _unlockSlow().
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static void *original(const char *name) {
  void *function = dlsym(RTLD_NEXT, name);
  if (!function) abort();
  return function;
}

SWIFT void lock_slow(uint32_t thread, CONTEXT void *mutex) __asm__(LOCK_SLOW);
SWIFT void lock_slow(uint32_t thread, CONTEXT void *mutex) {
  ((lock_function)original(LOCK_SLOW))(thread, mutex);
  if (__tsan_acquire) __tsan_acquire(mutex);
}

SWIFT void unlock_slow(CONTEXT void *mutex) __asm__(UNLOCK_SLOW);
SWIFT void unlock_slow(CONTEXT void *mutex) {
  if (__tsan_release) __tsan_release(mutex);
  ((unlock_function)original(UNLOCK_SLOW))(mutex);
}

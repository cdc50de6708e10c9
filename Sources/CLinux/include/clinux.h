#pragma once
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// System calls that Swift's Glibc module does not offer: GNU extensions and variadic functions.
// Each returns what the call returns and leaves errno alone; KVLinux adds retries and error types.

enum { CLINUX_TOKENS_MAX = 64 };

// What epoll_wait(2) tells of descriptors that are ready.
struct CLinuxTokens {
  uint64_t token[CLINUX_TOKENS_MAX];
};

int clinux_accept(int listener);
int clinux_open_at(int directory, const char *path, int flags, mode_t mode);
int clinux_open_cached(int directory, const char *path);
ssize_t clinux_read_cached(int file, void *buffer, size_t bytes, off_t offset);
int clinux_stream_socket(int family);
int clinux_exchange(int directory, const char *name, int other_directory, const char *other_name);
int clinux_pipe(int ends[2]);
int clinux_set_pipe_size(int pipe, int bytes);
int clinux_duplicate(int descriptor);
int clinux_set_nonblocking(int descriptor);
ssize_t clinux_send_two(int socket, const void *head, size_t head_bytes, const void *body, size_t body_bytes);
ssize_t clinux_splice(int from, int to, size_t bytes, int more);
ssize_t clinux_tee(int from, int to, size_t bytes);
int clinux_sync_file_range(int file, off_t offset, off_t bytes);
int clinux_fallocate(int file, off_t bytes);
int clinux_event_descriptor(void);
int clinux_timer_descriptor(void);
// The time is one of CLOCK_MONOTONIC.
int clinux_timer_set(int timer, int64_t nanoseconds);
int clinux_signal_descriptor(const int *signals, int count);
int clinux_signal_read(int descriptor);
int clinux_epoll_create(void);
int clinux_epoll_watch(int epoll, int descriptor, uint64_t token);
int clinux_epoll_arm(int epoll, int descriptor, uint32_t events, uint64_t token);
int clinux_epoll_wait(int epoll, struct CLinuxTokens *tokens, int count_max, int timeout_milliseconds);
ssize_t clinux_get_attribute(int file, const char *name, void *value, size_t bytes);
int clinux_set_attribute(int file, const char *name, const void *value, size_t bytes);
// To be freed by the caller. With _FORTIFY_SOURCE, Swift cannot import realpath(3) itself.
char *clinux_real_path(const char *path);
int clinux_remove_attribute(int file, const char *name);
void clinux_name_thread(pthread_t thread, const char *name);
const char *clinux_error_text(int code);

enum {
  CLINUX_STREAM = 1,         // SOCK_STREAM
  CLINUX_READABLE = 0x2001,  // EPOLLIN | EPOLLRDHUP
  CLINUX_WRITABLE = 0x0004,  // EPOLLOUT
};

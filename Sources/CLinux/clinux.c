#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(CLINUX_STREAM == SOCK_STREAM, "SOCK_STREAM");
_Static_assert(CLINUX_READABLE == (EPOLLIN | EPOLLRDHUP), "EPOLLIN | EPOLLRDHUP");
_Static_assert(CLINUX_WRITABLE == EPOLLOUT, "EPOLLOUT");

int clinux_accept(int listener) { return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC); }

int clinux_open_at(int directory, const char *path, int flags, mode_t mode) {
  return openat(directory, path, flags | O_CLOEXEC, mode);
}

int clinux_open_cached(int directory, const char *path) {
  struct open_how how = {
      .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
      .resolve = RESOLVE_CACHED | RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
  };
  return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

ssize_t clinux_read_cached(int file, void *buffer, size_t bytes, off_t offset) {
  struct iovec vector = {buffer, bytes};
  return preadv2(file, &vector, 1, offset, RWF_NOWAIT);
}

int clinux_stream_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int clinux_exchange(int directory, const char *name, int other_directory, const char *other_name) {
  return renameat2(directory, name, other_directory, other_name, RENAME_EXCHANGE);
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_NONBLOCK | O_CLOEXEC); }

int clinux_set_pipe_size(int pipe, int bytes) { return fcntl(pipe, F_SETPIPE_SZ, bytes); }

int clinux_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

int clinux_set_nonblocking(int descriptor) {
  int flags = fcntl(descriptor, F_GETFL);
  return flags < 0 ? flags : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

ssize_t clinux_send_two(int socket, const void *head, size_t head_bytes, const void *body, size_t body_bytes) {
  struct iovec parts[2] = {{(void *)head, head_bytes}, {(void *)body, body_bytes}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  return sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t clinux_splice(int from, int to, size_t bytes, int more) {
  return splice(from, 0, to, 0, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more ? SPLICE_F_MORE : 0));
}

ssize_t clinux_tee(int from, int to, size_t bytes) {
  return tee(from, to, bytes, SPLICE_F_NONBLOCK);
}

int clinux_sync_file_range(int file, off_t offset, off_t bytes) {
  return sync_file_range(file, offset, bytes, SYNC_FILE_RANGE_WRITE);
}

int clinux_fallocate(int file, off_t bytes) { return fallocate(file, 0, 0, bytes); }

int clinux_event_descriptor(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int clinux_timer_descriptor(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); }

int clinux_timer_set(int timer, int64_t nanoseconds) {
  struct itimerspec specification = {{0, 0}, {nanoseconds / 1000000000, nanoseconds % 1000000000}};
  return timerfd_settime(timer, TFD_TIMER_ABSTIME, &specification, 0);
}

int clinux_signal_descriptor(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  int code = pthread_sigmask(SIG_BLOCK, &set, 0);
  if (code) return errno = code, -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int clinux_signal_read(int descriptor) {
  struct signalfd_siginfo information;
  ssize_t count = read(descriptor, &information, sizeof information);
  return count == sizeof information ? (int)information.ssi_signo : -1;
}

int clinux_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_epoll_watch(int epoll, int descriptor, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = token};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int clinux_epoll_arm(int epoll, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = token};
  int result = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
  if (result < 0 && errno == ENOENT) result = epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
  return result;
}

int clinux_epoll_wait(int epoll, struct CLinuxTokens *tokens, int count_max, int timeout_milliseconds) {
  struct epoll_event events[CLINUX_TOKENS_MAX];
  int count = epoll_wait(epoll, events, count_max, timeout_milliseconds);
  for (int i = 0; i < count; i++) tokens->token[i] = events[i].data.u64;
  return count;
}

ssize_t clinux_get_attribute(int file, const char *name, void *value, size_t bytes) {
  return fgetxattr(file, name, value, bytes);
}

int clinux_set_attribute(int file, const char *name, const void *value, size_t bytes) {
  return fsetxattr(file, name, value, bytes, 0);
}

char *clinux_real_path(const char *path) { return realpath(path, 0); }

int clinux_remove_attribute(int file, const char *name) { return fremovexattr(file, name); }

// A name of more than 15 characters would be refused, and nothing depends on it.
void clinux_name_thread(pthread_t thread, const char *name) { pthread_setname_np(thread, name); }

const char *clinux_error_text(int code) {
  const char *text = strerrordesc_np(code);
  return text ? text : "Unknown error";
}

// What the kernel takes to store a value three times, and nothing else: the yardstick of bench/copies.
//
//   bare-loop store ADDRESS DIRECTORY [ADDRESS...]   writes what it receives to a file, and sends it on to the others
//   bare-loop forward ADDRESS ADDRESS                moves what it receives to the other by splice(2)
//
// An ADDRESS is IP:PORT. It understands a PUT with a Content-Length over HTTP/1.1, on a connection that is kept, and
// answers 201 when all others have. One thread a connection, one buffer, blocking calls in a row; no checksum, no
// round, no sync, no limits, and at the first error it ends: a measuring stick, and no model for anything that stores
// values.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, HEAD_BYTES = 4096, MOST_OTHERS = 7 };

static const char *directory;  // of mode store; without it all is forwarded
static const char *others[MOST_OTHERS];
static int other_count;

static void end(const char *what) {
  fprintf(stderr, "bare-loop: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void refuse(const char *what) {
  fprintf(stderr, "bare-loop: %s\n", what);
  exit(1);
}

static struct sockaddr_in parse_address(const char *text) {
  char ip[INET_ADDRSTRLEN];
  unsigned short port;
  struct sockaddr_in address = {.sin_family = AF_INET};
  if (sscanf(text, "%15[0-9.]:%hu", ip, &port) != 2 || inet_pton(AF_INET, ip, &address.sin_addr) != 1) {
    fprintf(stderr, "bare-loop: no address: %s\n", text);
    exit(64);
  }
  address.sin_port = htons(port);
  return address;
}

static int connect_to(const char *text) {
  struct sockaddr_in address = parse_address(text);
  int one = 1, connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(connection, (void *)&address, sizeof address)) end(text);
  // The last segment of a value must not wait for an acknowledgement.
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return connection;
}

static void send_all(int connection, const char *bytes, size_t count, int flags) {
  while (count > 0) {
    ssize_t sent = send(connection, bytes, count, flags);
    if (sent < 0) end("send");
    bytes += sent, count -= sent;
  }
}

static void write_all(int file, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t written = write(file, bytes, count);
    if (written < 0) end("write");
    bytes += written, count -= written;
  }
}

// Receives a head and not a byte more, with a NUL behind it; false where the connection ends instead.
static bool receive_head(int connection, char head[HEAD_BYTES + 1]) {
  for (;;) {
    ssize_t seen = recv(connection, head, HEAD_BYTES, MSG_PEEK);
    if (seen <= 0) return false;
    head[seen] = 0;
    char *last = strstr(head, "\r\n\r\n");
    if (!last) {
      // The rest is on its way. Heads come in one piece here, so that this hardly ever turns.
      if (seen == HEAD_BYTES) refuse("a head is too long");
      continue;
    }
    size_t length = last + 4 - head;
    if (recv(connection, head, length, MSG_WAITALL) != (ssize_t)length) return false;
    head[length] = 0;
    return true;
  }
}

static size_t content_length(const char *head) {
  const char *field = strcasestr(head, "\r\nContent-Length:");
  if (!field) refuse("a head without Content-Length");
  return strtoull(field + strlen("\r\nContent-Length:"), NULL, 10);
}

// The answer of another: 201 and no body, or all ends.
static void receive_answer(int connection) {
  char head[HEAD_BYTES + 1];
  if (!receive_head(connection, head) || strncmp(head, "HTTP/1.1 201 ", 13)) refuse("another has not stored the value");
}

static void store_body(int client, const int *connections, const char *key, size_t length, char *buffer) {
  char path[PATH_MAX], staged[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", directory, key);
  snprintf(staged, sizeof staged, "%s/.%s.%d", directory, key, client);
  int file = open(staged, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) end(staged);
  while (length > 0) {
    ssize_t received = recv(client, buffer, length < BUFFER_BYTES ? length : BUFFER_BYTES, 0);
    if (received <= 0) refuse("a value ends early");
    write_all(file, buffer, received);
    for (int other = 0; other < other_count; other++) send_all(connections[other], buffer, received, 0);
    length -= received;
  }
  close(file);
  if (rename(staged, path)) end(path);
}

static void forward_body(int client, int connection, size_t length, const int pipe_ends[2]) {
  while (length > 0) {
    ssize_t taken = splice(client, NULL, pipe_ends[1], NULL, length < BUFFER_BYTES ? length : BUFFER_BYTES,
                           SPLICE_F_MOVE | SPLICE_F_MORE);
    if (taken <= 0) refuse("a value ends early");
    length -= taken;
    while (taken > 0) {
      ssize_t given = splice(pipe_ends[0], NULL, connection, NULL, taken, SPLICE_F_MOVE | (length ? SPLICE_F_MORE : 0));
      if (given <= 0) end("splice");
      taken -= given;
    }
  }
}

static void *serve(void *argument) {
  int client = (long)argument, one = 1, connections[MOST_OTHERS], pipe_ends[2];
  char head[HEAD_BYTES + 1], key[NAME_MAX + 1], *buffer = malloc(BUFFER_BYTES);
  if (pipe2(pipe_ends, O_CLOEXEC) || fcntl(pipe_ends[0], F_SETPIPE_SZ, BUFFER_BYTES) < 0) end("pipe");
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (int other = 0; other < other_count; other++) connections[other] = connect_to(others[other]);
  while (receive_head(client, head)) {
    if (sscanf(head, "PUT /%255[a-zA-Z0-9-] ", key) != 1) refuse("no PUT");
    for (int other = 0; other < other_count; other++) send_all(connections[other], head, strlen(head), MSG_MORE);
    if (directory) {
      store_body(client, connections, key, content_length(head), buffer);
    } else {
      forward_body(client, connections[0], content_length(head), pipe_ends);
    }
    for (int other = 0; other < other_count; other++) receive_answer(connections[other]);
    const char *answer = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    send_all(client, answer, strlen(answer), 0);
  }
  for (int other = 0; other < other_count; other++) close(connections[other]);
  close(pipe_ends[0]), close(pipe_ends[1]), close(client), free(buffer);
  return NULL;
}

static void listen_at(const char *text) {
  struct sockaddr_in address = parse_address(text);
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 64)) end(text);
  for (;;) {
    pthread_t thread;
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0 || pthread_create(&thread, NULL, serve, (void *)(long)client)) end("accept");
    pthread_detach(thread);
  }
}

int main(int count, char **arguments) {
  bool stores = count >= 4 && !strcmp(arguments[1], "store");
  if (!stores && (count != 4 || strcmp(arguments[1], "forward"))) {
    fputs("usage: bare-loop store ADDRESS DIRECTORY [ADDRESS...] | bare-loop forward ADDRESS ADDRESS\n", stderr);
    return 64;
  }
  if (stores) directory = arguments[3];
  for (int next = stores ? 4 : 3; next < count; next++) {
    if (other_count == MOST_OTHERS) return 64;
    others[other_count++] = arguments[next];
  }
  signal(SIGPIPE, SIG_IGN);
  listen_at(arguments[2]);
}

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <sys/socket.h>

// What OpenSSL has as macros, which Swift does not see.
static inline void ccrypto_set_modes(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_read_ahead(context, 1);
  // What can be taken up again stands in tickets, and costs no memory here.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // The usual second one costs a whole connection some percent of its handshake, and few take more than one up.
  SSL_CTX_set_num_tickets(context, 1);
}

static inline int ccrypto_set_minimum_version(SSL_CTX *context, int version) {
  return SSL_CTX_set_min_proto_version(context, version);
}

static inline int ccrypto_tls12(void) { return TLS1_2_VERSION; }
static inline int ccrypto_tls13(void) { return TLS1_3_VERSION; }

// The system's error that a code of OpenSSL's stands for, or 0.
static inline int ccrypto_system_error(unsigned long code) { return ERR_SYSTEM_ERROR(code) ? ERR_GET_REASON(code) : 0; }

static inline long ccrypto_set_server_name(SSL *session, const char *name) {
  return SSL_set_tlsext_host_name(session, (void *)name);
}

static inline void ccrypto_free(void *bytes) { OPENSSL_free(bytes); }

// OpenSSL's way to a socket, but for the signal that write(2) sends where the other side has gone.
static inline int ccrypto_socket_write(BIO *bio, const char *bytes, int count) {
  int socket = -1;
  BIO_get_fd(bio, &socket);
  BIO_clear_retry_flags(bio);
  int sent = (int)send(socket, bytes, (size_t)count, MSG_NOSIGNAL);
  if (sent < 0 && BIO_sock_should_retry(sent)) BIO_set_retry_write(bio);
  return sent;
}

// Stands in the place of how much may be read.
static const intptr_t ccrypto_ended = -1;

// And so much, and no more, for each call of OpenSSL's: it goes on reading while there are records without a byte for us, and
// the other side can send those without end. What is left makes the socket readable again.
static inline int ccrypto_socket_read(BIO *bio, char *bytes, int count) {
  intptr_t allowed = (intptr_t)BIO_get_app_data(bio);
  int socket = -1;
  BIO_get_fd(bio, &socket);
  BIO_clear_retry_flags(bio);
  if (allowed <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  int received = (int)recv(socket, bytes, (size_t)count, 0);
  if (received > 0) BIO_set_app_data(bio, (void *)(allowed - received));
  if (received < 0 && BIO_sock_should_retry(received)) BIO_set_retry_read(bio);
  if (received == 0) {
    // OpenSSL would take an end that nobody has announced for the end of both directions.
    BIO_set_app_data(bio, (void *)ccrypto_ended);
    BIO_set_retry_read(bio);
    return -1;
  }
  return received;
}

// Whether the last call has come to the end of what the other side sends.
static inline int ccrypto_has_ended(SSL *session) {
  return (intptr_t)BIO_get_app_data(SSL_get_rbio(session)) == ccrypto_ended;
}

static inline void ccrypto_allow_reading(SSL *session, int count) {
  // What BIO_set_data(3) keeps belongs to OpenSSL's own methods, which are used besides.
  BIO_set_app_data(SSL_get_rbio(session), (void *)(intptr_t)count);
}

static inline BIO_METHOD *ccrypto_socket_method(void) {
  const BIO_METHOD *usual = BIO_s_socket();
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "socket");
  if (!method) return 0;
  BIO_meth_set_write(method, ccrypto_socket_write);
  BIO_meth_set_read(method, ccrypto_socket_read);
  BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(usual));
  BIO_meth_set_create(method, BIO_meth_get_create(usual));
  BIO_meth_set_destroy(method, BIO_meth_get_destroy(usual));
  return method;
}

// The session's way to a socket, which it does not close.
static inline int ccrypto_set_socket(SSL *session, BIO_METHOD *method, int socket) {
  BIO *bio = BIO_new(method);
  if (!bio) return 0;
  BIO_set_fd(bio, socket, BIO_NOCLOSE);
  SSL_set_bio(session, bio, bio);
  return 1;
}

// Whoever comes with a ticket that can be read is known again; others go through the whole handshake.
static inline SSL_TICKET_RETURN ccrypto_take_ticket(
    SSL *session, SSL_SESSION *earlier, const unsigned char *name, size_t nameCount, SSL_TICKET_STATUS status, void *argument) {
  if (status == SSL_TICKET_SUCCESS) return SSL_TICKET_RETURN_USE;
  return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
}

static inline STACK_OF(X509_NAME) *ccrypto_no_names(void) { return sk_X509_NAME_new_null(); }

static inline EVP_PKEY *ccrypto_make_key(void) { return EVP_EC_gen("P-256"); }

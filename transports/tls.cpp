// TLS 1.3 (RFC 8446) by OpenSSL 3 over a connected stream socket: unix_stream's and tcp's mechanism, each
// message encrypted (AES-256-GCM) and authenticated in records of up to 16 KiB. What a case of it costs more
// than the same case without is the price of encryption, in each record 22 B of the link's capacity with it.
//
// Each link has a key and a certificate of its own, made with it and known to its two sides alone: both must
// show it. Who has only found the socket is sent away by the handshake (and who says nothing at all keeps its
// listener waiting).
//
// OpenSSL's engine serves both directions and belongs to one thread at a time, while a direction may sleep in
// the kernel. So it is never given the socket: a record is made or opened under a lock, and sent or received
// outside of it, which costs each record a lock and one copy more each way. A record comes in by two calls,
// its head and the rest, and nothing is read beyond it: as OpenSSL does unless it is asked to read ahead.
// Between an attempt that said `again` and its repetition a whole record may wait here, as a part of a
// message does on any stream; finish() sends it first.
//
// Extra: tls_tcp, tls_unix_stream (pkg-config openssl, Debian package libssl-dev)

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "harness/fail.h"
#include "harness/sockets.h"
#include "harness/tcp_listener.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

// RFC 8446, 5.1 and 5.2: a header with the record's length in its last two bytes, then the encrypted content
// with its type (1 B) and the cipher's tag (16 B).
constexpr std::size_t header_bytes = 5, added_bytes = header_bytes + 1 + 16, most_in_record = 16'384;

[[noreturn]] void fail_in(const char* call) {
  const char* reason = ERR_reason_error_string(ERR_get_error());
  throw std::system_error(EPROTO, std::generic_category(),
                          fmt::format("{}: {}", call, reason != nullptr ? reason : "no reason given"));
}

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};
template <class T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

using Context = Owned<SSL_CTX, SSL_CTX_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;

// Signed with its own key, and valid for a day.
Certificate make_certificate(EVP_PKEY* key) {
  constexpr long day_seconds = 86'400, clock_may_step_seconds = 3'600, version_3 = 2;
  Certificate certificate(X509_new());
  if (!certificate) fail_in("X509_new");
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>("ipcmark");
  if (X509_set_version(certificate.get(), version_3) != 1 ||
      ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) != 1 ||
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -clock_may_step_seconds) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), day_seconds) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1 ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) != 1 ||
      X509_set_issuer_name(certificate.get(), name) != 1 ||
      X509_sign(certificate.get(), key, EVP_sha256()) == 0) {
    fail_in("making a certificate");
  }
  return certificate;
}

// Of both sides of one link, which trust its certificate and no other.
Context make_context() {
  const Key key(EVP_EC_gen("P-256"));
  if (!key) fail_in("EVP_EC_gen");
  const Certificate certificate = make_certificate(key.get());
  Context context(SSL_CTX_new(TLS_method()));
  if (!context) fail_in("SSL_CTX_new");
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_256_GCM_SHA384") != 1 ||
      SSL_CTX_use_certificate(context.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1 ||
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), certificate.get()) != 1 ||
      SSL_CTX_set_num_tickets(context.get(), 0) != 1) {
    fail_in("SSL_CTX");
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

// One side of a connection without a socket: records come in and go out as bytes. Thread-safe.
class TlsEngine {
 public:
  enum class Outcome { done, needs_record, ended };

  TlsEngine(SSL_CTX& context, unsigned side) : ssl_(SSL_new(&context)) {
    if (!ssl_) fail_in("SSL_new");
    side == 0 ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
    BIO* bio = BIO_new(method());
    if (bio == nullptr) fail_in("BIO_new");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
  }
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  // A step of the handshake. `record`: what has come, empty before the first; `to_send` becomes the answer,
  // also when the other side is refused, for the reason that is then `refusal`.
  Outcome shake_hands(std::span<const std::byte> record, std::vector<std::byte>& to_send,
                      std::exception_ptr& refusal) {
    const std::lock_guard lock(mutex_);
    incoming_ = record;
    const int result = call([&] { return SSL_do_handshake(ssl_.get()); });
    take_outgoing(to_send);
    try {
      return outcome_of(result, "TLS handshake");
    } catch (const std::system_error&) {
      refusal = std::current_exception();
      return Outcome::ended;
    }
  }

  // At most most_in_record bytes; `to_send` becomes the record.
  void seal(std::span<const std::byte> bytes, std::vector<std::byte>& to_send) {
    const std::lock_guard lock(mutex_);
    if (call([&] { return SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }) <= 0) {
      fail_in("SSL_write");
    }
    take_outgoing(to_send);
  }
  // The record that says that no more will come.
  void seal_end(std::vector<std::byte>& to_send) {
    const std::lock_guard lock(mutex_);
    if (call([&] { return SSL_shutdown(ssl_.get()); }) < 0) fail_in("SSL_shutdown");
    take_outgoing(to_send);
  }

  // Of a record that has come, or of what is left of the last one if `record` is empty, as much as goes into
  // `bytes`; `got` says how much, `left` how much of it stays for the next call.
  Outcome open(std::span<const std::byte> record, std::span<std::byte> bytes, std::size_t& got,
               std::size_t& left) {
    const std::lock_guard lock(mutex_);
    incoming_ = record;
    const int result = call([&] { return SSL_read_ex(ssl_.get(), bytes.data(), bytes.size(), &got); });
    left = static_cast<std::size_t>(SSL_pending(ssl_.get()));
    return outcome_of(result, "SSL_read");
  }

 private:
  template <class Call>
  static int call(Call call_it) {
    ERR_clear_error();  // SSL_get_error(3) looks at this thread's
    return call_it();
  }
  Outcome outcome_of(int result, const char* call) const {
    if (result > 0) return Outcome::done;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Outcome::needs_record;
      case SSL_ERROR_ZERO_RETURN:
        return Outcome::ended;
      default:
        fail_in(call);
    }
  }
  // Into what has been sent by now. Behind a record that has not, as at the end of the stream.
  void take_outgoing(std::vector<std::byte>& to_send) {
    if (to_send.empty()) to_send.swap(outgoing_);
    to_send.insert(to_send.end(), outgoing_.begin(), outgoing_.end());
    outgoing_.clear();
  }

  // What OpenSSL takes for its transport.
  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* one = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records in memory");
      if (one == nullptr || BIO_meth_set_write(one, write) != 1 || BIO_meth_set_read(one, read) != 1 ||
          BIO_meth_set_ctrl(one, control) != 1) {
        fail_in("BIO_meth_new");
      }
      return one;
    }();
    return made;
  }
  static TlsEngine& of(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }
  static int write(BIO* bio, const char* bytes, int count) {
    const auto* first = reinterpret_cast<const std::byte*>(bytes);
    of(bio).outgoing_.insert(of(bio).outgoing_.end(), first, first + count);
    return count;
  }
  static int read(BIO* bio, char* bytes, int count) {
    BIO_clear_retry_flags(bio);
    std::span<const std::byte>& incoming = of(bio).incoming_;
    if (incoming.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t some = std::min(incoming.size(), static_cast<std::size_t>(count));
    std::memcpy(bytes, incoming.data(), some);
    incoming = incoming.subspan(some);
    return static_cast<int>(some);
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  std::mutex mutex_;
  Owned<SSL, SSL_free> ssl_;
  std::span<const std::byte> incoming_;  // of the record that has come, what has not been read
  std::vector<std::byte> outgoing_;
};

// A record on its way in.
class IncomingRecord {
 public:
  // Takes what there is; as read(2) does, 1 once the record is whole.
  ssize_t fetch(int fd, Wait wait) {
    for (;;) {
      const std::size_t whole = got_ < header_bytes ? header_bytes : bytes_in_all();
      if (got_ == whole && whole > header_bytes) return 1;
      const ssize_t taken = SocketOperations::take(fd, bytes_.data() + got_, whole - got_, wait);
      if (got_ > 0 && (taken == 0 || (taken < 0 && means_gone(errno)))) {
        throw std::system_error(EPROTO, std::generic_category(),
                                fmt::format("end of stream {} B into a TLS record", got_));
      }
      if (taken <= 0) return taken;
      got_ += static_cast<std::size_t>(taken);
    }
  }
  // The whole one; the next fetch begins a new one.
  std::span<const std::byte> take() { return std::span(bytes_).first(std::exchange(got_, 0)); }

 private:
  std::size_t bytes_in_all() const {
    const std::size_t length =
        std::to_integer<std::size_t>(bytes_[3]) << 8 | std::to_integer<std::size_t>(bytes_[4]);
    if (length == 0 || header_bytes + length > bytes_.size()) {
      throw std::system_error(EPROTO, std::generic_category(), "this is no record of TLS");
    }
    return header_bytes + length;
  }

  std::vector<std::byte> bytes_ = std::vector<std::byte>(header_bytes + most_in_record + 256);
  std::size_t got_ = 0;
};

// Of one direction, as ByteStreamSender and ByteStreamReceiver use it (harness/byte_stream.h).
class TlsOperations {
 public:
  static constexpr const char* put_name = "send of a TLS record";
  static constexpr const char* take_name = "recv of a TLS record";

  explicit TlsOperations(std::shared_ptr<TlsEngine> engine) : engine_(std::move(engine)) {}

  ssize_t put(int fd, const std::byte* bytes, std::size_t count, Wait wait) {
    if (!holds_bytes()) {
      taken_ = std::min(count, most_in_record);
      engine_->seal({bytes, taken_}, record_);
    }
    const ssize_t sent = send_record(fd, wait);
    return sent < 0 ? sent : static_cast<ssize_t>(taken_);
  }
  ssize_t put_parts(int fd, std::span<iovec> parts, Wait wait) {
    if (!holds_bytes()) {
      gathered_.clear();
      for (const iovec& part : parts) {
        const auto* first = static_cast<const std::byte*>(part.iov_base);
        gathered_.insert(gathered_.end(), first,
                         first + std::min(part.iov_len, most_in_record - gathered_.size()));
      }
    }
    return put(fd, gathered_.data(), gathered_.size(), wait);
  }
  bool holds_bytes() const { return !record_.empty(); }

  Io end(Descriptor& stream, Wait wait) {
    if (!end_sealed_) engine_->seal_end(record_);
    end_sealed_ = true;
    while (holds_bytes() && send_record(stream.get(), wait) < 0) {
      if (means_again(errno)) return Io::again;
      if (means_gone(errno)) break;
      if (errno != EINTR) fail(put_name);
    }
    return SocketOperations::end(stream, wait);
  }

  ssize_t take(int fd, std::byte* bytes, std::size_t count, Wait wait) {
    while (!ended_) {
      std::span<const std::byte> record;
      if (left_ == 0) {
        if (const ssize_t fetched = incoming_.fetch(fd, wait); fetched <= 0) return fetched;
        record = incoming_.take();
      }
      std::size_t got = 0;
      const TlsEngine::Outcome outcome = engine_->open(record, {bytes, count}, got, left_);
      if (outcome == TlsEngine::Outcome::done) return static_cast<ssize_t>(got);
      ended_ = outcome == TlsEngine::Outcome::ended;
    }
    return 0;
  }

 private:
  // Until all of it has gone; as send(2) does.
  ssize_t send_record(int fd, Wait wait) {
    while (sent_ < record_.size()) {
      const ssize_t sent = SocketOperations::put(fd, record_.data() + sent_, record_.size() - sent_, wait);
      if (sent < 0) return sent;
      sent_ += static_cast<std::size_t>(sent);
    }
    record_.clear();
    return static_cast<ssize_t>(std::exchange(sent_, 0));
  }

  std::shared_ptr<TlsEngine> engine_;
  // A record on its way out, and how many of the caller's bytes are in it.
  std::vector<std::byte> record_, gathered_;
  std::size_t sent_ = 0, taken_ = 0;
  bool end_sealed_ = false;
  IncomingRecord incoming_;
  std::size_t left_ = 0;  // in the engine, of the last record
  bool ended_ = false;
};

// Sleeps until both sides know each other. Null when the other one cannot show the key, says something else
// or has gone, and `refusal` says which.
std::shared_ptr<TlsEngine> shake_hands(SSL_CTX& context, int fd, unsigned side, std::exception_ptr& refusal) {
  auto engine = std::make_shared<TlsEngine>(context, side);
  IncomingRecord incoming;
  std::span<const std::byte> record;
  for (;;) {
    std::vector<std::byte> to_send;
    const TlsEngine::Outcome outcome = engine->shake_hands(record, to_send, refusal);
    for (std::size_t sent = 0; sent < to_send.size();) {
      const ssize_t some =
          SocketOperations::put(fd, to_send.data() + sent, to_send.size() - sent, Wait::block);
      if (some < 0 && means_gone(errno)) break;
      if (some < 0 && errno != EINTR) fail("send of a TLS handshake");
      sent += some < 0 ? 0 : static_cast<std::size_t>(some);
    }
    if (refusal) return nullptr;
    if (outcome == TlsEngine::Outcome::done) return engine;
    ssize_t fetched;
    try {
      while ((fetched = incoming.fetch(fd, Wait::block)) < 0 && !means_gone(errno)) {
        if (errno != EINTR) fail("recv of a TLS handshake");
      }
      if (fetched <= 0) throw std::system_error(ECONNRESET, std::generic_category(), "TLS handshake");
    } catch (const std::system_error&) {
      refusal = std::current_exception();
      return nullptr;
    }
    record = incoming.take();
  }
}

class TlsPeer : public ByteStreamSender<TlsOperations>, public ByteStreamReceiver<TlsOperations> {
 public:
  // Over a connected socket whose sides have shaken hands.
  TlsPeer(const std::shared_ptr<TlsEngine>& engine, Descriptor socket, const Shape& shape)
      : ByteStreamSender(duplicate(socket), shape.send_wait, TlsOperations(engine)),
        ByteStreamReceiver(std::move(socket), shape.receive_wait, TlsOperations(engine)) {}
  int fd() const { return ByteStreamReceiver<TlsOperations>::fd(); }
  std::optional<CapacityFacts::Limit> limit() const { return send_buffer_limit(fd()); }
};

// What the socket has to hold: records. Whether there is room for one shows only once it has been made, and
// then it must go, because the next one counts on it.
Shape in_records(std::string_view transport, Shape shape) {
  if (shape.overflow != Overflow::wait) {
    throw Unsupported(fmt::format("{}: overflow {}: a message that has been encrypted cannot be withheld",
                                  transport, to_string(shape.overflow)));
  }
  const std::size_t records =
      std::max<std::size_t>(1, (shape.message_bytes + most_in_record - 1) / most_in_record);
  shape.message_bytes = std::min(shape.message_bytes, most_in_record) + added_bytes;
  if (__builtin_mul_overflow(shape.capacity.messages, records, &shape.capacity.messages)) {
    shape.capacity.messages = UINT64_MAX;
  }
  return shape;
}

constexpr Facts tls_facts(std::string_view summary, Facts::Naming naming, Facts::Scope scope) {
  return {.summary = summary,
          .model = Facts::Model::message_passing,
          .naming = naming,
          .asks_for_credentials = true,
          .addressing = Facts::Addressing::symmetric,
          .establishment = Facts::Establishment::explicit_link,
          .unit = Facts::Unit::bytes,
          .scope = scope,
          .standard = Facts::Standard::none,
          .send_waits = descriptor_waits,
          .receive_waits = descriptor_waits,
          .open_is_rendezvous = true,
          .sender_sees_death = true,
          .receiver_sees_death = true,
          .sealed = true};
}

// A side's end. `connected()` makes or accepts a connection, and is asked again where who came is no side of
// the link, if `anybody` may come.
template <class Connected>
TlsPeer open_tls(SSL_CTX& context, unsigned side, const Shape& shape, bool anybody, Connected connected) {
  for (;;) {
    Descriptor socket = connected();
    std::exception_ptr refusal;
    if (const auto engine = shake_hands(context, socket.get(), side, refusal)) {
      return {engine, std::move(socket), shape};
    }
    if (!anybody) std::rethrow_exception(refusal);
  }
}

class TlsOverUnixStream {
 public:
  static constexpr std::string_view name = "tls_unix_stream";
  static constexpr Facts facts =
      tls_facts("TLS 1.3 over a Unix domain stream socket", Facts::Naming::path, Facts::Scope::machine);

  explicit TlsOverUnixStream(const Shape& shape)
      : shape_(shape), listener_(name, SOCK_STREAM, in_records(name, shape)), context_(make_context()) {}

  TlsPeer open_peer(unsigned side, Meeting&) {
    return open_tls(*context_, side, shape_, side == 1, [&] { return listener_.open(side); });
  }

 private:
  Shape shape_;
  UnixListener listener_;
  Context context_;
};

class TlsOverTcp {
 public:
  static constexpr std::string_view name = "tls_tcp";
  static constexpr Facts facts =
      tls_facts("TLS 1.3 over TCP over loopback, TCP_NODELAY", Facts::Naming::address, Facts::Scope::network);

  explicit TlsOverTcp(const Shape& shape)
      : shape_(shape), listener_(name, in_records(name, shape), true), context_(make_context()) {}

  TlsPeer open_peer(unsigned side, Meeting& meeting) {
    return open_tls(*context_, side, shape_, false, [&] { return listener_.open(side, meeting); });
  }

 private:
  Shape shape_;
  TcpListener listener_;
  Context context_;
};

IPCMARK_TRANSPORT(TlsOverUnixStream);
IPCMARK_TRANSPORT(TlsOverTcp);

}  // namespace
}  // namespace ipcmark

// Any other transport's messages sealed: each is encrypted and authenticated with AES-256-GCM (NIST SP
// 800-38D, by OpenSSL 3) and handed to the link beneath as one message, longer by 28 B: the nonce, what was
// sent, the tag. What a case of it costs more than the same case without is the price of encryption where no
// connection is made, mailboxes included; over connections there is TLS too (transports/tls.cpp).
//
// Each link has a key of its own, which only relatives of its maker know. A nonce is 64 bits that a sender
// draws when it opens its end, and again after 2^32 messages, and the number of the message since. So what
// was sealed by others, changed, or comes a second time, the receiver refuses; what is withheld it does not
// miss, and of several receivers each could be given what another one has had. Marks at the end of a stream
// and a rendezvous's acknowledgements are the link's beneath, and not sealed.
//
// Extra: sealed_pipe, sealed_posix_mq (pkg-config openssl, Debian package libssl-dev)

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "harness/fail.h"
#include "workloads/registry.h"

namespace ipcmark {
namespace {

using Key = std::array<unsigned char, 32>;
constexpr std::size_t drawn_bytes = 8, number_bytes = 4, nonce_bytes = drawn_bytes + number_bytes;
constexpr std::size_t tag_bytes = 16, added_bytes = nonce_bytes + tag_bytes;
constexpr std::uint64_t most_bytes = (std::uint64_t{1} << 36) - 32;  // by one nonce (SP 800-38D, 5.2.1.1)

[[noreturn]] void fail_in(const char* call) {
  const char* reason = ERR_reason_error_string(ERR_get_error());
  throw std::system_error(EIO, std::generic_category(),
                          fmt::format("{}: {}", call, reason != nullptr ? reason : "no reason given"));
}

void fill_at_random(void* memory, std::size_t bytes) {
  if (getrandom(memory, bytes, 0) != static_cast<ssize_t>(bytes)) fail("getrandom");
}

unsigned char* bytes_of(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* bytes_of(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// One direction's cipher with the link's key.
class Cipher {
 public:
  enum Direction : int { opens = 0, seals = 1 };

  Cipher(const Key& key, Direction direction) : context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free) {
    if (context_ == nullptr) fail_in("EVP_CIPHER_CTX_new");
    if (EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key.data(), nullptr, direction) != 1)
      fail_in("EVP_CipherInit_ex");
  }

  // `sealed` begins with the nonce.
  void seal(std::span<const std::byte> message, std::span<std::byte> sealed) {
    run(sealed.data(), message, sealed.data() + nonce_bytes);
    int bytes = 0;
    if (EVP_CipherFinal_ex(context_.get(), nullptr, &bytes) != 1) fail_in("EVP_CipherFinal_ex");
    control(EVP_CTRL_GCM_GET_TAG, sealed.last(tag_bytes).data());
  }

  // Whether it was sealed with this key and is as it was then.
  bool open(std::span<std::byte> sealed, std::span<std::byte> message) {
    run(sealed.data(), sealed.subspan(nonce_bytes, message.size()), message.data());
    control(EVP_CTRL_GCM_SET_TAG, sealed.last(tag_bytes).data());
    int bytes = 0;
    return EVP_CipherFinal_ex(context_.get(), nullptr, &bytes) == 1;
  }

 private:
  void run(const std::byte* nonce, std::span<const std::byte> from, std::byte* to) {
    constexpr std::size_t most_at_once = std::size_t{1} << 30;  // an int's worth
    if (EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, bytes_of(nonce), -1) != 1)
      fail_in("EVP_CipherInit_ex");
    for (std::size_t at = 0, bytes; at < from.size(); at += bytes) {
      bytes = std::min(from.size() - at, most_at_once);
      int written = 0;
      if (EVP_CipherUpdate(context_.get(), bytes_of(to + at), &written, bytes_of(from.data() + at),
                           static_cast<int>(bytes)) != 1) {
        fail_in("EVP_CipherUpdate");
      }
    }
  }
  void control(int what, std::byte* tag) {
    if (EVP_CIPHER_CTX_ctrl(context_.get(), what, static_cast<int>(tag_bytes), tag) != 1)
      fail_in("EVP_CIPHER_CTX_ctrl");
  }

  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context_;
};

// An end of the link beneath, and what seals and opens by it.
class SealedEnd {
 public:
  SealedEnd(std::unique_ptr<AnyEndpoint> end, const Shape& shape, const Key& key)
      : end_(std::move(end)),
        repeats_(shape.overflow == Overflow::wait),
        seals_(key, Cipher::seals),
        opens_(key, Cipher::opens),
        drawn_(draw()),
        outgoing_(shape.message_bytes + added_bytes),
        incoming_(shape.message_bytes + added_bytes) {}

  Io send(std::span<const std::byte> message) {
    return send_by(message, [this](std::span<const std::byte> sealed) { return end_->send(sealed); });
  }
  Io send_sized(std::span<const std::byte> message) {
    return send_by(message, [this](std::span<const std::byte> sealed) { return end_->send_sized(sealed); });
  }
  Io finish() { return end_->finish(); }
  void wait_to_send() { end_->wait_to_send(); }
  Io drop_oldest() { return end_->drop_oldest(); }
  bool within_message() const { return end_->within_message(); }
  Backlog peak_backlog() { return end_->peak_backlog(); }
  std::uint64_t most_messages() { return end_->most_messages(); }
  std::vector<MechanismFigure> figures() { return end_->figures(); }

  Io receive(std::span<std::byte> message) {
    const std::span<std::byte> sealed = room_for(message.size(), incoming_);
    const Io io = end_->receive(sealed);
    if (io == Io::done) open(sealed, message);
    return io;
  }
  Io receive_sized(std::span<std::byte> buffer, std::size_t& message_bytes) {
    std::size_t bytes = 0;
    const Io io = end_->receive_sized(incoming_, bytes);
    if (io != Io::done) return io;
    if (bytes < added_bytes) refuse("is shorter than any that is sealed");
    message_bytes = bytes - added_bytes;
    open(std::span(incoming_).first(bytes), buffer.first(message_bytes));
    return io;
  }
  void wait_to_receive() { end_->wait_to_receive(); }

  std::optional<CapacityFacts::Limit> limit() const { return end_->limit(); }
  int fd() const { return end_->fd(); }

 private:
  static std::uint64_t draw() {
    std::uint64_t drawn;
    fill_at_random(&drawn, sizeof drawn);
    return drawn;
  }

  static std::span<std::byte> room_for(std::size_t message_bytes, std::vector<std::byte>& sealed) {
    if (message_bytes + added_bytes > sealed.size()) {
      throw std::length_error(fmt::format("{} B in a message of a link of smaller ones", message_bytes));
    }
    return std::span(sealed).first(message_bytes + added_bytes);
  }

  [[noreturn]] static void refuse(std::string_view why) {
    throw std::system_error(EBADMSG, std::generic_category(), fmt::format("open: a message {}", why));
  }

  template <class Send>
  Io send_by(std::span<const std::byte> message, Send send) {
    const std::span<std::byte> sealed = room_for(message.size(), outgoing_);
    if (!is_sealed_) {
      std::memcpy(sealed.data(), &drawn_, drawn_bytes);
      std::memcpy(sealed.data() + drawn_bytes, &number_, number_bytes);
      if (++number_ == 0) drawn_ = draw();
      seals_.seal(message, sealed);
    }
    const Io io = send(sealed);
    // What may not come again, because its sender may give it up, is sealed anew: never two by one nonce.
    is_sealed_ = io == Io::again && (repeats_ || end_->within_message());
    return io;
  }

  void open(std::span<std::byte> sealed, std::span<std::byte> message) {
    if (!opens_.open(sealed, message)) refuse("was not sealed by this link's senders, or has been changed");
    std::uint64_t drawn;
    std::uint32_t number;
    std::memcpy(&drawn, sealed.data(), drawn_bytes);
    std::memcpy(&number, sealed.data() + drawn_bytes, number_bytes);
    const auto [last, is_first] = last_.try_emplace(drawn, number);
    if (!is_first && number <= last->second) refuse("came a second time, or after a later one");
    last->second = number;
  }

  std::unique_ptr<AnyEndpoint> end_;
  bool repeats_;
  Cipher seals_, opens_;
  std::uint64_t drawn_;
  std::uint32_t number_ = 0;
  std::vector<std::byte> outgoing_, incoming_;
  bool is_sealed_ = false;                       // what lies in outgoing_, and is to be sent again
  std::map<std::uint64_t, std::uint32_t> last_;  // number that came, by what was drawn for it
};

const TransportEntry& beneath(std::string_view transport) {
  return Registry::instance().at(Registry::instance().at(transport).beneath);
}

class SealedLink final : public AnyLink {
 public:
  explicit SealedLink(const Shape& shape) : shape_(shape) {
    require_offered(registered_traits(shape.transport), shape);
    if (shape.message_bytes > most_bytes) {
      throw Unsupported(fmt::format("{}: {} B is over the {} B that AES-GCM seals at once", shape.transport,
                                    shape.message_bytes, most_bytes));
    }
    Shape longer = shape;
    longer.message_bytes += added_bytes;
    try {
      link_ = ipcmark::beneath(shape.transport).make_link(longer);
    } catch (const Unsupported& reason) {
      throw Unsupported(fmt::format("{}: {}", shape.transport, reason.what()));
    }
    fill_at_random(key_.data(), key_.size());
  }

  std::unique_ptr<AnyEndpoint> open_sender(unsigned index, Meeting& meeting) override {
    return sealed(link_->open_sender(index, meeting));
  }
  std::unique_ptr<AnyEndpoint> open_receiver(unsigned index, Meeting& meeting) override {
    return sealed(link_->open_receiver(index, meeting));
  }
  std::string address() override { return link_->address(); }
  void drop() override { link_->drop(); }
  AnyLink* beneath() override { return link_.get(); }

 private:
  std::unique_ptr<AnyEndpoint> sealed(std::unique_ptr<AnyEndpoint> end) {
    return std::make_unique<ErasedEndpoint<SealedEnd>>(SealedEnd(std::move(end), shape_, key_));
  }

  Shape shape_;
  std::unique_ptr<AnyLink> link_;
  Key key_;
};

struct Sealed {
  static constexpr std::string_view prefix = "sealed_";
  static constexpr std::string_view summary =
      "sealed_NAME, for any transport NAME that copies: its messages, encrypted and authenticated with "
      "AES-256-GCM. Those above are run unless others are named.";
  static constexpr std::array<std::string_view, 2> listed{"pipe", "posix_mq"};

  static std::optional<TransportEntry> over(const TransportEntry& other) {
    const TransportTraits& others = other.traits;
    if (!others.facts.carries || others.facts.sealed || !others.copy_send || !others.copy_receive) return {};
    for (const auto& most : {others.facts.largest_message, others.facts.largest_shared_message}) {
      if (most && *most <= added_bytes) return {};
    }
    static std::deque<std::string> summaries;
    TransportEntry entry{
        .traits = others,
        .workloads = others.duplex ? workloads_over_any_duplex() : workloads_over_any_one_way(),
        .maker = [](const Shape& shape) -> std::unique_ptr<AnyLink> {
          return std::make_unique<SealedLink>(shape);
        },
        .beneath = others.name,
        .added_bytes = added_bytes};
    entry.traits.workloads.clear();
    entry.traits.loan_send = entry.traits.loan_receive = false;
    Facts& facts = entry.traits.facts;
    facts.summary = summaries.emplace_back(fmt::format("AES-256-GCM over {}", others.name));
    facts.asks_for_credentials = facts.naming != Facts::Naming::none;
    if (facts.largest_message) *facts.largest_message -= added_bytes;
    if (facts.largest_shared_message) *facts.largest_shared_message -= added_bytes;
    facts.standard = Facts::Standard::none;
    facts.outlives_its_makers = Facts::Outlives::nothing;
    facts.rights = Facts::Rights::none;
    facts.sealed = true;
    return entry;
  }
};

IPCMARK_OVERLAY(Sealed);

}  // namespace
}  // namespace ipcmark

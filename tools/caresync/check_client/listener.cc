#include "tools/caresync/check_client/listener.h"

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "caresync/v1/device_sync.grpc.pb.h"
#include "grpc/support/log.h"
#include "grpcpp/grpcpp.h"
#include "server/base/limits.h"
#include "storage/mutex.h"
#include "tools/caresync/errors.h"

namespace caresync::cli::check {
namespace {

// More than a client may send: what is too large is to be told by its rule, not refused by gRPC.
constexpr int kMessageBytes = 16 * 1024 * 1024;

// Lives until gRPC is done with it, and as long as the player has it.
class Stream : public grpc::ServerBidiReactor<v1::SyncRequest, v1::SyncResponse>,
               public Peer,
               public std::enable_shared_from_this<Stream> {
 public:
  static Stream* Serve(Inbox& inbox, const grpc::CallbackServerContext& context) {
    std::shared_ptr<Stream> stream(new Stream(inbox));
    stream->self_ = stream;
    const auto authorization = context.client_metadata().find("authorization");
    Arrival opened = stream->Is(Arrival::Kind::kOpened);
    if (authorization != context.client_metadata().end()) {
      opened.authorization = std::string(authorization->second.data(), authorization->second.size());
    }
    inbox.Push(std::move(opened));
    stream->StartRead(&stream->incoming_);
    return stream.get();
  }

  void Send(v1::SyncResponse response) override {
    storage::MutexLock lock(mutex_);
    if (end_ || over_) return;
    outgoing_.push_back(std::move(response));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  void End(grpc::Status status) override {
    const std::shared_ptr<Stream> alive = shared_from_this();
    {
      storage::MutexLock lock(mutex_);
      if (end_ || over_) return;
      end_ = status;
      // The last write's end ends the stream.
      if (!outgoing_.empty()) return;
    }
    Finish(status);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return inbox_.Push(Is(Arrival::Kind::kHalfClosed));
    Arrival arrival = Is(Arrival::Kind::kMessage);
    arrival.request = std::move(incoming_);
    inbox_.Push(std::move(arrival));
    incoming_.Clear();
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    std::optional<grpc::Status> end;
    {
      storage::MutexLock lock(mutex_);
      outgoing_.pop_front();
      if (!ok) outgoing_.clear();
      if (!outgoing_.empty()) {
        StartWrite(&outgoing_.front());
        return;
      }
      end = end_;
    }
    if (end) Finish(*end);
  }

  void OnCancel() override {
    inbox_.Push(Is(Arrival::Kind::kGone));
    End(grpc::Status(grpc::StatusCode::CANCELLED, "the device cut the stream"));
  }

  void OnDone() override {
    {
      storage::MutexLock lock(mutex_);
      over_ = true;
    }
    // Perhaps the last reference.
    const std::shared_ptr<Stream> self = std::move(self_);
  }

 private:
  explicit Stream(Inbox& inbox) : inbox_(inbox) {}

  Arrival Is(Arrival::Kind kind) {
    Arrival arrival;
    arrival.kind = kind;
    arrival.peer = shared_from_this();
    return arrival;
  }

  Inbox& inbox_;
  std::shared_ptr<Stream> self_;
  v1::SyncRequest incoming_;
  storage::Mutex mutex_;
  // The first is being written.
  std::deque<v1::SyncResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
};

class Service final : public v1::DeviceSyncService::CallbackService {
 public:
  explicit Service(Inbox& inbox) : inbox_(inbox) {}

 private:
  grpc::ServerBidiReactor<v1::SyncRequest, v1::SyncResponse>* Sync(grpc::CallbackServerContext* context) override {
    return Stream::Serve(inbox_, *context);
  }
  Inbox& inbox_;
};

class GrpcListener final : public Listener {
 public:
  explicit GrpcListener(Inbox& inbox) : service_(inbox) {}
  ~GrpcListener() override {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  bool Start(const std::string& address) {
    // That a connection broke is told by what the device does next, and a port that is taken by an error.
    gpr_set_log_function([](gpr_log_func_args*) {});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMessageBytes);
    // What a server refuses is no client that keeps the rules.
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
    // A client may ping as often as a server lets it: gRPC's own bound is five minutes, and ends the connection.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               static_cast<int>(absl::ToInt64Milliseconds(base::limits::kPingsAtLeastApart)));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    // A second one on the port fails to start, instead of taking half of the connections.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) return false;
    address_ = absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
    return true;
  }

  const std::string& address() const override { return address_; }

 private:
  Service service_;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(const std::string& address, Inbox& inbox) {
  auto listener = std::make_unique<GrpcListener>(inbox);
  if (!listener->Start(address)) return errors::CannotListen(address);
  return listener;
}

}  // namespace caresync::cli::check

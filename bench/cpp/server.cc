// The server: unary calls on completion queues of two threads, which is the
// fastest that C++ gRPC offers for them; streams on threads of the synchronous
// kind.
#include "roles.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "protos/bench.grpc.pb.h"
#include "wire.h"

namespace {

using yodel::bench::DownRequest;
using yodel::bench::Echo;
using yodel::bench::Msg;
using yodel::bench::UpResponse;

// Streams has the streaming methods; WithAsyncMethod_Say takes the unary one
// from it.
class Streams : public Echo::Service {
  grpc::Status Chat(grpc::ServerContext*, grpc::ServerReaderWriter<Msg, Msg>* stream) override {
    Msg msg;
    while (stream->Read(&msg)) {
      if (!stream->Write(msg)) break;
    }
    return grpc::Status::OK;
  }
  grpc::Status Down(grpc::ServerContext*, const DownRequest* request, grpc::ServerWriter<Msg>* writer) override {
    Msg msg;
    msg.set_body(std::string(request->bytes(), '\0'));
    for (int64_t i = 0; i < request->messages(); i++) {
      if (!writer->Write(msg)) break;
    }
    return grpc::Status::OK;
  }
  grpc::Status Up(grpc::ServerContext*, grpc::ServerReader<Msg>* reader, UpResponse* response) override {
    Msg msg;
    int64_t messages = 0, bytes = 0;
    while (reader->Read(&msg)) {
      messages++;
      bytes += msg.body().size();
    }
    response->set_messages(messages);
    response->set_bytes(bytes);
    return grpc::Status::OK;
  }
};

using Service = Echo::WithAsyncMethod_Say<Streams>;

// Call is one unary call, from waiting for it until it has been answered.
class Call {
 public:
  Call(Service* service, grpc::ServerCompletionQueue* queue) : service_(service), queue_(queue), responder_(&context_) {
    service_->RequestSay(&context_, &request_, &responder_, queue_, queue_, this);
  }
  void Proceed(bool ok) {
    if (answered_ || !ok) {
      delete this;
      return;
    }
    new Call(service_, queue_);
    answered_ = true;
    response_.set_body(request_.body());
    responder_.Finish(response_, grpc::Status::OK, this);
  }

 private:
  Service* service_;
  grpc::ServerCompletionQueue* queue_;
  grpc::ServerContext context_;
  Msg request_, response_;
  grpc::ServerAsyncResponseWriter<Msg> responder_;
  bool answered_ = false;
};

constexpr int kThreads = 2;
constexpr int kWaitingCalls = 128;

}  // namespace

void RunServer(const wire::Value& spec, const std::function<bool(std::string*)>& next) {
  bool local = spec.Text({"Options", "Network"}) == "unix";
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(local ? "unix:" + spec.Text({"Address"}) : "127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < kThreads; i++) queues.push_back(builder.AddCompletionQueue());
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return wire::Fail("the server does not start");
  for (auto& queue : queues) {
    for (int i = 0; i < kWaitingCalls; i++) new Call(&service, queue.get());
    // It serves until the process ends.
    std::thread([q = queue.get()] {
      void* tag;
      bool ok;
      while (q->Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
    }).detach();
  }
  wire::Address(local ? spec.Text({"Address"}) : "127.0.0.1:" + std::to_string(port));
  for (std::string line; next(&line);) {
    if (wire::Value::Parse(line).Text({"Op"}) == "usage") {
      wire::Usage();
    } else {
      wire::Unsupported();
    }
  }
  _exit(0);
}

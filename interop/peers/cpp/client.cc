#include <chrono>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "contract.h"
#include "echo.grpc.pb.h"

namespace {

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using yodel::interop::Echo;
using yodel::interop::EchoRequest;
using yodel::interop::EchoResponse;
using yodel::interop::EndedRequest;
using yodel::interop::EndedResponse;
using yodel::interop::Failure;
using yodel::interop::WireRequest;
using yodel::interop::WireResponse;

constexpr std::chrono::seconds kTimeout(20);

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; i++) bytes.push_back(static_cast<char>(i));
  return bytes;
}

std::string Repeat(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; i++) all += text;
  return all;
}

void Expect(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

void ExpectCode(const Status& status, StatusCode want, const std::string& what) {
  if (status.error_code() == want) return;
  std::ostringstream text;
  text << what << ": got code " << status.error_code() << " (" << status.error_message().substr(0, 200) << "), want "
       << want;
  throw std::runtime_error(text.str());
}

// Call is the context of one call, which ends in time.
struct Call : ClientContext {
  Call() { set_deadline(std::chrono::system_clock::now() + kTimeout); }
};

// Only returns the values of the metadata with one name, in their order.
std::vector<std::string> Only(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                              const std::string& name) {
  std::vector<std::string> values;
  const auto range = metadata.equal_range(grpc::string_ref(name));
  for (auto it = range.first; it != range.second; ++it) values.emplace_back(it->second.data(), it->second.size());
  return values;
}

class Checks {
 public:
  explicit Checks(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)), echo_(Echo::NewStub(channel_)) {}

  void Unary() {
    EchoRequest request;
    request.set_text("jodeln");
    request.set_payload(AllBytes());
    const EchoResponse response = Say(request);
    Expect(response.text() == "jodeln" && response.payload() == AllBytes(), "the response differs");
  }

  void EmptyMessage() { Expect(Say(EchoRequest()).ByteSizeLong() == 0, "the response is not empty"); }

  void ServerStream() {
    EchoRequest request;
    request.set_text("x");
    request.set_times(1000);
    Expect(CountAll(request) == 1000, "the number of responses");
  }

  void ServerStreamOfNothing() { Expect(CountAll(EchoRequest()) == 0, "the number of responses"); }

  // It leaves more unread than flow control lets through, and calls again.
  void ServerStreamLeftEarly() {
    EchoRequest request;
    request.set_payload(std::string(kMebibyte, '\0'));
    request.set_times(10);
    for (int i = 0; i < 20; i++) {
      Call call;
      EchoResponse response;
      auto reader = echo_->Count(&call, request);
      Expect(reader->Read(&response), "no response");
      call.TryCancel();
      while (reader->Read(&response)) {
      }
      ExpectCode(reader->Finish(), StatusCode::CANCELLED, "after the cancel");
    }
    Unary();
  }

  void ClientStream() {
    Call call;
    EchoResponse response;
    auto writer = echo_->Join(&call, &response);
    for (int i = 0; i < 1000; i++) {
      EchoRequest request;
      request.set_text(std::to_string(i % 10));
      Expect(writer->Write(request), "write");
    }
    writer->WritesDone();
    ExpectCode(writer->Finish(), StatusCode::OK, "client stream");
    Expect(response.index() == 1000, "the number of requests");
    Expect(response.text() == Repeat("0123456789", 100), "text");
  }

  void BidiStreamInLockstep() {
    Call call;
    auto stream = echo_->Chat(&call);
    EchoResponse response;
    for (int i = 0; i < 100; i++) {
      EchoRequest request;
      request.set_text(std::to_string(i));
      Expect(stream->Write(request) && stream->Read(&response), "write and read");
      Expect(response.text() == std::to_string(i) && response.index() == i, "response " + std::to_string(i));
    }
    stream->WritesDone();
    Expect(!stream->Read(&response), "a response after the last");
    ExpectCode(stream->Finish(), StatusCode::OK, "bidi stream");
  }

  void Metadata() {
    const std::vector<std::string> texts = {"first", "second, with a comma"};
    const std::vector<std::string> binaries = {AllBytes(), ""};
    Call call;
    for (const auto& text : texts) call.AddMetadata("x-echo", text);
    for (const auto& binary : binaries) call.AddMetadata("x-echo-bin", binary);
    EchoResponse response;
    ExpectCode(echo_->Say(&call, EchoRequest(), &response), StatusCode::OK, "say");
    Expect(Only(call.GetServerInitialMetadata(), "x-echo") == texts, "header x-echo");
    Expect(Only(call.GetServerInitialMetadata(), "x-echo-bin") == binaries, "header x-echo-bin");
    Expect(Only(call.GetServerTrailingMetadata(), "x-trailer") == texts, "trailer x-trailer");
    Expect(Only(call.GetServerTrailingMetadata(), "x-trailer-bin") == binaries, "trailer x-trailer-bin");
  }

  void ErrorWithDetails() { ExpectFailure(u8"Grüße, 世界 🎶: 100 %\nsecond line"); }

  void LargeTrailers() { ExpectFailure(Repeat("0123456789", 800)); }

  void Unimplemented() {
    grpc::GenericStub stub(channel_);
    Call call;
    grpc::ByteBuffer request, response;
    std::mutex mu;
    std::condition_variable changed;
    bool done = false;
    Status status;
    grpc::Slice empty;
    request = grpc::ByteBuffer(&empty, 1);
    stub.UnaryCall(&call, "/yodel.interop.Echo/Missing", grpc::StubOptions(), &request, &response,
                   [&](Status ended) {
                     std::lock_guard<std::mutex> lock(mu);
                     status = std::move(ended);
                     done = true;
                     changed.notify_one();
                   });
    std::unique_lock<std::mutex> lock(mu);
    changed.wait(lock, [&] { return done; });
    ExpectCode(status, StatusCode::UNIMPLEMENTED, "missing");
  }

  void Gzip() {
    EchoRequest request;
    request.set_payload(std::string(kMebibyte, '\0'));
    const WireResponse before = Wire();
    Call call;
    call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    call.AddMetadata("x-compress", "gzip");
    EchoResponse response;
    ExpectCode(echo_->Say(&call, request, &response), StatusCode::OK, "say");
    const WireResponse after = Wire();
    Expect(response.payload() == request.payload(), "payload");
    Expect(after.received() - before.received() < kMebibyte / 16, "the request was not compressed");
    Expect(after.sent() - before.sent() < kMebibyte / 16, "the response was not compressed");
  }

  void Mebibyte() {
    EchoRequest request;
    request.set_payload(Repeat(AllBytes(), kMebibyte / 256));
    Expect(Say(request).payload() == request.payload(), "payload");
  }

  void RequestOverTheLimit() {
    EchoRequest request;
    request.set_payload(std::string(5 * kMebibyte, '\0'));
    Call call;
    EchoResponse response;
    ExpectCode(echo_->Say(&call, request, &response), StatusCode::RESOURCE_EXHAUSTED, "say");
  }

  void Deadline() {
    const EndedResponse before = Ended();
    const auto began = std::chrono::steady_clock::now();
    ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
    EchoRequest request;
    request.set_hang(true);
    EchoResponse response;
    ExpectCode(echo_->Say(&call, request, &response), StatusCode::DEADLINE_EXCEEDED, "say");
    Expect(std::chrono::steady_clock::now() - began < std::chrono::seconds(5), "it took too long");
    AwaitEnded(before.with_deadline() + 1, before.without_deadline());
  }

  void Cancel() {
    const EndedResponse before = Ended();
    ClientContext call;
    auto stream = echo_->Chat(&call);
    EchoRequest request;
    request.set_hang(true);
    EchoResponse response;
    // The answer shows that the handler has the request.
    Expect(stream->Write(request) && stream->Read(&response), "write and read");
    call.TryCancel();
    Expect(!stream->Read(&response), "a response after the cancel");
    ExpectCode(stream->Finish(), StatusCode::CANCELLED, "chat");
    AwaitEnded(before.with_deadline(), before.without_deadline() + 1);
  }

  void ManyAtOnce() {
    constexpr int kCalls = 500;
    struct One {
      Call call;
      EchoRequest request;
      EchoResponse response;
      Status status;
    };
    std::vector<One> all(kCalls);
    std::mutex mu;
    std::condition_variable changed;
    int running = kCalls;
    for (int i = 0; i < kCalls; i++) {
      One& one = all[i];
      one.request.set_text(std::to_string(i));
      echo_->async()->Say(&one.call, &one.request, &one.response, [&, i](Status status) {
        std::lock_guard<std::mutex> lock(mu);
        all[i].status = std::move(status);
        if (--running == 0) changed.notify_one();
      });
    }
    std::unique_lock<std::mutex> lock(mu);
    changed.wait(lock, [&] { return running == 0; });
    for (int i = 0; i < kCalls; i++) {
      ExpectCode(all[i].status, StatusCode::OK, "call " + std::to_string(i));
      Expect(all[i].response.text() == std::to_string(i), "text of call " + std::to_string(i));
    }
  }

 private:
  EchoResponse Say(const EchoRequest& request) {
    Call call;
    EchoResponse response;
    ExpectCode(echo_->Say(&call, request, &response), StatusCode::OK, "say");
    return response;
  }

  // CountAll returns the number of responses, which must be in order.
  int CountAll(const EchoRequest& request) {
    Call call;
    auto reader = echo_->Count(&call, request);
    EchoResponse response;
    int count = 0;
    while (reader->Read(&response)) {
      Expect(response.index() == count && response.text() == request.text(), "response " + std::to_string(count));
      count++;
    }
    ExpectCode(reader->Finish(), StatusCode::OK, "count");
    return count;
  }

  // ExpectFailure expects the status that a server is asked for, in all its
  // parts.
  void ExpectFailure(const std::string& message) {
    EchoRequest request;
    Failure* failure = request.mutable_failure();
    failure->set_code(StatusCode::FAILED_PRECONDITION);
    failure->set_message(message);
    EchoResponse response;
    Call unary, stream;
    auto reader = echo_->Count(&stream, request);
    Expect(!reader->Read(&response), "a response before the failure");
    const std::map<std::string, Status> ends = {
        {"unary", echo_->Say(&unary, request, &response)},
        {"stream", reader->Finish()},
    };
    for (const auto& [kind, status] : ends) {
      ExpectCode(status, StatusCode::FAILED_PRECONDITION, kind);
      Expect(status.error_message() == message, kind + ": message " + status.error_message().substr(0, 200));
      Failure got;
      Expect(UnpackDetails(status.error_details(), &got), kind + ": no detail");
      Expect(got.code() == failure->code() && got.message() == message, kind + ": the detail differs");
    }
  }

  WireResponse Wire() {
    Call call;
    WireResponse response;
    ExpectCode(echo_->Wire(&call, WireRequest(), &response), StatusCode::OK, "wire");
    return response;
  }

  EndedResponse Ended() {
    Call call;
    EndedResponse response;
    ExpectCode(echo_->Ended(&call, EndedRequest(), &response), StatusCode::OK, "ended");
    return response;
  }

  void AwaitEnded(int with_deadline, int without_deadline) {
    const auto until = std::chrono::steady_clock::now() + kTimeout;
    for (;;) {
      const EndedResponse got = Ended();
      if (got.with_deadline() == with_deadline && got.without_deadline() == without_deadline) return;
      Expect(std::chrono::steady_clock::now() < until, "the handler did not see the end: " + got.ShortDebugString());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Echo::Stub> echo_;
};

const std::vector<std::pair<const char*, void (Checks::*)()>> kChecks = {
    {"unary", &Checks::Unary},
    {"empty message", &Checks::EmptyMessage},
    {"server stream", &Checks::ServerStream},
    {"server stream of nothing", &Checks::ServerStreamOfNothing},
    {"server stream left early", &Checks::ServerStreamLeftEarly},
    {"client stream", &Checks::ClientStream},
    {"bidi stream in lockstep", &Checks::BidiStreamInLockstep},
    {"metadata", &Checks::Metadata},
    {"error with details", &Checks::ErrorWithDetails},
    {"large trailers", &Checks::LargeTrailers},
    {"unimplemented", &Checks::Unimplemented},
    {"gzip", &Checks::Gzip},
    {"mebibyte", &Checks::Mebibyte},
    {"request over the limit", &Checks::RequestOverTheLimit},
    {"deadline", &Checks::Deadline},
    {"cancel", &Checks::Cancel},
    {"many at once", &Checks::ManyAtOnce},
};

}  // namespace

int Check(const std::string& address, const std::string& ca) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!ca.empty()) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ReadFile(ca);
    credentials = grpc::SslCredentials(options);
  }
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 64 << 10);  // its default is 8 KiB
  Checks checks(grpc::CreateCustomChannel(address, credentials, args));
  int passed = 0, failed = 0;
  for (const auto& [name, run] : kChecks) {
    try {
      (checks.*run)();
      passed++;
      std::cout << "ok\t" << name << std::endl;
    } catch (const std::exception& error) {
      failed++;
      std::string reason = error.what();
      for (char& c : reason) {
        if (c == '\n' || c == '\t') c = ' ';
      }
      std::cout << "FAIL\t" << name << "\t" << reason << std::endl;
    }
  }
  std::cout << passed << " passed, " << failed << " failed" << std::endl;
  return failed > 0 ? 1 : 0;
}

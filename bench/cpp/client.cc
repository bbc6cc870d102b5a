// The client: one caller makes synchronous calls, several share the completion
// queues of two threads; streams are of the synchronous kind.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protos/bench.grpc.pb.h"
#include "roles.h"
#include "wire.h"

namespace {

using Clock = std::chrono::steady_clock;
using yodel::bench::DownRequest;
using yodel::bench::Echo;
using yodel::bench::Msg;
using yodel::bench::UpResponse;

int64_t Nanoseconds(Clock::duration d) { return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count(); }

// Load is one run: what it asks for and what it has seen.
struct Load {
  std::string kind;
  int bytes = 0, concurrency = 1, conns = 1, messages = 0;
  Clock::time_point until;
  wire::Result result;
  std::string failure;
  std::mutex mutex;

  void Add(int64_t calls, std::vector<int64_t> times, const std::string& failed) {
    std::lock_guard<std::mutex> lock(mutex);
    result.calls += calls;
    result.times.insert(result.times.end(), times.begin(), times.end());
    if (!failed.empty()) failure = failed;
  }
};

// Say is one worker on a completion queue: it calls again when it has an answer.
struct Say {
  Echo::Stub* stub;
  grpc::CompletionQueue* queue;
  const Msg* request;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Msg>> reader;
  Msg response;
  grpc::Status status;
  Clock::time_point began;

  void Start(Clock::time_point now) {
    began = now;
    context = std::make_unique<grpc::ClientContext>();
    response.Clear();
    reader = stub->AsyncSay(context.get(), *request, queue);
    reader->Finish(&response, &status, this);
  }
};

class Client {
 public:
  explicit Client(const wire::Value& spec)
      : target_((spec.Text({"Options", "Network"}) == "unix" ? "unix:" : "") + spec.Text({"Address"})) {}

  void Run(Load* load) {
    if (load->kind != "cold") {
      while (static_cast<int>(stubs_.size()) < std::max(load->conns, 1)) stubs_.push_back(Dial());
    }
    auto began = Clock::now();
    if (load->kind == "say" && load->concurrency > 1) {
      Queues(load);
    } else {
      Repeat(load);
    }
    load->result.seconds = Nanoseconds(Clock::now() - began) / 1e9;
  }

 private:
  // Dial makes a channel that shares no connection with another.
  std::unique_ptr<Echo::Stub> Dial() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return Echo::NewStub(grpc::CreateCustomChannel(target_, grpc::InsecureChannelCredentials(), arguments));
  }

  void Queues(Load* load) {
    constexpr int kThreads = 2;
    Msg request;
    request.set_body(std::string(load->bytes, '\0'));
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
      threads.emplace_back([&, t] {
        grpc::CompletionQueue queue;
        std::vector<Say> calls(load->concurrency / kThreads + (t < load->concurrency % kThreads ? 1 : 0));
        std::vector<int64_t> times;
        std::string failure;
        for (size_t i = 0; i < calls.size(); i++) {
          calls[i].stub = stubs_[(i * kThreads + t) % stubs_.size()].get();
          calls[i].queue = &queue;
          calls[i].request = &request;
          calls[i].Start(Clock::now());
        }
        void* tag;
        bool ok;
        for (size_t left = calls.size(); left > 0 && queue.Next(&tag, &ok);) {
          Say* call = static_cast<Say*>(tag);
          auto now = Clock::now();
          if (!call->status.ok()) failure = call->status.error_message();
          if (call->status.ok() && call->response.body().size() != request.body().size()) failure = "the answer has another size";
          times.push_back(Nanoseconds(now - call->began));
          if (now < load->until && failure.empty()) {
            call->Start(now);
          } else {
            left--;
          }
        }
        queue.Shutdown();
        while (queue.Next(&tag, &ok)) {
        }
        int64_t n = times.size();
        load->Add(n, std::move(times), failure);
      });
    }
    for (auto& thread : threads) thread.join();
  }

  // Repeat does one step after another in this thread.
  void Repeat(Load* load) {
    Msg request;
    request.set_body(std::string(load->bytes, '\0'));
    grpc::ClientContext chat_context;
    std::unique_ptr<grpc::ClientReaderWriter<Msg, Msg>> chat;
    if (load->kind == "chat") chat = stubs_[0]->Chat(&chat_context);
    std::vector<int64_t> times;
    std::string failure;
    int64_t calls = 0;
    for (auto began = Clock::now(); began < load->until && failure.empty();) {
      calls += load->kind == "chat" ? Exchange(chat.get(), request, &failure) : Step(load, request, &failure);
      auto now = Clock::now();
      times.push_back(Nanoseconds(now - began));
      began = now;
    }
    if (chat != nullptr) {
      chat->WritesDone();
      chat->Finish();
    }
    load->Add(calls, std::move(times), failure);
  }

  static int64_t Exchange(grpc::ClientReaderWriter<Msg, Msg>* chat, const Msg& request, std::string* failure) {
    Msg response;
    if (!chat->Write(request) || !chat->Read(&response)) *failure = "the stream has ended";
    return 1;
  }

  int64_t Step(Load* load, const Msg& request, std::string* failure) {
    grpc::ClientContext context;
    grpc::Status status;
    int64_t calls = 1;
    if (load->kind == "say") {
      Msg response;
      status = stubs_[0]->Say(&context, request, &response);
    } else if (load->kind == "cold") {
      Msg response;
      status = Dial()->Say(&context, request, &response);
    } else if (load->kind == "down") {
      DownRequest down;
      down.set_messages(load->messages);
      down.set_bytes(load->bytes);
      auto reader = stubs_[0]->Down(&context, down);
      Msg msg;
      for (calls = 0; reader->Read(&msg); calls++) {
      }
      status = reader->Finish();
    } else {
      UpResponse response;
      auto writer = stubs_[0]->Up(&context, &response);
      for (int i = 0; i < load->messages && writer->Write(request); i++) {
      }
      writer->WritesDone();
      status = writer->Finish();
      calls = response.messages();
    }
    if (!status.ok()) *failure = status.error_message();
    return calls;
  }

  std::string target_;
  std::vector<std::unique_ptr<Echo::Stub>> stubs_;
};

void Measure(Client* client, const wire::Value& request) {
  auto number = [&](const char* name) { return static_cast<int>(request.Number({"Workload", name})); };
  Load load;
  load.kind = request.Text({"Workload", "Kind"});
  load.bytes = number("Bytes");
  load.concurrency = std::max(number("Concurrency"), 1);
  load.conns = number("Conns");
  load.messages = number("Messages");
  if (request.Number({"Workload", "Deadline"}) != 0 || (load.kind != "say" && load.concurrency > 1)) return wire::Unsupported();
  int64_t before = wire::CpuNanoseconds();
  load.until = Clock::now() + std::chrono::nanoseconds(static_cast<int64_t>(request.Number({"Time"})));
  client->Run(&load);
  int64_t used = wire::CpuNanoseconds() - before;
  if (!load.failure.empty()) return wire::Fail(load.failure);
  wire::Answer(std::move(load.result), used);
}

}  // namespace

void RunClient(const wire::Value& spec, const std::function<bool(std::string*)>& next) {
  Client client(spec);
  for (std::string line; next(&line);) {
    wire::Value request = wire::Value::Parse(line);
    std::string op = request.Text({"Op"});
    if (op == "run") {
      Measure(&client, request);
    } else if (op == "usage") {
      wire::Usage();
    } else {
      wire::Unsupported();
    }
  }
}

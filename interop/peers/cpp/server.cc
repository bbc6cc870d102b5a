#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "contract.h"
#include "echo.grpc.pb.h"

namespace {

using grpc::ServerContext;
using grpc::Status;
using yodel::interop::EchoRequest;
using yodel::interop::EchoResponse;
using yodel::interop::EndedRequest;
using yodel::interop::EndedResponse;

class EchoService final : public yodel::interop::Echo::Service {
 public:
  Status Say(ServerContext* context, const EchoRequest* request, EchoResponse* response) override {
    Begin(context);
    Status status = Obey(context, *request);
    Answer(*request, 0, response);
    return status;
  }

  Status Count(ServerContext* context, const EchoRequest* request,
               grpc::ServerWriter<EchoResponse>* writer) override {
    Begin(context);
    writer->SendInitialMetadata();
    Status status = Obey(context, *request);
    if (!status.ok()) return status;
    EchoResponse response;
    for (int i = 0; i < request->times(); i++) {
      Answer(*request, i, &response);
      if (!writer->Write(response)) return Status(grpc::CANCELLED, "the client has gone");
    }
    return Status::OK;
  }

  Status Join(ServerContext* context, grpc::ServerReader<EchoRequest>* reader, EchoResponse* response) override {
    Begin(context);
    reader->SendInitialMetadata();
    EchoRequest request;
    while (reader->Read(&request)) {
      Status status = Obey(context, request);
      if (!status.ok()) return status;
      *response->mutable_text() += request.text();
      *response->mutable_payload() += request.payload();
      response->set_index(response->index() + 1);
    }
    return Status::OK;
  }

  Status Chat(ServerContext* context, grpc::ServerReaderWriter<EchoResponse, EchoRequest>* stream) override {
    Begin(context);
    stream->SendInitialMetadata();
    EchoRequest request;
    EchoResponse response;
    for (int i = 0; stream->Read(&request); i++) {
      Status status = Fail(request);
      if (!status.ok()) return status;
      Answer(request, i, &response);
      if (!stream->Write(response)) return Status(grpc::CANCELLED, "the client has gone");
      if (request.hang()) return Hang(context);
    }
    return Status::OK;
  }

  Status Ended(ServerContext*, const EndedRequest*, EndedResponse* response) override {
    std::lock_guard<std::mutex> lock(mu_);
    *response = ended_;
    return Status::OK;
  }

 private:
  // Begin sends the x-echo metadata back, and compresses if the request asks
  // for it.
  static void Begin(ServerContext* context) {
    for (const auto& field : context->client_metadata()) {
      const std::string key(field.first.data(), field.first.size());
      const std::string value(field.second.data(), field.second.size());
      if (key == "x-echo" || key == "x-echo-bin") {
        context->AddInitialMetadata(key, value);
        context->AddTrailingMetadata("x-trailer" + key.substr(6), value);
      }
      if (key == "x-compress" && value == "gzip") context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
  }

  static void Answer(const EchoRequest& request, int index, EchoResponse* response) {
    response->set_text(request.text());
    response->set_payload(request.payload());
    response->set_index(index);
  }

  Status Obey(ServerContext* context, const EchoRequest& request) {
    Status status = Fail(request);
    return status.ok() && request.hang() ? Hang(context) : status;
  }

  static Status Fail(const EchoRequest& request) {
    if (!request.has_failure()) return Status::OK;
    const auto& failure = request.failure();
    return Status(static_cast<grpc::StatusCode>(failure.code()), failure.message(), PackDetails(failure));
  }

  // Hang waits for the end of the call, and counts it.
  Status Hang(ServerContext* context) {
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const auto left = context->deadline() - std::chrono::system_clock::now();
    std::lock_guard<std::mutex> lock(mu_);
    if (left < std::chrono::hours(1)) {
      ended_.set_with_deadline(ended_.with_deadline() + 1);
    } else {
      ended_.set_without_deadline(ended_.without_deadline() + 1);
    }
    return Status(grpc::CANCELLED, "the client has gone");
  }

  std::mutex mu_;
  EndedResponse ended_;
};

std::shared_ptr<grpc::ServerCredentials> Credentials(const std::string& certificate, const std::string& key) {
  if (certificate.empty()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({ReadFile(key), ReadFile(certificate)});
  return grpc::SslServerCredentials(options);
}

}  // namespace

int Serve(const std::string& address, const std::string& certificate, const std::string& key) {
  EchoService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, Credentials(certificate, key), &port);
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) {
    std::cerr << "cannot listen on " << address << "\n";
    return 1;
  }
  std::cout << "listening on " << port << std::endl;
  while (std::cin.get() != std::char_traits<char>::eof()) {
  }
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return 0;
}

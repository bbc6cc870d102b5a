// What the driver says and hears: one JSON object a line. See
// bench/process/protocol.go.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace wire {

// Value looks a path of names up; a missing one is empty, or zero.
class Value {
 public:
  // Parse reads text; what is no JSON becomes an empty value.
  static Value Parse(const std::string& text);
  std::string Text(const std::vector<std::string>& path) const;
  double Number(const std::vector<std::string>& path) const;

 private:
  const google::protobuf::Value* Find(const std::vector<std::string>& path) const;
  google::protobuf::Struct root_;
};

// Result is what a run saw; times are in nanoseconds.
struct Result {
  int64_t calls = 0;
  double seconds = 0;
  std::vector<int64_t> times;
};

// CpuNanoseconds is what this process has used.
int64_t CpuNanoseconds();

// The answers.
void Address(const std::string& address);
void Usage();
void Answer(Result result, int64_t cpu);
void Fail(const std::string& message);
void Unsupported();

}  // namespace wire

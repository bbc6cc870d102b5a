#include "wire.h"

#include <google/protobuf/util/json_util.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>

namespace wire {

Value Value::Parse(const std::string& text) {
  Value value;
  if (!google::protobuf::util::JsonStringToMessage(text, &value.root_).ok()) value.root_.Clear();
  return value;
}

const google::protobuf::Value* Value::Find(const std::vector<std::string>& path) const {
  const google::protobuf::Struct* object = &root_;
  const google::protobuf::Value* found = nullptr;
  for (const std::string& name : path) {
    if (object == nullptr) return nullptr;
    auto field = object->fields().find(name);
    if (field == object->fields().end()) return nullptr;
    found = &field->second;
    object = found->has_struct_value() ? &found->struct_value() : nullptr;
  }
  return found;
}

std::string Value::Text(const std::vector<std::string>& path) const {
  const auto* v = Find(path);
  return v == nullptr ? "" : v->string_value();
}

double Value::Number(const std::vector<std::string>& path) const {
  const auto* v = Find(path);
  if (v == nullptr) return 0;
  return v->has_bool_value() ? (v->bool_value() ? 1 : 0) : v->number_value();
}

int64_t CpuNanoseconds() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  auto nanoseconds = [](const timeval& t) { return t.tv_sec * int64_t{1000000000} + t.tv_usec * int64_t{1000}; };
  return nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime);
}

namespace {

std::string UsageObject(int64_t cpu) {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return "{\"CPU\":" + std::to_string(cpu) + ",\"RSS\":" + std::to_string(resident * sysconf(_SC_PAGESIZE)) + "}";
}

void Line(const std::string& text) { std::cout << text << std::endl; }

// At is the time below which a share of the sorted times lies, in microseconds.
double At(const std::vector<int64_t>& sorted, double share) {
  if (sorted.empty()) return 0;
  size_t i = static_cast<size_t>(share * sorted.size());
  return sorted[std::min(i, sorted.size() - 1)] / 1e3;
}

std::string Escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out;
}

}  // namespace

void Address(const std::string& address) { Line("{\"Address\":\"" + Escape(address) + "\"}"); }

void Usage() { Line("{\"Usage\":" + UsageObject(CpuNanoseconds()) + "}"); }

void Answer(Result r, int64_t cpu) {
  std::sort(r.times.begin(), r.times.end());
  auto number = [](const char* name, double value) { return std::string("\"") + name + "\":" + std::to_string(value); };
  Line("{\"Usage\":" + UsageObject(cpu) + ",\"Result\":{\"Calls\":" + std::to_string(r.calls) + "," + number("Seconds", r.seconds) +
       ",\"Latency\":{" + number("P50", At(r.times, 0.5)) + "," + number("P90", At(r.times, 0.9)) + "," + number("P99", At(r.times, 0.99)) +
       "," + number("P999", At(r.times, 0.999)) + "," + number("Max", At(r.times, 1)) + "}}}");
}

void Fail(const std::string& message) { Line("{\"Error\":\"" + Escape(message) + "\"}"); }

void Unsupported() { Line("{\"Error\":\"unsupported\",\"Unsupported\":true}"); }

}  // namespace wire

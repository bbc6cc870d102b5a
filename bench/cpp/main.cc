// C++ gRPC as a stack of the benchmarks.
#include <iostream>
#include <string>

#include "roles.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: bench-cpp role-server|role-client SPEC: the driver starts it\n";
    return 2;
  }
  wire::Value spec = wire::Value::Parse(argv[2]);
  auto next = [](std::string* line) { return static_cast<bool>(std::getline(std::cin, *line)); };
  if (!spec.Text({"Options", "Certificates"}).empty() || spec.Number({"Options", "Annotate"}) != 0 ||
      spec.Number({"Options", "Work", "Steps"}) != 0 || spec.Number({"Options", "Work", "SleepEvery"}) != 0) {
    wire::Unsupported();
    return 0;
  }
  if (std::string(argv[1]) == "role-server") {
    RunServer(spec, next);
  } else {
    RunClient(spec, next);
  }
  return 0;
}

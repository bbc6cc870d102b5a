// C++ gRPC as a peer: see interop/internal/peer.
//
//   peer client ADDRESS [CA]
//   peer server ADDRESS [CERTIFICATE KEY]

#include <iostream>
#include <string>
#include <vector>

#include "contract.h"

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() < 2) {
    std::cerr << "usage: peer client|server ADDRESS [FILES]\n";
    return 2;
  }
  args.resize(4);
  if (args[0] == "client") return Check(args[1], args[2]);
  if (args[0] == "server") return Serve(args[1], args[2], args[3]);
  std::cerr << "the first argument is client or server\n";
  return 2;
}

#include "contract.h"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "details.pb.h"

std::string PackDetails(const yodel::interop::Failure& failure) {
  yodel::interop::peers::StatusDetails status;
  status.set_code(failure.code());
  status.set_message(failure.message());
  status.add_details()->PackFrom(failure);
  return status.SerializeAsString();
}

bool UnpackDetails(const std::string& value, yodel::interop::Failure* failure) {
  yodel::interop::peers::StatusDetails status;
  return status.ParseFromString(value) && status.details_size() == 1 && status.details(0).UnpackTo(failure);
}

std::string ReadFile(const std::string& name) {
  std::ifstream file(name);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) {
    std::cerr << "cannot read " << name << "\n";
    std::exit(2);
  }
  return content.str();
}

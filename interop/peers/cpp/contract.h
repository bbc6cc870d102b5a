// The contract, as far as both ends need it: see interop/internal/peer.
#pragma once

#include <string>

#include "echo.pb.h"

constexpr int kMebibyte = 1 << 20;

// PackDetails makes the value of grpc-status-details-bin of a failure.
std::string PackDetails(const yodel::interop::Failure& failure);

// UnpackDetails gets the failure out of such a value; false if there is none.
bool UnpackDetails(const std::string& value, yodel::interop::Failure* failure);

// ReadFile returns what a file holds, or ends the program.
std::string ReadFile(const std::string& name);

// Check checks the server at an address, over TLS if ca is not empty, and
// returns the exit code.
int Check(const std::string& address, const std::string& ca);

// Serve serves Echo at an address until the standard input ends, over TLS if
// certificate is not empty, and returns the exit code.
int Serve(const std::string& address, const std::string& certificate, const std::string& key);

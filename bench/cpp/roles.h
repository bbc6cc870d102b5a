#pragma once

#include <functional>
#include <string>

#include "wire.h"

// What a process of this program is. next reads the driver's next command, and
// is false at the end.
void RunServer(const wire::Value& spec, const std::function<bool(std::string*)>& next);
void RunClient(const wire::Value& spec, const std::function<bool(std::string*)>& next);

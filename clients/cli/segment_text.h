// SPDX-License-Identifier: Apache-2.0
// A logged segment as one line for people.
#pragma once

#include <string>

#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::cli {

// "  12   0.001234  A > B  192.0.2.1:4000 > 192.0.2.2:80  S. seq 300 ack 101 win 65535
// <mss 1460> len 0  dropped", on one line: number, session time, direction, segment, what became of
// it unless it was simply delivered. Numbers are those of the wire, absolute.
std::string to_line(const v1::LogEntry& entry);

}  // namespace tcproctor::cli

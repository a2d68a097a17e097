// SPDX-License-Identifier: Apache-2.0
// What our stack tells of itself, in the messages of the API.
#pragma once

#include "stack/host/host.h"
#include "stack/tcp/status.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

// Everything but the fields an end gives: connection, end, incarnation, listener, half_open.
v1::ConnectionStatus status_to_proto(const tcp::Status& status);
v1::HalfOpen half_open_to_proto(const host::HalfOpenSummary& summary);
// Time and event. False for events that only wake waiting calls (readable, writable).
bool event_to_proto(const host::HostEvent& event, v1::ConnectionEvent& proto);

}  // namespace tcproctor::server

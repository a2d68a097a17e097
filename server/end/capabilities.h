// SPDX-License-Identifier: Apache-2.0
// What an end can do, by name: listed in EndInfo.capabilities, required by cases, and named in
// UNIMPLEMENTED errors. The only list of them in the project.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace tcproctor::server {

// OPEN without and with a remote socket.
inline constexpr std::string_view kCapOpenPassive = "open.passive";
inline constexpr std::string_view kCapOpenActive = "open.active";
// A passive OPEN that takes connections from one remote socket only (RFC 9293 §3.9.1.1).
inline constexpr std::string_view kCapOpenPassiveSpecifiedRemote = "open.passive_specified_remote";
// OPEN active on a listener: LISTEN to SYN-SENT.
inline constexpr std::string_view kCapOpenListenerToActive = "open.listener_to_active";
// SEND on a listener that names its remote: LISTEN to SYN-SENT.
inline constexpr std::string_view kCapSendOnListener = "send.on_listener";
// SEND with the URGENT flag; the PUSH flag has an effect.
inline constexpr std::string_view kCapSendUrgent = "send.urgent";
inline constexpr std::string_view kCapSendPush = "send.push";
// A half-open connection of a listener is listed and has a STATUS; takes CLOSE; ABORT; SEND.
inline constexpr std::string_view kCapEmbryonicStatus = "embryonic.status";
inline constexpr std::string_view kCapEmbryonicClose = "embryonic.close";
inline constexpr std::string_view kCapEmbryonicAbort = "embryonic.abort";
inline constexpr std::string_view kCapEmbryonicSend = "embryonic.send";
// It takes RECEIVE and has options.
inline constexpr std::string_view kCapEmbryonicReceive = "embryonic.receive";
// The length of TIME-WAIT follows a settable MSL.
inline constexpr std::string_view kCapTimeWaitMsl = "time_wait.msl";
// ABORT ends a connection in TIME-WAIT.
inline constexpr std::string_view kCapTimeWaitAbort = "time_wait.abort";
// Window scale, timestamps and SACK can be switched for one connection.
inline constexpr std::string_view kCapOptionsPerConnection = "options.per_connection";
// The delay of delayed ACKs can be set.
inline constexpr std::string_view kCapOptionsDelayedAck = "options.delayed_ack";
// Of one connection: Reno or CUBIC; how slow start begins (HyStart++, initial window, ABC); ECN.
inline constexpr std::string_view kCapOptionsCongestionControl = "options.congestion_control";
inline constexpr std::string_view kCapOptionsSlowStart = "options.slow_start";
inline constexpr std::string_view kCapOptionsEcn = "options.ecn";
// TCP Fast Open (RFC 7413) on both sides; data given with OPEN waits where no cookie is at hand.
inline constexpr std::string_view kCapOptionsFastOpen = "options.fast_open";
inline constexpr std::string_view kCapOpenData = "open.data";
// Path-MTU discovery can be switched; so can that by probes (RFC 4821); the User Timeout Option
// (RFC 5482).
inline constexpr std::string_view kCapOptionsPathMtuDiscovery = "options.path_mtu_discovery";
inline constexpr std::string_view kCapOptionsMtuProbing = "options.mtu_probing";
inline constexpr std::string_view kCapOptionsUserTimeoutOption = "options.user_timeout_option";
// Segments can be signed with TCP-MD5 (RFC 2385), with TCP-AO (RFC 5925).
inline constexpr std::string_view kCapOptionsMd5 = "options.md5";
inline constexpr std::string_view kCapOptionsAo = "options.ao";
// STATUS has: the RFC's send and receive variables; initial sequence numbers; all running timers.
inline constexpr std::string_view kCapStatusVariables = "status.variables";
inline constexpr std::string_view kCapStatusIss = "status.iss";
inline constexpr std::string_view kCapStatusTimers = "status.timers";
inline constexpr std::string_view kCapStatusEndOfStream = "status.end_of_stream";
// The state of loss recovery and congestion control; and what of it only the TCP itself knows: what
// was undone, PRR, probes, what ECN has done.
inline constexpr std::string_view kCapStatusRecovery = "status.recovery";
inline constexpr std::string_view kCapStatusRecoveryInside = "status.recovery_inside";
// Watch reports: urgent data; soft errors; R1; many half-open connections; what is dropped and what
// loss recovery does.
inline constexpr std::string_view kCapEventUrgent = "event.urgent";
inline constexpr std::string_view kCapEventSoftError = "event.soft_error";
inline constexpr std::string_view kCapEventDeliveryTrouble = "event.delivery_trouble";
inline constexpr std::string_view kCapEventHalfOpenAlarm = "event.half_open_alarm";
inline constexpr std::string_view kCapEventTrace = "event.trace";
// RFC 4987.
inline constexpr std::string_view kCapSynCookies = "syn_cookies";
// Keep-alive idle time and interval may be given in fractions of a second.
inline constexpr std::string_view kCapKeepaliveSubSecond = "keepalive.sub_second";
// The session's clock is virtual: hours pass in milliseconds.
inline constexpr std::string_view kCapClockVirtual = "clock.virtual";
// Programs can run in the end's network namespace.
inline constexpr std::string_view kCapNamespace = "namespace";

// The Sockets service: POSIX socket calls.
inline constexpr std::string_view kCapSockets = "sockets";

// Of our stack; kCapClockVirtual comes on top where it applies.
inline constexpr auto kStackCapabilities = std::to_array<std::string_view>({
    kCapOpenPassive,
    kCapOpenActive,
    kCapOpenPassiveSpecifiedRemote,
    kCapOpenListenerToActive,
    kCapSendOnListener,
    kCapSendUrgent,
    kCapSendPush,
    kCapEmbryonicStatus,
    kCapEmbryonicClose,
    kCapEmbryonicAbort,
    kCapEmbryonicSend,
    kCapEmbryonicReceive,
    kCapTimeWaitMsl,
    kCapTimeWaitAbort,
    kCapOptionsPerConnection,
    kCapOptionsDelayedAck,
    kCapOptionsCongestionControl,
    kCapOptionsSlowStart,
    kCapOptionsEcn,
    kCapOptionsFastOpen,
    kCapOptionsPathMtuDiscovery,
    kCapOptionsMtuProbing,
    kCapOptionsUserTimeoutOption,
    kCapOptionsMd5,
    kCapOptionsAo,
    kCapOpenData,
    kCapStatusVariables,
    kCapStatusIss,
    kCapStatusTimers,
    kCapStatusEndOfStream,
    kCapStatusRecovery,
    kCapStatusRecoveryInside,
    kCapEventUrgent,
    kCapEventSoftError,
    kCapEventDeliveryTrouble,
    kCapEventHalfOpenAlarm,
    kCapEventTrace,
    kCapSynCookies,
    kCapKeepaliveSubSecond,
    kCapSockets,
});

// Of the host kernel's TCP, as its user calls and its diagnosis make them reachable.
inline constexpr auto kKernelCapabilities = std::to_array<std::string_view>({
    kCapOpenPassive,
    kCapOpenActive,
    kCapSendUrgent,
    kCapEmbryonicStatus,
    kCapTimeWaitAbort,
    kCapStatusEndOfStream,
    kCapStatusRecovery,
    kCapOptionsCongestionControl,
    kCapOptionsFastOpen,
    kCapOptionsPathMtuDiscovery,
    kCapOptionsMd5,
    kCapEventUrgent,
    kCapEventSoftError,
    kCapEventHalfOpenAlarm,
    kCapSynCookies,
    kCapNamespace,
    kCapSockets,
});

inline std::span<const std::string_view> stack_capabilities() {
  return kStackCapabilities;
}
inline std::span<const std::string_view> kernel_capabilities() {
  return kKernelCapabilities;
}

}  // namespace tcproctor::server

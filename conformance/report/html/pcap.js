// SPDX-License-Identifier: Apache-2.0
// The capture of one session, cut out of its result's: pcap with nanoseconds, LINKTYPE_RAW, times in
// session time.

const FILE_HEADER = 24;
const RECORD_HEADER = 16;

async function captureOf(result, session) {
  const octets = await gunzip(result.capture);
  const view = new DataView(octets);
  // The place behind the next `count` packets.
  const skip = (at, count) => {
    for (; count > 0; --count) at += RECORD_HEADER + view.getUint32(at + 8, true);
    return at;
  };
  const before = result.sessions.slice(0, session).reduce((sum, one) => sum + one.captured, 0);
  const begin = skip(FILE_HEADER, before);
  const end = skip(begin, result.sessions[session].captured);
  return new Blob([octets.slice(0, FILE_HEADER), octets.slice(begin, end)],
    {type: "application/vnd.tcpdump.pcap"});
}

// Null where nothing was captured.
function pcapLink(result, session, text) {
  if (result.sessions[session].captured === 0) return null;
  const name = `${result.case}.${result.target}${session ? "." + (session + 1) : ""}.pcap`;
  // Unpacked when it is asked for: a thousand captures are not worth their memory.
  const download = async (event) => {
    event.preventDefault();
    const address = URL.createObjectURL(await captureOf(result, session));
    el("a", {href: address, download: name}).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  };
  return el("a", {class: "pcap", href: "#", download: name, onclick: download}, text);
}

// Those of all sessions, and how much is not in them.
function pcapLinks(result) {
  const {sessions} = result;
  const leftOut = sessions.reduce((sum, one) => sum + one.left_out, 0);
  const links = sessions.length === 1 ? [pcapLink(result, 0, "capture (pcap)")]
    : sessions.map((_, i) => pcapLink(result, i, String(i + 1)));
  if (!links.some(Boolean)) return null;
  return el("p", {class: "captures"}, sessions.length > 1 && "captures (pcap) of session",
    links, leftOut > 0 && el("small", {}, `${leftOut} segments like others are left out`));
}

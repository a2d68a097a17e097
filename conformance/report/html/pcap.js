// SPDX-License-Identifier: Apache-2.0
// A capture made of the segments of one session: pcap with nanoseconds, LINKTYPE_RAW, times in
// session time. Of a long packet the report has the beginning.

const kRawOctets = 128;

function wholeLength(octets) {
  if (octets.length < kRawOctets) return octets.length;
  const version = octets[0] >> 4;
  const told = version === 6 ? 40 + (octets[4] << 8 | octets[5]) : octets[2] << 8 | octets[3];
  return Math.max(octets.length, told);
}

function pcapOctets(segments) {
  const packets = segments.map((segment) => ({
    time: segment.time,
    octets: Uint8Array.from(segment.raw.match(/../g) || [], (digits) => parseInt(digits, 16)),
  }));
  const size = packets.reduce((sum, packet) => sum + 16 + packet.octets.length, 24);
  const view = new DataView(new ArrayBuffer(size));
  let at = 0;
  const put = (...words) => words.forEach((word) => { view.setUint32(at, word, true); at += 4; });
  put(0xa1b23c4d, 2 | (4 << 16), 0, 0, 262144, 101);
  for (const {time, octets} of packets) {
    const seconds = Math.floor(time);
    put(seconds, Math.min(999999999, Math.round((time - seconds) * 1e9)), octets.length,
        wholeLength(octets));
    new Uint8Array(view.buffer).set(octets, at);
    at += octets.length;
  }
  return new Uint8Array(view.buffer);
}

function pcapLink(result, session, text) {
  const segments = result.segments.filter((segment) => segment.session === session + 1);
  if (segments.length === 0) return null;
  const name = `${result.case}.${result.target}${session ? "." + (session + 1) : ""}.pcap`;
  // Made when it is asked for: a thousand captures are not worth their memory.
  const link = el("a", {class: "pcap", download: name, href: "#"}, text);
  const load = () => {
    let binary = "";
    for (const octet of pcapOctets(segments)) binary += String.fromCharCode(octet);
    link.href = "data:application/vnd.tcpdump.pcap;base64," + btoa(binary);
  };
  for (const event of ["pointerenter", "focus", "click"]) {
    link.addEventListener(event, load, {once: true});
  }
  return link;
}

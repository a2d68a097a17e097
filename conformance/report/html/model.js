// SPDX-License-Identifier: Apache-2.0
// The data of the run, unpacked and indexed. Its form is that of the JSON report (SCHEMA.md), and
// beside it: `catalogue` (id -> text), `levels` (id -> MUST …) and `pairs` (case -> "left right" -> sessions -> rows)
// and `causes` (what differs between stack and kernel).

// Worst first.
const VERDICTS = ["ERROR", "FAIL", "XPASS", "INCONCLUSIVE", "XFAIL", "PASS", "SKIP"];
const TARGETS = ["kernel", "stack", "stack-virtual"];

const worst = (verdicts) => VERDICTS.find((verdict) => verdicts.includes(verdict));

// base64 of what gzip made of octets -> those octets
async function gunzip(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser is too old: it has no DecompressionStream");
  }
  const octets = Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([octets]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const unpack = async (text) => JSON.parse(new TextDecoder().decode(await gunzip(text)));

class Model {
  constructor(run) {
    this.run = run;
    this.targets = TARGETS.filter((target) => run.results.some((r) => r.target === target));
    this.cases = new Map();
    const sources = new Map(run.cases.map((source) => [source.id, source]));
    for (const result of run.results) {
      if (!this.cases.has(result.case)) {
        const source = sources.get(result.case) || {file: "", rule: "", text: ""};
        this.cases.set(result.case, {
          id: result.case, title: result.title, level: result.level, covers: result.covers,
          file: source.file, rule: source.rule || result.title,
          lines: source.text.split("\n"), results: new Map(),
        });
      }
      const results = this.cases.get(result.case).results;
      if (!results.has(result.target)) results.set(result.target, []);
      results.get(result.target).push(result);
    }
  }

  // Of all repetitions; undefined if the target did not sit it.
  verdict(one, target) {
    const results = one.results.get(target);
    return results && worst(results.map((result) => result.verdict));
  }

  // What `covers` names: seed row, requirement, row of the event matrix.
  text(id) { return this.run.catalogue[id] || ""; }

  // Every id of the catalogue with the cases that cover it.
  requirements() {
    if (this.requirementList) return this.requirementList;
    const rows = new Map(Object.keys(this.run.catalogue).map((id) => [id, {id, cases: []}]));
    for (const one of this.cases.values()) {
      for (const id of one.covers) {
        if (!rows.has(id)) rows.set(id, {id, cases: []});
        rows.get(id).cases.push(one);
      }
    }
    for (const row of rows.values()) {
      row.text = this.text(row.id);
      row.kind = row.id.startsWith("EM-") ? "event" : /^S\d/.test(row.id) ? "seed" : "rfc";
      row.level = (this.run.levels[row.id] || "").split(" ")[0].toLowerCase();
    }
    const order = {seed: 0, rfc: 1, event: 2};
    this.requirementList = [...rows.values()].sort((a, b) => order[a.kind] - order[b.kind]
      || a.id.localeCompare(b.id, "en", {numeric: true}));
    return this.requirementList;
  }

  requirementVerdict(row, target) {
    return worst(row.cases.map((one) => this.verdict(one, target)).filter(Boolean));
  }

  // The cases that took an edge of the state diagram on a TCP.
  casesOfEdge(edge, tcp) {
    const took = (result) => result.sessions.some((session) => session.edges.some(
      (e) => e.tcp === tcp && e.from === edge.from && e.to === edge.to));
    return [...this.cases.values()].filter(
      (one) => [...one.results.values()].flat().some(took));
  }

  // The rows of two targets beside each other: [left row, right row, differing fields].
  pairs(one, left, right, session) {
    const both = this.run.pairs[one.id] || {};
    const forwards = both[left + " " + right];
    const backwards = both[right + " " + left];
    const rows = (forwards || backwards || [])[session] || [];
    return rows.map(([a, b, fields]) => ({
      left: forwards ? a : b, right: forwards ? b : a,
      fields: fields ? fields.split(" ") : [],
    }));
  }
}

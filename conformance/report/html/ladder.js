// SPDX-License-Identifier: Apache-2.0
// A session as a ladder; two targets' ladders side by side, row by row, under the line of the script
// that each row comes from or answers.

const seconds = (time) => time < 1 ? (time * 1000).toFixed(1) + " ms"
  : time.toFixed(time < 100 ? 3 : 1) + " s";

// A field of a segment; marked if the other side's is another.
const field = (name, differs, ...content) =>
  el("span", {class: differs.includes(name) ? name + " differs" : name}, content);

function segmentCell(row, differs) {
  const to = row.end === "A" ? "to-right" : "to-left";
  const tcp = row.seq !== undefined;
  const way = row.way || "arrives";
  return el("div", {class: ["segment", to, row.kind, way, row.forged && "forged"]
    .filter(Boolean).join(" ")},
  el("div", {class: "words"},
    row.flow && el("span", {class: "flow"}, row.flow),
    tcp ? [
      field("flags", differs, row.flags || "no flags"),
      field("seq", differs, `seq ${row.seq}`),
      row.ack !== undefined && field("ack", differs, `ack ${row.ack}`),
      field("length", differs, row.length ? `len ${row.length}` : ""),
      field("window", differs, `win ${row.window}`),
    ] : field("text", differs, row.other),
    row.flaw && field("flaw", differs, row.flaw),
    row.kind === "arrival" && el("span", {class: "fate"},
      way === "lost" ? "dropped" : "released"),
    row.kind === "segment" && way !== "arrives" && el("span", {class: "fate"},
      way === "lost" ? "lost" : "held"),
    row.forged && el("span", {class: "fate"}, "injected"),
    row.duplicate && el("span", {class: "fate"}, "duplicate")),
  row.options && el("div", {class: "words"},
    field("options", differs, row.options.replace(/^<|>$/g, ""))),
  el("div", {class: "arrow"}));
}

function middleCell(row, differs) {
  if (row.kind === "segment" || row.kind === "arrival") return segmentCell(row, differs);
  if (row.kind === "call") {
    return el("div", {class: "call " + (row.end === "A" ? "at-a" : "at-b")},
      row.flow && el("span", {class: "flow"}, row.flow),
      el("code", {class: differs.includes("text") && "differs"}, row.text));
  }
  if (row.kind === "states") return el("div", {class: "states"}, row.flow || "");
  const text = row.kind === "time" ? row.text + " pass" : row.text;
  return el("div", {class: "note " + row.kind}, text);
}

function stateCell(state, name, differs) {
  const claimed = state && state.startsWith("[");
  return el("div", {class: ["state", name, claimed && "claimed", differs.includes("state_" + name)
    && "differs"].filter(Boolean).join(" "), title: claimed && "what the script claims of its end"},
  state || "");
}

function rowCell(row, differs, side, failed) {
  if (!row) return el("div", {class: `rung absent ${side}`}, "–");
  return el("div", {class: `rung ${side}${failed ? " failed" : ""}`,
    "data-number": row.number},
  el("div", {class: "time" + (differs.includes("time") ? " differs" : "")},
    row.kind === "states" || row.kind === "strangers" ? "" : seconds(row.time),
    row.number !== undefined && el("small", {}, "#" + row.number)),
  stateCell(row.state_a, "a", differs),
  middleCell(row, differs),
  stateCell(row.state_b, "b", differs));
}

const head = (session, target, side) => el("div", {class: "rung head " + side},
  el("div", {class: "time"}, target), el("div", {class: "state a"}, `A ${session.a}`),
  el("div", {}), el("div", {class: "state b"}, `B ${session.b}`));

// The numbers of the segments that broke a rule.
const failures = (result, session) => new Set(result.clauses.filter((clause) => clause.failure
  && clause.failure.session === session + 1 && clause.failure.packet)
  .map((clause) => clause.failure.packet));

// One session of `left`, and of `right` if it is given. `side`: which of them a narrow screen shows.
function ladderView(model, one, left, right, session) {
  const ours = left.sessions[session];
  const theirs = right && right.sessions[session];
  const pairs = theirs ? model.pairs(one, left.target, right.target, session)
    : ours.rows.map((_, i) => ({left: i, right: -1, fields: []}));
  const broke = [failures(left, session), right ? failures(right, session) : new Set()];
  const view = el("div", {class: "ladder" + (theirs ? " two" : "")},
    head(ours, left.target, "left"), theirs && head(theirs, right.target, "right"));
  let line = 0;
  let different = 0;
  for (const pair of pairs) {
    const a = pair.left < 0 ? null : ours.rows[pair.left];
    const b = !theirs || pair.right < 0 ? null : theirs.rows[pair.right];
    const row = a || b;
    if (row.kind === "clause") {
      view.append(el("h4", {class: "clause"}, row.text));
      continue;
    }
    const alone = theirs && (!a || !b);
    const differs = alone || pair.fields.length > 0;
    if (differs) ++different;
    const kind = differs ? " other" : " same";
    if (row.line && row.line !== line && row.kind !== "states") {
      line = row.line;
      view.append(el("a", {class: "line" + kind, href: "#", "data-line": line,
        onclick: (event) => { event.preventDefault(); app.showLine(line); }},
      el("small", {}, String(line)), el("code", {}, (one.lines[line - 1] || "").trim())));
    }
    view.append(el("div", {class: "pair" + kind + (alone ? " alone" : "")},
      rowCell(a, pair.fields, "left", a && broke[0].has(a.number)),
      theirs && rowCell(b, pair.fields, "right", b && broke[1].has(b.number))));
  }
  view.dataset.different = different;
  return view;
}

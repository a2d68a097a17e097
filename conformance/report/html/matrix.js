// SPDX-License-Identifier: Apache-2.0
// The matrices: cases × targets and requirements × targets, with the same filters.

class Filter {
  constructor(parameters) {
    this.text = parameters.get("q") || "";
    this.levels = (parameters.get("l") || "").split(",").filter(Boolean);
    this.verdicts = (parameters.get("v") || "").split(",").filter(Boolean);
    this.differ = parameters.has("d");
    this.kind = parameters.get("k") || "";
    this.open = parameters.has("open");
  }

  toString() {
    const parameters = new URLSearchParams();
    if (this.text) parameters.set("q", this.text);
    if (this.levels.length) parameters.set("l", this.levels.join(","));
    if (this.verdicts.length) parameters.set("v", this.verdicts.join(","));
    if (this.differ) parameters.set("d", "1");
    if (this.kind) parameters.set("k", this.kind);
    if (this.open) parameters.set("open", "1");
    return parameters.toString();
  }

  // `row`: {level, verdicts (of all targets), words}
  takes(row) {
    if (this.levels.length && !this.levels.includes(row.level)) return false;
    if (this.verdicts.length && !row.verdicts.some((v) => this.verdicts.includes(v))) return false;
    if (this.differ && new Set(row.verdicts.filter(Boolean)).size < 2) return false;
    const words = row.words.toLowerCase();
    return this.text.toLowerCase().split(/\s+/).every((word) => words.includes(word));
  }
}

// A row of buttons of which any number is on.
function toggles(label, names, chosen, changed, counts) {
  return el("div", {class: "toggles", role: "group", "aria-label": label}, names.map((name) =>
    el("button", {
      type: "button", class: "toggle " + name, "aria-pressed": String(chosen.includes(name)),
      onclick: (event) => {
        const at = chosen.indexOf(name);
        if (at < 0) chosen.push(name); else chosen.splice(at, 1);
        event.currentTarget.setAttribute("aria-pressed", String(at < 0));
        changed();
      },
    }, name, counts && el("small", {}, String(counts[name])))));
}

function checkbox(text, checked, changed) {
  return el("label", {class: "check"}, el("input", {
    type: "checkbox", checked, onchange: (event) => changed(event.target.checked),
  }), text);
}

// `options`: {view, filter, model, entries, make (row of the table), extra (filters)}
function matrixView({view, filter, model, entries, first, make, extra, placeholder}) {
  const body = el("tbody");
  const shown = el("p", {class: "shown", role: "status"});
  let stop = () => {};
  const counts = Object.fromEntries(VERDICTS.map((verdict) => [verdict,
    entries.reduce((sum, e) => sum + e.verdicts.filter((v) => v === verdict).length, 0)]));
  const update = () => {
    stop();
    const chosen = entries.filter((entry) => filter.takes(entry));
    body.replaceChildren();
    stop = appendLazily(body, chosen, make);
    shown.textContent = `${chosen.length} of ${entries.length}`;
    const query = filter.toString();
    history.replaceState(null, "", `#${view}${query ? "?" + query : ""}`);
    app.listed = chosen.map((entry) => entry.id);
    app.back = location.hash;
  };
  const search = el("input", {
    type: "search", value: filter.text, placeholder, "aria-label": "Search",
    oninput: (event) => { filter.text = event.target.value; update(); },
  });
  const page = el("section", {class: "matrix"},
    el("div", {class: "filters"},
      search,
      toggles("Verdicts", VERDICTS.filter((v) => counts[v] > 0), filter.verdicts, update, counts),
      toggles("Levels", ["must", "should", "may"], filter.levels, update),
      model.targets.length > 1 && checkbox("targets differ", filter.differ, (on) => {
        filter.differ = on;
        update();
      }),
      extra && extra(update), shown),
    el("table", {},
      el("thead", {}, el("tr", {}, el("th", {scope: "col"}, first),
        el("th", {scope: "col", class: "level"}, "level"),
        model.targets.map((target) => el("th", {scope: "col", class: "target"}, target)))),
      body));
  update();
  return page;
}

function casesView(model, filter) {
  const entries = [...model.cases.values()].map((one) => ({
    id: one.id, level: one.level, one,
    verdicts: model.targets.map((target) => model.verdict(one, target)),
    words: [one.id, one.title, one.rule, ...one.covers,
      ...[...one.results.values()].flat().map((result) => result.reason)].join(" "),
  })).sort((a, b) => a.id.localeCompare(b.id, "en", {numeric: true}));
  return matrixView({
    view: "cases", filter, model, entries, first: "case",
    placeholder: "id, title, requirement, reason",
    make: ({one, verdicts}) => el("tr", {"data-case": one.id},
      el("th", {scope: "row"}, el("div", {class: "named"},
        el("a", {href: "#case/" + encodeURIComponent(one.id)}, one.id),
        el("span", {}, one.title))),
      el("td", {class: "level"}, one.level),
      verdicts.map((verdict, i) => el("td", {class: "target", "data-target": model.targets[i]},
        verdict ? el("a", {href: `#case/${encodeURIComponent(one.id)}/${model.targets[i]}`},
          badge(verdict)) : el("span", {class: "none"}, "–")))),
  });
}

function requirementsView(model, filter) {
  const entries = model.requirements().map((row) => ({
    id: row.id, level: row.level, row,
    verdicts: model.targets.map((target) => model.requirementVerdict(row, target)),
    words: [row.id, row.text, ...row.cases.map((one) => one.id)].join(" "),
  }));
  const takes = filter.takes.bind(filter);
  filter.takes = (entry) => takes(entry) && (!filter.kind || entry.row.kind === filter.kind)
    && (filter.open ? entry.row.cases.length === 0 : entry.row.cases.length > 0);
  const covered = entries.filter((entry) => entry.row.cases.length > 0).length;
  return matrixView({
    view: "requirements", filter, model, entries, first: "requirement",
    placeholder: "id, words, case",
    extra: (update) => [
      el("select", {"aria-label": "Kind", onchange: (event) => {
        filter.kind = event.target.value;
        update();
      }}, [["", "all kinds"], ["seed", "seed rows"], ["rfc", "RFC requirements"],
        ["event", "event matrix"]].map(([value, text]) =>
        el("option", {value, selected: filter.kind === value}, text))),
      checkbox(`without a case in this run (${entries.length - covered})`, filter.open, (on) => {
        filter.open = on;
        update();
      }),
    ],
    make: ({row, verdicts}) => el("tr", {"data-requirement": row.id},
      el("th", {scope: "row"}, el("div", {class: "named"}, el("b", {}, row.id),
        el("span", {}, row.text, row.cases.length > 0 && el("span", {class: "covering"},
          row.cases.map((one) => el("a", {href: "#case/" + encodeURIComponent(one.id)},
            one.id)))))),
      el("td", {class: "level"}, row.level),
      verdicts.map((verdict, i) => el("td", {class: "target", "data-target": model.targets[i]},
        verdict ? badge(verdict) : el("span", {class: "none"}, "–")))),
  });
}
